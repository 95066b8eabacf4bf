//! What one process of a run found out: everything that can be added to what the others found out. Pure.
//!
//! A run of many connections takes several processes, because each may open only so many files. Their histograms and counters
//! add up to the same figures as one process would have; percentiles are computed once, from the sums.

use serde::{Deserialize, Serialize};

use crate::histogram::Latencies;
use crate::seconds::Seconds;

/// The account of one process, or of several added up.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Account {
    /// Processes in it.
    pub(crate) processes: usize,
    pub(crate) clients: usize,
    /// Messages of the headline that were due after the warm-up.
    pub(crate) offered: u64,
    /// Those that brought all they should, in time.
    pub(crate) completed: u64,
    /// For how long messages were due, after the warm-up.
    pub(crate) measured_s: f64,
    /// From the start to the last answer.
    pub(crate) last_s: f64,
    /// How long it took until all clients were in.
    pub(crate) connect_s: f64,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) held_up: u64,
    pub(crate) lost: u64,
    pub(crate) duplicated: u64,
    pub(crate) reordered: u64,
    pub(crate) errors: u64,
    pub(crate) first_error: Option<String>,
    pub(crate) cancelled: bool,
    /// Clients whose waiting is told apart from the others'.
    pub(crate) apart_clients: usize,
    /// Connections of theirs that the service closed.
    pub(crate) apart_closed: u64,
    pub(crate) response: Latencies,
    pub(crate) service: Latencies,
    pub(crate) send_lag: Latencies,
    pub(crate) apart: Latencies,
    pub(crate) seconds: Seconds,
    /// The busiest reading thread and the busiest pacing thread, in percent of a core.
    pub(crate) reading_cpu_pct: Option<f64>,
    pub(crate) pacing_cpu_pct: Option<f64>,
}

impl Account {
    /// Adds what another process found out in the same run.
    pub fn add(&mut self, other: &Self) {
        self.processes += other.processes;
        self.clients += other.clients;
        self.offered += other.offered;
        self.completed += other.completed;
        self.measured_s = self.measured_s.max(other.measured_s);
        self.last_s = self.last_s.max(other.last_s);
        self.connect_s = self.connect_s.max(other.connect_s);
        self.sent += other.sent;
        self.received += other.received;
        self.held_up += other.held_up;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.errors += other.errors;
        if self.first_error.is_none() {
            self.first_error.clone_from(&other.first_error);
        }
        self.cancelled |= other.cancelled;
        self.apart_clients += other.apart_clients;
        self.apart_closed += other.apart_closed;
        self.response.add(&other.response);
        self.service.add(&other.service);
        self.send_lag.add(&other.send_lag);
        self.apart.add(&other.apart);
        self.seconds.add(&other.seconds);
        self.reading_cpu_pct = larger(self.reading_cpu_pct, other.reading_cpu_pct);
        self.pacing_cpu_pct = larger(self.pacing_cpu_pct, other.pacing_cpu_pct);
    }

    /// The busiest thread of all generators, in percent of a core.
    pub(crate) fn generator_cpu_pct(&self) -> Option<f64> {
        larger(self.reading_cpu_pct, self.pacing_cpu_pct)
    }
}

fn larger(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.max(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An account in which `clients` clients each got an answer after as many milliseconds.
    pub(crate) fn account(clients: usize) -> Account {
        let mut response = Latencies::new();
        for ms in 1..=u64::try_from(clients).unwrap() {
            response.record_ns(ms * 1_000_000);
        }
        let mut seconds = Seconds::default();
        seconds.push(0, &response);
        let count = response.count();
        Account {
            processes: 1,
            clients,
            offered: count,
            completed: count,
            measured_s: 1.0,
            last_s: 1.0,
            connect_s: 0.1,
            sent: count,
            received: count,
            held_up: 0,
            lost: 0,
            duplicated: 0,
            reordered: 0,
            errors: 0,
            first_error: None,
            cancelled: false,
            apart_clients: 0,
            apart_closed: 0,
            service: response.clone(),
            send_lag: Latencies::new(),
            apart: Latencies::new(),
            response,
            seconds,
            reading_cpu_pct: None,
            pacing_cpu_pct: None,
        }
    }

    /// Goal: two processes add up to one run, by way of JSON, and the first of all errors is kept.
    #[test]
    fn processes_add_up() {
        let mut whole = account(10);
        let mut other = account(20);
        other.first_error = Some("no".to_owned());
        other.lost = 3;
        other.reading_cpu_pct = Some(7.0);
        other.pacing_cpu_pct = Some(9.0);
        let json = serde_json::to_string(&other).unwrap();
        whole.add(&serde_json::from_str(&json).unwrap());
        assert_eq!(
            (whole.processes, whole.clients, whole.lost, whole.sent),
            (2, 30, 3, 30)
        );
        assert_eq!(whole.first_error.as_deref(), Some("no"));
        assert_eq!(whole.response.count(), 30);
        assert_eq!(whole.seconds.summaries()[0].count, 30);
        assert_eq!(whole.generator_cpu_pct(), Some(9.0));
    }
}

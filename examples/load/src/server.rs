//! What the service itself uses during a run, read from `/proc` so that the service need not cooperate.
//!
//! A thread of its own looks once a second, so that neither pacing nor reading waits for it. A service of several processes
//! is the sum of them: its process and those that descend from it.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::proc_text::{allowed_cores, cpu_ticks, number_of, parent_pid, rss_bytes};

/// Ticks per second in `/proc/PID/stat`: fixed at 100 in the interface of every Linux architecture of today, whatever the
/// kernel's own timer does.
const TICKS_PER_SECOND: f64 = 100.0;

/// How often the service is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Most threads whose context switches are read at each look: each is a file, and ten thousand of them would take a tenth of
/// a core away from what is measured. With more they are read at the start and the end only.
const SWITCH_THREADS_LEN_MAX: usize = 500;

/// Most processes taken for one service.
const PROCESSES_LEN_MAX: usize = 1024;

/// What the service used.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ServerUse {
    /// CPU time over the run, in percent of one core.
    pub cpu_pct: f64,
    /// Resident memory at the end of the run, with all clients connected. Pages that several processes share count once each.
    pub rss_bytes: u64,
    /// How much of it came with the clients, divided by their number. An upper bound: whatever else grew during the run is
    /// in it.
    pub rss_per_client_bytes: u64,
    /// The most resident memory at any look.
    pub rss_max_bytes: u64,
    /// Context switches of all its threads per second; `None` if the kernel does not tell.
    pub context_switches_per_s: Option<f64>,
    /// Threads at the end.
    pub threads: u64,
    /// Processes at the start.
    pub processes: usize,
    /// Whether it may run on a core on which this generator may run too; then each takes time from the other.
    pub shares_cores: bool,
}

/// What the service used in one second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ServerSecond {
    /// The end of that second, in seconds from the first message.
    pub at_s: f64,
    /// CPU time in percent of one core.
    pub cpu_pct: f64,
    /// Resident memory at its end.
    pub rss_bytes: u64,
    /// Context switches in it; `None` if there are too many threads to ask.
    pub context_switches: Option<u64>,
    /// Threads at its end.
    pub threads: u64,
}

/// What `/proc` says at one moment.
#[derive(Debug, Clone, Copy)]
struct Look {
    at: Instant,
    cpu_ticks: u64,
    rss_bytes: u64,
    threads: u64,
    context_switches: Option<u64>,
}

/// Whether to read what costs a file a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effort {
    Bounded,
    Full,
}

/// Reads a service before, during and at the end of a run.
#[derive(Debug)]
pub struct Meter {
    pid: i32,
    rss_before: u64,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    pids: Vec<i32>,
    looks: Arc<Mutex<Vec<Look>>>,
    /// Dropped to end the thread.
    _end: Sender<()>,
}

impl Meter {
    /// A meter for `pid`, before the first client connects; `None` if there is no such process to read.
    #[must_use]
    pub fn new(pid: i32) -> Option<Self> {
        Some(Self {
            pid,
            rss_before: look(&family(pid), Effort::Bounded)?.rss_bytes,
            running: None,
        })
    }

    /// The run starts.
    pub fn start(&mut self) {
        let pids = family(self.pid);
        let looks = Arc::new(Mutex::new(Vec::from_iter(look(&pids, Effort::Full))));
        let (end, ended) = channel();
        let (watched, kept) = (pids.clone(), Arc::clone(&looks));
        // Without the thread there are still a start and an end.
        let _ = thread::Builder::new()
            .name("load-meter".to_owned())
            .spawn(move || {
                while ended.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                    let Some(look) = look(&watched, Effort::Bounded) else {
                        return;
                    };
                    lock(&kept).push(look);
                }
            });
        self.running = Some(Running {
            pids,
            looks,
            _end: end,
        });
    }

    /// The run has ended: what was used in all and in each second. `None` if the process has gone.
    #[must_use]
    pub fn end(&self, clients: usize) -> Option<(ServerUse, Vec<ServerSecond>)> {
        let running = self.running.as_ref()?;
        let last = look(&running.pids, Effort::Full)?;
        let mut looks = lock(&running.looks).clone();
        let first = *looks.first()?;
        looks.push(last);
        let seconds = looks
            .windows(2)
            .map(|pair| second(first.at, pair[0], pair[1]))
            .collect();
        let whole = second(first.at, first, last);
        let clients = u64::try_from(clients).unwrap_or(u64::MAX).max(1);
        let server = ServerUse {
            cpu_pct: whole.cpu_pct,
            rss_bytes: last.rss_bytes,
            rss_per_client_bytes: last.rss_bytes.saturating_sub(self.rss_before) / clients,
            rss_max_bytes: looks.iter().map(|look| look.rss_bytes).max()?,
            context_switches_per_s: whole
                .context_switches
                .map(|switches| switches as f64 / whole.at_s.max(f64::MIN_POSITIVE)),
            threads: last.threads,
            processes: running.pids.len(),
            shares_cores: shares_cores(self.pid),
        };
        Some((server, seconds))
    }
}

fn lock(looks: &Mutex<Vec<Look>>) -> std::sync::MutexGuard<'_, Vec<Look>> {
    looks.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What was used from one look to the other.
fn second(start: Instant, from: Look, to: Look) -> ServerSecond {
    let elapsed = (to.at - from.at).as_secs_f64().max(f64::MIN_POSITIVE);
    let cpu_seconds = to.cpu_ticks.saturating_sub(from.cpu_ticks) as f64 / TICKS_PER_SECOND;
    let switches = from.context_switches.zip(to.context_switches);
    ServerSecond {
        at_s: (to.at - start).as_secs_f64(),
        cpu_pct: 100.0 * cpu_seconds / elapsed,
        rss_bytes: to.rss_bytes,
        context_switches: switches.map(|(before, after)| after.saturating_sub(before)),
        threads: to.threads,
    }
}

/// Looks at all processes of a service; `None` if the first one has gone.
fn look(pids: &[i32], effort: Effort) -> Option<Look> {
    let mut sum = Look {
        at: Instant::now(),
        cpu_ticks: 0,
        rss_bytes: 0,
        threads: 0,
        context_switches: None,
    };
    for (index, pid) in pids.iter().enumerate() {
        let used = read(*pid, "stat").and_then(|stat| cpu_ticks(&stat));
        let status = read(*pid, "status");
        let rss = status.as_deref().and_then(rss_bytes);
        let (Some(used), Some(rss), Some(status)) = (used, rss, status) else {
            if index == 0 {
                return None;
            }
            continue;
        };
        sum.cpu_ticks += used;
        sum.rss_bytes += rss;
        sum.threads += number_of(&status, "Threads:").unwrap_or(0);
    }
    let is_many = sum.threads > SWITCH_THREADS_LEN_MAX as u64;
    if effort == Effort::Full || !is_many {
        sum.context_switches = pids.iter().map(|pid| context_switches(*pid)).sum();
    }
    Some(sum)
}

/// A process and those that descend from it, itself first.
fn family(pid: i32) -> Vec<i32> {
    let parents: Vec<(i32, i32)> = numbered("/proc")
        .filter_map(|child| Some((child, parent_pid(&read(child, "stat")?)?)))
        .collect();
    let mut family = vec![pid];
    let mut known = 0;
    while known < family.len() && family.len() < PROCESSES_LEN_MAX {
        let parent = family[known];
        let children = parents
            .iter()
            .filter(|(child, of)| *of == parent && *child != parent);
        family.extend(children.map(|(child, _)| *child));
        known += 1;
    }
    family
}

/// Context switches of all threads of a process, wanted and forced.
fn context_switches(pid: i32) -> Option<u64> {
    let switches = numbered(&format!("/proc/{pid}/task")).filter_map(|tid| {
        let status = read(pid, &format!("task/{tid}/status"))?;
        Some(
            number_of(&status, "voluntary_ctxt_switches:")?
                + number_of(&status, "nonvoluntary_ctxt_switches:")?,
        )
    });
    switches.reduce(|one, other| one + other)
}

/// The entries of a folder that are numbers.
fn numbered(folder: &str) -> impl Iterator<Item = i32> + use<> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// Whether a process may run on a core on which this one may run. Unknown is taken for yes.
fn shares_cores(pid: i32) -> bool {
    let cores = |status: Option<String>| status.as_deref().and_then(allowed_cores);
    match (cores(read(pid, "status")), cores(read(own_pid(), "status"))) {
        (Some(theirs), Some(ours)) => theirs.iter().any(|core| ours.contains(core)),
        _ => true,
    }
}

fn own_pid() -> i32 {
    i32::try_from(std::process::id()).unwrap_or(-1)
}

#[expect(
    clippy::disallowed_methods,
    reason = "files of the kernel, read on the generator's own thread outside the run"
)]
fn read(pid: i32, file: &str) -> Option<String> {
    std::fs::read_to_string(format!("/proc/{pid}/{file}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: a living process can be measured; one that does not exist is told apart from one that uses nothing.
    #[test]
    fn meters_this_process() {
        let mut meter = Meter::new(own_pid()).unwrap();
        assert_eq!(meter.end(1), None);
        meter.start();
        let (server, seconds) = meter.end(1).unwrap();
        assert!(server.rss_bytes > 0 && server.threads > 0 && server.shares_cores);
        assert!(server.context_switches_per_s.is_some());
        assert!(server.rss_max_bytes >= server.rss_bytes);
        assert!(!seconds.is_empty());
        assert!(Meter::new(-1).is_none());
    }

    /// Goal: a service of several processes is all of them.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "a killed child ends at once")]
    fn children_belong_to_the_family() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let family = family(own_pid());
        child.kill().unwrap();
        child.wait().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        assert!(family.contains(&pid) && family[0] == own_pid());
    }
}

//! What the service itself uses during a run, read from `/proc` so that the service need not cooperate.

use std::time::Instant;

use serde::Serialize;

/// Ticks per second in `/proc/PID/stat`: fixed at 100 in the interface of every Linux architecture of today, whatever the
/// kernel's own timer does.
const TICKS_PER_SECOND: f64 = 100.0;

/// What the service used.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ServerUse {
    /// CPU time over the run, in percent of one core.
    pub cpu_pct: f64,
    /// Resident memory at the end of the run, with all clients connected.
    pub rss_bytes: u64,
    /// How much of it came with the clients, divided by their number. An upper bound: whatever else grew during the run is
    /// in it.
    pub rss_per_client_bytes: u64,
}

/// Reads one process before, at the start and at the end of a run.
#[derive(Debug)]
pub(crate) struct Meter {
    pid: i32,
    rss_before: u64,
    start: Option<(Instant, u64)>,
}

impl Meter {
    /// A meter for `pid`, before the first client connects; `None` if there is no such process to read.
    pub(crate) fn new(pid: i32) -> Option<Self> {
        Some(Self {
            pid,
            rss_before: rss_bytes(&read(pid, "status")?)?,
            start: None,
        })
    }

    /// The run starts.
    pub(crate) fn start(&mut self) {
        let ticks = read(self.pid, "stat").and_then(|stat| cpu_ticks(&stat));
        self.start = ticks.map(|ticks| (Instant::now(), ticks));
    }

    /// The run has ended; `None` if the process has gone.
    pub(crate) fn end(&self, clients: usize) -> Option<ServerUse> {
        let (started, ticks_before) = self.start?;
        let ticks = cpu_ticks(&read(self.pid, "stat")?)?;
        let rss_bytes = rss_bytes(&read(self.pid, "status")?)?;
        let cpu_seconds = ticks.saturating_sub(ticks_before) as f64 / TICKS_PER_SECOND;
        let clients = u64::try_from(clients).unwrap_or(u64::MAX).max(1);
        Some(ServerUse {
            cpu_pct: 100.0 * cpu_seconds / started.elapsed().as_secs_f64().max(f64::MIN_POSITIVE),
            rss_bytes,
            rss_per_client_bytes: rss_bytes.saturating_sub(self.rss_before) / clients,
        })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "files of the kernel, read on the generator's own thread outside the run"
)]
fn read(pid: i32, file: &str) -> Option<String> {
    std::fs::read_to_string(format!("/proc/{pid}/{file}")).ok()
}

/// User and system time from `/proc/PID/stat`. The program's name may hold spaces and brackets, so fields are counted from
/// the last bracket.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// Resident memory from `/proc/PID/status`.
fn rss_bytes(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the CPU time is found behind any program name.
    #[test]
    fn cpu_ticks_are_found() {
        let rest = "S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 1 0 99";
        for name in ["chat", "a b", "a) S 9 (b"] {
            assert_eq!(
                cpu_ticks(&format!("77 ({name}) {rest}")),
                Some(300),
                "{name}"
            );
        }
        for bad in [
            "",
            "77 (chat",
            "77 (chat) S 1",
            "77 (chat) S 1 2 3 4 5 6 7 8 9 10 x y",
        ] {
            assert_eq!(cpu_ticks(bad), None, "{bad}");
        }
    }

    /// Goal: resident memory is read in bytes; a process without any (a zombie) is not zero but unknown.
    #[test]
    fn rss_is_found() {
        assert_eq!(
            rss_bytes("Name:\tx\nVmRSS:\t   2048 kB\nThreads: 1\n"),
            Some(2_097_152)
        );
        assert_eq!(rss_bytes("Name:\tx\nState:\tZ (zombie)\n"), None);
    }

    /// Goal: a living process can be measured; one that does not exist is told apart from one that uses nothing.
    #[test]
    fn meters_this_process() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let mut meter = Meter::new(pid).unwrap();
        assert_eq!(meter.end(1), None);
        meter.start();
        assert!(meter.end(1).unwrap().rss_bytes > 0);
        assert!(Meter::new(-1).is_none());
    }
}

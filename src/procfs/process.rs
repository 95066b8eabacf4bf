//! What the whole process uses, for the standard `process_*` metrics.

use std::time::Duration;

use super::parse::ticks;

/// Usage of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProcessUsage {
    /// Resident memory in bytes.
    pub(crate) resident_bytes: u64,
    /// Virtual memory in bytes.
    pub(crate) virtual_bytes: u64,
    /// CPU time, user and system.
    pub(crate) cpu: Duration,
    /// Threads.
    pub(crate) threads: u64,
    /// Begin of the process, in clock ticks since boot.
    pub(crate) started_ticks: u64,
}

/// Bytes a page on x86-64 and on usual aarch64 kernels.
const PAGE_BYTES: u64 = 4096;

impl ProcessUsage {
    /// Reads `/proc/self/stat`.
    #[expect(
        clippy::disallowed_methods,
        reason = "procfs does not block; read at scrape time on the admin thread"
    )]
    pub(crate) fn read() -> Option<Self> {
        Self::parse(&std::fs::read_to_string("/proc/self/stat").ok()?)
    }

    /// How long ago the process began.
    #[expect(
        clippy::disallowed_methods,
        reason = "procfs does not block; read at scrape time on the admin thread"
    )]
    pub(crate) fn age(&self) -> Option<Duration> {
        let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
        let uptime: f64 = uptime.split_ascii_whitespace().next()?.parse().ok()?;
        Duration::try_from_secs_f64(uptime)
            .ok()?
            .checked_sub(ticks(self.started_ticks)?)
    }

    /// Parses `/proc/self/stat`; fields numbered as in proc(5).
    pub(super) fn parse(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text
            .get(text.rfind(')')? + 1..)?
            .split_ascii_whitespace()
            .collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        let used = field(14)?.checked_add(field(15)?)?;
        Some(Self {
            resident_bytes: field(24)?.checked_mul(PAGE_BYTES)?,
            virtual_bytes: field(23)?,
            cpu: ticks(used)?,
            threads: field(20)?,
            started_ticks: field(22)?,
        })
    }
}

/// Open file descriptors, the one that looks not counted.
pub(crate) fn open_descriptors() -> Option<u64> {
    let count = std::fs::read_dir("/proc/self/fd").ok()?.count();
    u64::try_from(count).ok()?.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fields come from their places; a cut text gives nothing.
    #[test]
    fn reads_stat() {
        let text = "7 (x) S 1 2 3 4 5 6 7 8 9 10 150 50 13 14 15 16 3 18 900 4096000 250";
        let usage = ProcessUsage::parse(text).unwrap();
        assert_eq!(
            (usage.cpu, usage.threads, usage.started_ticks),
            (Duration::from_secs(2), 3, 900)
        );
        assert_eq!(
            (usage.virtual_bytes, usage.resident_bytes),
            (4_096_000, 250 * 4096)
        );
        assert_eq!(ProcessUsage::parse("7 (x) S 1 2"), None);
    }
}

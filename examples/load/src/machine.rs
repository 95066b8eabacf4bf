//! On what machine a report was made: without that, its figures mean nothing.

use serde::Serialize;

/// The machine and its system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// Operating system and architecture, as `linux x86_64`.
    pub system: String,
    /// Version of the kernel, if it tells.
    pub kernel: Option<String>,
    /// Name of the processor, if the kernel tells.
    pub cpu: Option<String>,
    /// Cores that this process may use.
    pub cores: usize,
    /// How the kernel sets the clock frequency, if it does.
    pub governor: Option<String>,
    /// Memory in bytes, if the kernel tells.
    pub memory_bytes: Option<u64>,
    /// Files and sockets that this process may open, if the kernel tells.
    pub open_files_max: Option<u64>,
    /// The load averages at the end of the run, which tell whether others were at work.
    pub load_average: Option<String>,
}

impl Machine {
    /// This machine. Reads some small files that the kernel answers from memory.
    #[must_use]
    pub fn here() -> Self {
        let line = |path| Some(read(path)?.trim().to_owned());
        Self {
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            kernel: line("/proc/sys/kernel/osrelease"),
            cpu: read("/proc/cpuinfo").and_then(|text| cpu_name(&text)),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            governor: line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            memory_bytes: read("/proc/meminfo").and_then(|text| memory_bytes(&text)),
            open_files_max: open_files_max(),
            load_average: line("/proc/loadavg"),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "files of the kernel, read on the generator's own thread outside the run"
)]
fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// Files and sockets that this process may open; `None` where the kernel does not tell or sets no limit.
pub(crate) fn open_files_max() -> Option<u64> {
    let limits = read("/proc/self/limits")?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn memory_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

fn cpu_name(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo
        .lines()
        .find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the processor's name is found among the rest, and its absence is no error.
    #[test]
    fn cpu_name_is_found() {
        let text = "processor\t: 0\nmodel name\t: Fast CPU @ 2.0GHz\nmodel name\t: other\n";
        assert_eq!(cpu_name(text).as_deref(), Some("Fast CPU @ 2.0GHz"));
        assert_eq!(cpu_name("Hardware : board\n"), None);
    }

    /// Goal: this machine has at least a system and a core.
    #[test]
    fn describes_this_machine() {
        let machine = Machine::here();
        assert!(machine.cores >= 1 && machine.system.contains(' '));
        assert!(machine.memory_bytes > Some(0) && machine.open_files_max > Some(0));
    }
}

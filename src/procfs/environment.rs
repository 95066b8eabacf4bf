//! What the machine did to the process meanwhile: quotas, CPU pressure, stolen time, suspends.
//!
//! A thin reader with kept descriptors, or of a recorded moment. Read only when a poll is suspected or the watchdog was late: a healthy service
//! never pays for it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use super::cgroup::{self, LEVELS_MAX, Quotas};
use super::machine;
use super::parse;
use super::recorded::MachineTexts;
use crate::capture::sys;

/// Bytes read of each file: `cpu.stat` has about ten short lines, of `/proc/stat` only the first line is used.
const TEXT_BYTES_MAX: usize = 1024;

/// What a read of `/proc/stat` may cost: on a machine with hundreds of CPUs the kernel adds up every interrupt line for
/// it, and that is not worth knowing the stolen time.
const STEAL_COST_MAX: Duration = Duration::from_micros(200);
const STEAL_TRIALS: usize = 3;

/// Running totals, for differences. Each is `None` where the kernel does not tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct EnvironmentTotals {
    pub(crate) quotas: Quotas,
    pub(crate) pressure: Option<Duration>,
    pub(crate) steal: Option<Duration>,
    pub(crate) process_cpu: Option<Duration>,
}

/// What was added between two moments. Each is `None` where the kernel does not tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct EnvironmentUse {
    /// Time that a quota kept ready threads off the CPUs: the process's group's, or one of a group around it.
    pub(crate) throttled: Option<Duration>,
    /// Periods of the quota in which it did.
    pub(crate) throttled_periods: Option<u64>,
    /// Time in which some task of the machine waited for a CPU.
    pub(crate) pressure: Option<Duration>,
    /// Time of all CPUs that the hypervisor gave to others.
    pub(crate) steal: Option<Duration>,
    /// CPU time of the whole process.
    pub(crate) process_cpu: Option<Duration>,
}

impl EnvironmentTotals {
    /// What was added since `base`.
    pub(crate) fn since(self, base: Self) -> EnvironmentUse {
        let difference =
            |now: Option<Duration>, base: Option<Duration>| Some(now?.saturating_sub(base?));
        let throttling = self.quotas.since(&base.quotas);
        EnvironmentUse {
            throttled: throttling.map(|throttling| throttling.time),
            throttled_periods: throttling.map(|throttling| throttling.periods),
            pressure: difference(self.pressure, base.pressure),
            steal: difference(self.steal, base.steal),
            process_cpu: difference(self.process_cpu, base.process_cpu),
        }
    }
}

/// Where the totals are read.
#[derive(Debug)]
pub(crate) struct Environment {
    source: Source,
}

#[derive(Debug)]
enum Source {
    Kernel {
        files: KernelFiles,
        clock: fn() -> Duration,
    },
    Recorded(Box<MachineTexts>),
}

/// The kept descriptors.
#[derive(Debug)]
struct KernelFiles {
    /// Of the process's control group and of those around it.
    cpu_stats: Vec<File>,
    pressure: Option<File>,
    stat: Option<File>,
}

impl Environment {
    /// Opens what there is; `clock` tells the time of every reading.
    #[expect(
        clippy::disallowed_methods,
        reason = "procfs, on the watchdog's own thread or once before it starts"
    )]
    pub(crate) fn open(clock: fn() -> Duration) -> Self {
        let cgroup = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let files = KernelFiles {
            cpu_stats: cgroup::cpu_stat_paths(&cgroup)
                .iter()
                .filter_map(|path| File::open(path).ok())
                .take(LEVELS_MAX)
                .collect(),
            pressure: File::open("/proc/pressure/cpu").ok(),
            stat: File::open("/proc/stat").ok().filter(is_cheap),
        };
        Self {
            source: Source::Kernel { files, clock },
        }
    }

    /// The totals of one moment.
    pub(crate) fn recorded(texts: MachineTexts) -> Self {
        Self {
            source: Source::Recorded(Box::new(texts)),
        }
    }

    /// The time now.
    pub(crate) fn now(&self) -> Duration {
        match &self.source {
            Source::Kernel { clock, .. } => clock(),
            Source::Recorded(texts) => texts.now,
        }
    }

    /// The totals now. Two reads and one for each control group, about 20 µs, most of it for `/proc/stat`.
    pub(crate) fn totals(&self) -> EnvironmentTotals {
        EnvironmentTotals {
            quotas: self.quotas(),
            pressure: self.pressure(),
            steal: self.steal(),
            process_cpu: self.process_cpu(),
        }
    }

    /// What quotas have done so far. One read for each control group.
    pub(crate) fn quotas(&self) -> Quotas {
        match &self.source {
            Source::Kernel { files, .. } => Quotas::new(
                files
                    .cpu_stats
                    .iter()
                    .map(|file| cgroup::throttling(&text(Some(file))?)),
            ),
            Source::Recorded(texts) => {
                let recorded = texts.cpu_stat.iter();
                Quotas::new(recorded.map(|text| cgroup::throttling(text)))
            }
        }
    }

    fn pressure(&self) -> Option<Duration> {
        match &self.source {
            Source::Kernel { files, .. } => machine::pressure(&text(files.pressure.as_ref())?),
            Source::Recorded(texts) => machine::pressure(texts.pressure.as_ref()?),
        }
    }

    /// Time stolen so far. One read.
    pub(crate) fn steal(&self) -> Option<Duration> {
        match &self.source {
            Source::Kernel { files, .. } => machine::steal(&text(files.stat.as_ref())?),
            Source::Recorded(texts) => machine::steal(texts.stat.as_ref()?),
        }
    }

    /// Time that the machine was suspended since its boot. Under a microsecond.
    pub(crate) fn suspended(&self) -> Option<Duration> {
        match &self.source {
            Source::Kernel { .. } => sys::suspended_time(),
            Source::Recorded(texts) => texts.suspended,
        }
    }

    /// CPU time of the whole process. Under a microsecond.
    pub(crate) fn process_cpu(&self) -> Option<Duration> {
        match &self.source {
            Source::Kernel { .. } => sys::process_cpu_time(),
            Source::Recorded(texts) => texts.process_cpu,
        }
    }

    /// The process that traces this one, such as a debugger; `None` without one.
    #[expect(
        clippy::disallowed_methods,
        reason = "procfs, on the watchdog's own thread"
    )]
    pub(crate) fn tracer(&self) -> Option<u64> {
        let status = match &self.source {
            Source::Kernel { .. } => std::fs::read_to_string("/proc/self/status").ok(),
            Source::Recorded(texts) => texts.status.clone(),
        };
        parse::tracer(&status?).filter(|tracer| *tracer != 0)
    }
}

fn is_cheap(stat: &File) -> bool {
    // The best of a few: one may have lost its CPU meanwhile.
    (0..STEAL_TRIALS).any(|_| {
        let began = Instant::now();
        text(Some(stat)).is_some() && began.elapsed() < STEAL_COST_MAX
    })
}

fn text(file: Option<&File>) -> Option<String> {
    let mut bytes = [0; TEXT_BYTES_MAX];
    let len = file?.read_at(&mut bytes, 0).ok()?;
    Some(String::from_utf8_lossy(bytes.get(..len)?).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Differences are taken value by value; what was not known at both ends stays unknown, and nothing runs backwards.
    #[test]
    fn differences() {
        let ms = Duration::from_millis;
        let base = EnvironmentTotals {
            quotas: Quotas::default(),
            pressure: Some(ms(9)),
            steal: Some(ms(1)),
            process_cpu: Some(ms(100)),
        };
        let now = EnvironmentTotals {
            quotas: Quotas::default(),
            pressure: Some(ms(8)),
            steal: None,
            process_cpu: Some(ms(150)),
        };
        let expected = EnvironmentUse {
            throttled: None,
            throttled_periods: None,
            pressure: Some(ms(0)),
            steal: None,
            process_cpu: Some(ms(50)),
        };
        assert_eq!(now.since(base), expected);
    }

    /// The totals of this machine can be asked twice and do not run backwards.
    // The twin without capture cannot ask the system.
    #[cfg(not(pollscope_no_capture))]
    #[test]
    fn totals_grow() {
        let environment = Environment::open(|| Duration::ZERO);
        let (first, second) = (environment.totals(), environment.totals());
        assert!(second.pressure >= first.pressure && second.steal >= first.steal);
        assert!(environment.suspended() >= Some(Duration::ZERO));
        assert!(environment.process_cpu() > None);
        assert_eq!(environment.tracer(), None, "nobody debugs the tests");
    }
}

//! The catalogue: what each fault is, and the finding that must appear when it is on.

use std::io;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Serialize;

use crate::point::Point;
use crate::{block_cpu, block_sleep, blocking_fs, std_mutex, task_leak, unbounded_queue};

/// Every fault there is, blocking ones first.
pub static CATALOGUE: [&Fault; 6] = [
    &block_sleep::FAULT,
    &block_cpu::FAULT,
    &std_mutex::FAULT,
    &blocking_fs::FAULT,
    &unbounded_queue::FAULT,
    &task_leak::FAULT,
];

/// One fault: symptom, mechanism, where it acts, and what must be found.
#[derive(Debug, Serialize)]
pub struct Fault {
    /// The name it is switched by.
    pub name: &'static str,
    /// What users and operators notice.
    pub symptom: &'static str,
    /// What the code does wrong.
    pub mechanism: &'static str,
    /// Where in a service it acts.
    pub point: Point,
    /// What an observer must find.
    pub finding: Finding,
    /// Blocks the calling thread for at least the given time and returns how long it was; `None` for faults that do not
    /// block.
    #[serde(skip)]
    pub(crate) block: Option<Block>,
}

/// Blocks the calling thread for at least the given time and says how long it was.
pub(crate) type Block = fn(Duration) -> io::Result<Duration>;

impl Fault {
    /// The fault of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        CATALOGUE.into_iter().find(|fault| fault.name == name)
    }

    /// Whether it blocks a worker, so that it takes a duration and its finding is a stall.
    #[must_use]
    pub const fn is_blocking(&self) -> bool {
        self.block.is_some()
    }
}

/// What an observer must find while a fault is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum Finding {
    /// A stalled worker with this verdict, whose innermost own frame stands on one of these lines.
    Stall {
        /// `cpu-user`, `sleep`, `lock-wait` or `pipe`.
        verdict: &'static str,
        /// Path as the compiler recorded it, relative to the workspace: compare with the end of a reported path.
        file: &'static str,
        /// Lines, from 1: one line for a blocking call, a range for a loop.
        lines: RangeInclusive<u32>,
    },
    /// Metrics that rise, each in the services that have it.
    Metric {
        /// Prometheus names.
        names: &'static [&'static str],
    },
}

impl Finding {
    /// Whether a reported verdict and source line are this finding.
    #[must_use]
    pub fn is_stall_at(&self, verdict: &str, file: &str, line: u32) -> bool {
        match self {
            Self::Stall {
                verdict: expected,
                file: suffix,
                lines,
            } => *expected == verdict && file.ends_with(suffix) && lines.contains(&line),
            Self::Metric { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCKING: [(&str, &str, &str); 4] = [
        ("block-sleep", "sleep", "examples/faults/src/block_sleep.rs"),
        ("block-cpu", "cpu-user", "examples/faults/src/block_cpu.rs"),
        ("std-mutex", "lock-wait", "examples/faults/src/std_mutex.rs"),
        ("blocking-fs", "pipe", "examples/faults/src/blocking_fs.rs"),
    ];

    /// Goal: the catalogue has every fault of the plan, each completely described.
    #[test]
    fn catalogue_is_complete() {
        let names: Vec<_> = CATALOGUE.iter().map(|fault| fault.name).collect();
        assert_eq!(
            names,
            [
                "block-sleep",
                "block-cpu",
                "std-mutex",
                "blocking-fs",
                "unbounded-queue",
                "task-leak"
            ]
        );
        for fault in CATALOGUE {
            assert!(fault.symptom.len() > 20, "{}", fault.name);
            assert!(fault.mechanism.len() > 20, "{}", fault.name);
            assert!(std::ptr::eq(Fault::named(fault.name).unwrap(), fault));
        }
        assert!(Fault::named("block_sleep").is_none());
    }

    /// Goal: each blocking fault names its verdict and its own file, and counts as found there only.
    #[test]
    fn stalls_name_verdict_and_file() {
        for (name, verdict, path) in BLOCKING {
            let fault = Fault::named(name).unwrap();
            assert!(fault.is_blocking());
            let Finding::Stall {
                verdict: found,
                file,
                lines,
            } = &fault.finding
            else {
                panic!("{name} must be found as a stall");
            };
            assert_eq!(*found, verdict);
            assert!(file.ends_with(path), "{file}");
            let reported = format!("/build/{path}");
            assert!(
                fault
                    .finding
                    .is_stall_at(verdict, &reported, *lines.start())
            );
            assert!(
                !fault
                    .finding
                    .is_stall_at("starved", &reported, *lines.start())
            );
            assert!(
                !fault
                    .finding
                    .is_stall_at(verdict, &reported, lines.end() + 1)
            );
            assert!(
                !fault
                    .finding
                    .is_stall_at(verdict, "src/other.rs", *lines.start())
            );
        }
    }

    /// Goal: the faults that do not block name at least one metric each.
    #[test]
    fn others_name_metrics() {
        for name in ["unbounded-queue", "task-leak"] {
            let fault = Fault::named(name).unwrap();
            assert!(!fault.is_blocking());
            let Finding::Metric { names } = &fault.finding else {
                panic!("{name} must be found by a metric");
            };
            assert!(!names.is_empty());
        }
    }

    /// Goal: the JSON that scripts read keeps its shape.
    #[test]
    fn json_shape_is_kept() {
        let json = serde_json::to_value(Fault::named("block-sleep").unwrap()).unwrap();
        assert_eq!(json["name"], "block-sleep");
        assert_eq!(json["point"], "handler");
        assert_eq!(json["finding"]["kind"], "stall");
        assert_eq!(
            json["finding"]["lines"]["start"],
            json["finding"]["lines"]["end"]
        );
        let json = serde_json::to_value(Fault::named("task-leak").unwrap()).unwrap();
        assert_eq!(json["finding"]["names"][0], "tokio_alive_tasks");
    }
}

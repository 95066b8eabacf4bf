//! The catalogue: what each fault is, and the finding that must appear when it is on.

use std::io;
use std::time::Duration;

use serde::Serialize;

use crate::finding::Finding;
use crate::parameter::Parameters;
use crate::point::Point;
use crate::{
    await_in_fanout, block_cpu, block_sleep, blocking_fs, blocking_pool, fd_exhausted, giant_room,
    lock_across_await, panic_detached, reconnect_storm, std_mutex, task_leak, timer_storm,
    unbounded_queue,
};

/// Every fault there is: those that block a worker first, then those that make tasks wait, then the rest.
pub static CATALOGUE: [&Fault; 14] = [
    &block_sleep::FAULT,
    &block_cpu::FAULT,
    &std_mutex::FAULT,
    &blocking_fs::FAULT,
    &giant_room::FAULT,
    &blocking_pool::FAULT,
    &lock_across_await::FAULT,
    &await_in_fanout::FAULT,
    &unbounded_queue::FAULT,
    &task_leak::FAULT,
    &panic_detached::FAULT,
    &reconnect_storm::FAULT,
    &timer_storm::FAULT,
    &fd_exhausted::FAULT,
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
    /// What can be set when it is switched on.
    pub parameters: Parameters,
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

    /// Whether this is `other`.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.name == other.name
    }

    /// Whether it blocks a worker, so that it takes a duration and its finding is a stall.
    #[must_use]
    pub const fn is_blocking(&self) -> bool {
        self.block.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCKING: [(&str, &str, &str); 5] = [
        ("block-sleep", "sleep", "examples/faults/src/block_sleep.rs"),
        ("block-cpu", "cpu-user", "examples/faults/src/block_cpu.rs"),
        ("std-mutex", "lock-wait", "examples/faults/src/std_mutex.rs"),
        ("blocking-fs", "pipe", "examples/faults/src/blocking_fs.rs"),
        (
            "giant-room",
            "cpu-user",
            "examples/faults/src/giant_room.rs",
        ),
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
                "giant-room",
                "blocking-pool-exhausted",
                "lock-across-await",
                "await-in-fanout",
                "unbounded-queue",
                "task-leak",
                "panic-detached",
                "reconnect-storm",
                "timer-storm",
                "fd-exhausted",
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

    /// Goal: a fault is found as a stall if, and only if, it blocks.
    #[test]
    fn only_stalls_block() {
        for fault in CATALOGUE {
            let is_stall = matches!(fault.finding, Finding::Stall { .. });
            assert_eq!(fault.is_blocking(), is_stall, "{}", fault.name);
        }
    }

    /// Goal: whoever reads about the faults reads about each of them, with its parameters as they are.
    #[test]
    fn readme_has_every_fault() {
        let readme = include_str!("../README.md");
        for fault in CATALOGUE {
            let row = readme
                .lines()
                .find(|line| line.starts_with(&format!("| `{}` |", fault.name)))
                .unwrap_or_else(|| panic!("{} has no row in README.md", fault.name));
            assert!(row.contains(&format!("`{}`", fault.point.name())), "{row}");
            for (name, parameter) in fault.parameters.iter() {
                let bounds = &parameter.bounds;
                let text = format!(
                    "`{name}` {} ({} to {})",
                    parameter.default,
                    bounds.start(),
                    bounds.end()
                );
                assert!(row.contains(&text), "expected {text} in {row}");
            }
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
        let json = serde_json::to_value(Fault::named("blocking-pool-exhausted").unwrap()).unwrap();
        assert_eq!(json["finding"]["condition"], "blocking-pool-exhausted");
        assert_eq!(json["parameters"]["count"]["default"], 600);
        assert_eq!(json["parameters"]["count"]["bounds"]["end"], 1024);
        assert!(json["parameters"].get("pause_ms").is_none());
    }
}

//! Acts: every way a task can hold its worker, one family a file, for drills that check an observer.
//!
//! A fault is switched on in a service and limps; an act is called once, by a program that knows exactly when it began and
//! ended, so that what an observer says can be held against the truth. The line that must be blamed carries a comment
//! `act: NAME` at its end, or the lines lie between `act begins: NAME` and `act ends: NAME`; [`place`] reads them from the
//! sources, so a line number cannot go stale.
//!
//! Like the faults, acts must not know the toolkit that observes them.

mod backtrace;
mod contention;
mod cpu;
mod file;
mod foreign;
mod kernel;
mod lock;
mod mixed;
mod pipe;
mod process;
mod sleep;
mod socket;

pub use cpu::thread_cpu;

use std::io;
use std::ops::RangeInclusive;
use std::time::Duration;

/// One way to hold a worker.
#[derive(Debug)]
pub struct Act {
    /// The name that scenarios use.
    pub name: &'static str,
    /// What must be made before, off the worker; blocks for about as long as the act.
    pub prepare: Option<fn(Duration)>,
    /// Holds the calling thread and says for how long.
    pub run: fn(&Call) -> io::Result<Duration>,
}

/// One call of an act.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// How long to hold the thread; acts that end with a disk or a computation take about that long.
    pub duration: Duration,
    /// Which of several tasks that act together this is, from 0.
    pub index: usize,
}

/// Every act there is.
pub static ACTS: [&[Act]; 12] = [
    backtrace::ACTS,
    contention::ACTS,
    cpu::ACTS,
    file::ACTS,
    foreign::ACTS,
    kernel::ACTS,
    lock::ACTS,
    mixed::ACTS,
    pipe::ACTS,
    process::ACTS,
    sleep::ACTS,
    socket::ACTS,
];

/// The sources that carry marks, with the paths that the compiler records for them.
const SOURCES: [(&str, &str); 12] = [
    (backtrace::FILE, include_str!("backtrace.rs")),
    (contention::FILE, include_str!("contention.rs")),
    (cpu::FILE, include_str!("cpu.rs")),
    (file::FILE, include_str!("file.rs")),
    (foreign::FILE, include_str!("foreign.rs")),
    (kernel::FILE, include_str!("kernel.rs")),
    (lock::FILE, include_str!("lock.rs")),
    (mixed::FILE, include_str!("mixed.rs")),
    (pipe::FILE, include_str!("pipe.rs")),
    (process::FILE, include_str!("process.rs")),
    (sleep::FILE, include_str!("sleep.rs")),
    (socket::FILE, include_str!("socket.rs")),
];

impl Act {
    /// The act of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        ACTS.into_iter().flatten().find(|act| act.name == name)
    }
}

/// Lines of a source file that an observer must blame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Path as the compiler recorded it, relative to the workspace: compare with the end of a reported path.
    pub file: &'static str,
    /// Lines, from 1.
    pub lines: RangeInclusive<u32>,
}

impl Place {
    /// Whether a reported line is here.
    #[must_use]
    pub fn holds(&self, file: &str, line: u32) -> bool {
        file.ends_with(self.file) && self.lines.contains(&line)
    }
}

/// The place marked with this name.
#[must_use]
pub fn place(name: &str) -> Option<Place> {
    SOURCES.into_iter().find_map(|(file, source)| {
        let marked = |mark: &str| line_of(source, &format!("// {mark}: {name}"));
        let lines = match (marked("act"), marked("act begins"), marked("act ends")) {
            (Some(line), _, _) => line..=line,
            (None, Some(begins), Some(ends)) => begins + 1..=ends - 1,
            _ => return None,
        };
        Some(Place { file, lines })
    })
}

fn line_of(source: &str, mark: &str) -> Option<u32> {
    let at = source.lines().position(|line| line.ends_with(mark))?;
    u32::try_from(at + 1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: every mark is found in one place only, and points at code.
    #[test]
    fn marks_are_unique() {
        let mut names = Vec::new();
        for (_, source) in SOURCES {
            for line in source.lines() {
                let mark = ["// act: ", "// act begins: "]
                    .iter()
                    .find_map(|mark| line.split_once(mark));
                names.extend(mark.map(|(_, name)| name.to_owned()));
            }
        }
        assert!(names.len() > 20, "{names:?}");
        for name in &names {
            assert_eq!(
                names.iter().filter(|other| *other == name).count(),
                1,
                "{name}"
            );
            let place = place(name).unwrap_or_else(|| panic!("{name} has no end"));
            assert!(place.lines.start() <= place.lines.end(), "{name}");
            assert!(place.holds(&format!("/build/{}", place.file), *place.lines.start()));
        }
        assert_eq!(place("nowhere"), None);
    }

    /// Goal: names are unique, and each act that can act alone does so for about as long as it was told, without an error.
    #[test]
    fn acts_act() {
        let names: Vec<_> = ACTS.into_iter().flatten().map(|act| act.name).collect();
        for name in &names {
            assert_eq!(
                names.iter().filter(|other| *other == name).count(),
                1,
                "{name}"
            );
        }
        let duration = Duration::from_millis(30);
        for act in ACTS.into_iter().flatten() {
            if act.name.starts_with("endless") {
                continue;
            }
            if let Some(prepare) = act.prepare {
                prepare(duration);
            }
            let call = Call { duration, index: 0 };
            let took = (act.run)(&call).unwrap_or_else(|error| panic!("{}: {error}", act.name));
            assert!(took >= duration / 2, "{} took {took:?}", act.name);
        }
    }
}

//! `panic-detached`: the task of a connection panics, and nobody awaits its handle.
//!
//! Symptom: now and then a client is gone without a word; the service runs on and logs nothing of its own.
//! Mechanism: a panic ends the task only, and the handle that would tell of it was dropped when the task was spawned.
//! Finding: the connection is counted as closed by a panic. (An observer that watches the service's spawns may tell where
//! the task was spawned, too.)
//!
//! One connection for each pause, whichever comes first.

use crate::fault::Fault;
use crate::finding::Finding;
use crate::parameter::{Parameter, Parameters};
use crate::point::Point;

/// The fault as the catalogue shows it.
pub static FAULT: Fault = Fault {
    name: "panic-detached",
    symptom: "now and then a client is gone without a word, while the service runs on",
    mechanism: "a spawned task panics and nobody awaits its handle, so nobody is told",
    point: Point::Connection,
    parameters: Parameters {
        duration_ms: None,
        pause_ms: Some(Parameter::new(
            10_000,
            1000..=3_600_000,
            "long it rests before the next panic",
        )),
        count: None,
    },
    finding: Finding::Metric {
        names: &["chat_connections_closed_total{reason=\"panic\"}"],
        by: 1,
    },
    block: None,
};

/// Panics in the calling task.
///
/// # Panics
///
/// Always.
#[inline(never)]
pub fn panic_in_task() -> ! {
    panic!("the fault panic-detached is on: a task panics and nobody awaits its handle")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the panic says that it was made on purpose.
    #[test]
    #[should_panic(expected = "the fault panic-detached is on")]
    fn names_itself() {
        panic_in_task();
    }
}

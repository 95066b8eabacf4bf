//! What the whole machine says about its CPUs: time stolen by the hypervisor, and CPU pressure; PURE.
//!
//! Formats: proc(5) for `/proc/stat`, the kernel's PSI documentation for `/proc/pressure/cpu`.

use std::time::Duration;

use super::parse::ticks;

/// Number of the steal field in the first line of `/proc/stat`, after the word `cpu`.
const STEAL_FIELD: usize = 7;

/// Time, over all CPUs, in which the hypervisor ran somebody else; from `/proc/stat`.
pub(super) fn steal(text: &str) -> Option<Duration> {
    let line = text.lines().next()?.strip_prefix("cpu ")?;
    let stolen = line.split_ascii_whitespace().nth(STEAL_FIELD)?;
    ticks(stolen.parse().ok()?)
}

/// Time in which some task of the machine was ready and waited for a CPU; from `/proc/pressure/cpu`.
pub(super) fn pressure(text: &str) -> Option<Duration> {
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    let total = some
        .split_ascii_whitespace()
        .find_map(|field| field.strip_prefix("total="))?;
    Some(Duration::from_micros(total.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The eighth counter of the first line is the stolen time.
    #[test]
    fn reads_steal() {
        let text = "cpu  39957 0 8140 51978 355 0 41 27 0 0\ncpu0 1 2 3 4 5 6 7 9999 9 10\n";
        assert_eq!(steal(text), Some(Duration::from_millis(270)));
        for cut in [
            "",
            "cpu",
            "cpu  1 2 3",
            "cpu0 1 2 3 4 5 6 7 8 9 10",
            "cpu  1 2 3 4 5 6 7 x",
            "cpu  1 2 3 4 5 6 7 -1",
            "cpu  1 2 3 4 5 6 7 99999999999999999999",
        ] {
            assert_eq!(steal(cut), None, "{cut:?}");
        }
    }

    /// The total of the `some` line, not that of `full`.
    #[test]
    fn reads_pressure() {
        let text =
            "some avg10=0.89 avg60=2.83 avg300=10.70 total=80005691\nfull avg10=0.00 total=7\n";
        assert_eq!(pressure(text), Some(Duration::from_micros(80_005_691)));
        for cut in [
            "",
            "some",
            "some avg10=0.89",
            "full total=7",
            "some total=",
            "some total=-1",
        ] {
            assert_eq!(pressure(cut), None, "{cut:?}");
        }
    }
}

//! Which mapping of this process an address lies in: the stack of a thread that pollscope did not start.

use std::io::{BufRead, BufReader};
use std::ops::Range;

/// Lines looked at: the kernel's own limit of mappings is 65,530 unless somebody raised it.
const LINES_MAX: usize = 65_536;

/// The mapping that holds `address`. Reads `/proc/self/maps` up to it: 10 µs to a few milliseconds.
#[expect(
    clippy::disallowed_methods,
    reason = "procfs, on the watchdog's own thread"
)]
pub(crate) fn mapping_of(address: u64) -> Option<Range<u64>> {
    let maps = std::fs::File::open("/proc/self/maps").ok()?;
    BufReader::new(maps)
        .lines()
        .take(LINES_MAX)
        .map_while(Result::ok)
        .filter_map(|line| range(&line))
        .find(|mapping| mapping.contains(&address))
}

/// The addresses of one line, proc_pid_maps(5).
pub(super) fn range(line: &str) -> Option<Range<u64>> {
    let (start, end) = line.split_ascii_whitespace().next()?.split_once('-')?;
    let address = |text| u64::from_str_radix(text, 16).ok();
    Some(address(start)?..address(end)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line gives its addresses, anything else nothing.
    #[test]
    fn reads_lines() {
        let line = "7ffd1000-7ffd3000 rw-p 00000000 00:00 0 [stack]";
        assert_eq!(range(line), Some(0x7ffd_1000..0x7ffd_3000));
        for cut in ["", "7ffd1000", "7ffd1000-", "x-y rw-p", "-"] {
            assert_eq!(range(cut), None, "{cut:?}");
        }
    }

    /// This thread's stack is found by the address of a local.
    #[test]
    fn finds_a_stack() {
        let local = 0_u8;
        let address = std::ptr::from_ref(&local).expose_provenance() as u64;
        let mapping = mapping_of(address).unwrap();
        assert!(mapping.contains(&address));
        assert_eq!(mapping_of(8), None);
    }
}

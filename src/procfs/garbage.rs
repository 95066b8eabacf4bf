//! Every parser of the room on one input, for the fuzz targets and their driver.
//!
//! The kernel does not write garbage; sandboxes, other kernels and cut reads do. What a parser makes of it does not matter
//! here, only that it neither panics nor invents what it cannot know.

use super::{cgroup, descriptor, machine, mapping, parse, process, socket_address};

/// Hands `data` to every parser.
///
/// # Panics
///
/// When a parser panics, or gives more than the text can hold.
pub(crate) fn parse_all(data: &[u8]) {
    let text = &*String::from_utf8_lossy(data);
    let call = parse::syscall(text);
    // A system call is told only by a line of its nine fields.
    if let Some(parse::SyscallState::Blocked(_)) = call {
        assert_eq!(text.split_ascii_whitespace().count(), 9, "{text:?}");
    }
    if let Some(name) = parse::stat_name(text) {
        assert!(text.contains(name));
    }
    let numbers = text.split_ascii_whitespace().count();
    let watched = parse::watched_descriptors(text).count();
    assert!(watched <= numbers, "{watched} descriptors in {text:?}");
    std::hint::black_box((
        parse::stat(text),
        parse::schedstat(text),
        parse::switches(text),
        parse::tracer(text),
        parse::open_flags(text),
    ));
    std::hint::black_box((
        cgroup::cpu_stat_paths(text),
        cgroup::throttling(text),
        machine::steal(text),
        machine::pressure(text),
        process::ProcessUsage::parse(text),
    ));
    std::hint::black_box((
        text.lines().filter_map(mapping::range).count(),
        descriptor::kind_of(text),
        descriptor::in_words(text.to_owned()),
        socket_address::address(data),
    ));
}

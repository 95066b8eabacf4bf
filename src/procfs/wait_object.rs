//! What a blocked system call waits for, in words: the file behind a descriptor, a futex address.

use super::parse::BlockedCall;
use super::syscall_names::syscall_name;

/// System calls whose first argument is a file descriptor.
const ON_DESCRIPTOR: &[i64] = &[
    0, 1, 17, 18, 19, 20, 42, 43, 44, 45, 46, 47, 72, 73, 74, 75, 77, 232, 277, 281, 288, 295, 296,
    441,
];

const FUTEX: i64 = 202;

/// The object, such as `read of /tmp/data (fd 7)` or `futex 0x55d0c0de`.
pub(crate) fn wait_object(call: &BlockedCall) -> Option<String> {
    let first = call.arguments[0];
    if call.number == FUTEX {
        return Some(format!("futex {first:#x}"));
    }
    ON_DESCRIPTOR.contains(&call.number).then_some(())?;
    let target = std::fs::read_link(format!("/proc/self/fd/{first}")).ok()?;
    Some(format!(
        "{} of {} (fd {first})",
        syscall_name(call.number),
        target.display()
    ))
}

//! Whether a parked worker waits in the driver, read from its system call without a signal.

use crate::procfs::{SyscallState, ThreadFiles, syscall_name};
use crate::runtime::slots::SlotView;

/// The system call of a worker that waits to be woken by another one; every other call is taken for the driver.
const WAITS_FOR_OTHERS: &str = "futex";

/// Whether some parked thread of these waits in the driver, or may do so for all that can be read: a worker whose system
/// call is hidden must not make a finding.
pub(crate) fn is_attended(views: &[&SlotView]) -> bool {
    views
        .iter()
        .filter(|view| view.parked && !view.in_poll())
        .any(|view| match ThreadFiles::open(view.tid).syscall() {
            Some(SyscallState::Blocked(call)) => syscall_name(call.number) != WAITS_FOR_OTHERS,
            // On its way into or out of the driver.
            Some(SyscallState::Running | SyscallState::Outside { .. }) | None => true,
        })
}

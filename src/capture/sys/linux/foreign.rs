//! Test aid: runs Rust code below frames of the C library, and waits in a call that the standard library has not.

use std::cell::RefCell;
use std::ffi::{c_int, c_void};
use std::os::fd::{AsRawFd, BorrowedFd};

thread_local! {
    static BODY: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
}

/// Runs `body` as the comparison of `qsort`, whose frames are the C library's, without frame pointers.
pub(crate) fn in_foreign_callback(body: impl FnOnce() + 'static) {
    BODY.set(Some(Box::new(body)));
    let mut numbers = [2_u64, 1];
    // SAFETY: `numbers` has as many elements of that size as told, and `compare` reads none of them.
    unsafe {
        libc::qsort(
            numbers.as_mut_ptr().cast(),
            numbers.len(),
            size_of::<u64>(),
            Some(compare),
        );
    };
}

/// Waits for the lock on a file (`flock`) and takes it; whether it did.
pub(crate) fn lock_file(file: BorrowedFd<'_>) -> bool {
    // SAFETY: flock takes two integers, and the descriptor is open while it is borrowed.
    unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX) == 0 }
}

extern "C" fn compare(_: *const c_void, _: *const c_void) -> c_int {
    if let Some(body) = BODY.take() {
        body();
    }
    0
}

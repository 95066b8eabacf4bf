//! What the kernel and the C library say about single threads and sockets of this process.

use std::mem::MaybeUninit;
use std::ops::Range;
use std::time::Duration;

use crate::capture::sys::ThreadWaits;

/// Kernel id of the calling thread. Signal-safe.
pub(crate) fn current_tid() -> i32 {
    // SAFETY: gettid takes nothing and cannot fail.
    unsafe { libc::gettid() }
}

/// The calling thread's stack: up to its thread-local storage and descriptor, on the main thread up to the program's
/// arguments. Allocates; reads `/proc/self/maps` on the main thread.
pub(crate) fn thread_stack() -> Option<Range<u64>> {
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: pthread_self has no preconditions.
    let this = unsafe { libc::pthread_self() };
    // SAFETY: `this` is alive (it is the caller) and `attributes` is a place for the result.
    let status = unsafe { libc::pthread_getattr_np(this, attributes.as_mut_ptr()) };
    if status != 0 {
        return None;
    }
    let (mut low, mut size) = (std::ptr::null_mut(), 0_usize);
    // SAFETY: pthread_getattr_np succeeded, so `attributes` is initialised.
    let status =
        unsafe { libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut low, &raw mut size) };
    // SAFETY: initialised above and not used afterwards.
    unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
    let range = low.addr() as u64..(low.addr() + size) as u64;
    (status == 0).then(|| match arguments() {
        Some(arguments) if range.contains(&arguments) => range.start..arguments,
        _ => range,
    })
}

/// Where the kernel put random bytes for the program, if this is the main thread: just above the vectors of arguments,
/// environment and auxiliary values, from which the thread's start is not far, and below their texts.
fn arguments() -> Option<u64> {
    (std::process::id().cast_signed() == current_tid()).then_some(())?;
    // SAFETY: getauxval has no preconditions; it gives 0 for a value that is not there.
    let random = unsafe { libc::getauxval(libc::AT_RANDOM) };
    (random != 0).then_some(random)
}

/// CPU time that thread `tid` of this process has used. A quarter of a microsecond.
pub(crate) fn thread_cpu_time(tid: i32) -> Option<Duration> {
    /// Bits of a per-thread scheduler clock id: CPUCLOCK_SCHED (2) with CPUCLOCK_PERTHREAD_MASK (4), as
    /// `pthread_getcpuclockid` builds them; from the thread id alone, so no dead `pthread_t` is ever touched.
    const THREAD_CLOCK: i32 = 0b110;
    // An id of a thread that is gone is refused by the kernel.
    clock((!tid << 3) | THREAD_CLOCK)
}

/// CPU time that the whole process has used.
pub(crate) fn process_cpu_time() -> Option<Duration> {
    clock(libc::CLOCK_PROCESS_CPUTIME_ID)
}

/// Time that the machine was suspended since its boot: only one of the two clocks goes on in a suspend.
pub(crate) fn suspended_time() -> Option<Duration> {
    /// The clocks are read one after the other; a thread that lost its CPU between them would see a suspend.
    const READ_MAX: Duration = Duration::from_millis(1);
    const ATTEMPTS_MAX: usize = 4;
    for _ in 0..ATTEMPTS_MAX {
        let before = clock(libc::CLOCK_MONOTONIC)?;
        let since_boot = clock(libc::CLOCK_BOOTTIME)?;
        let after = clock(libc::CLOCK_MONOTONIC)?;
        if after.saturating_sub(before) <= READ_MAX {
            return Some(since_boot.saturating_sub(after));
        }
    }
    None
}

/// What the kernel has counted for the calling thread. Under half a microsecond.
pub(crate) fn own_waits() -> Option<ThreadWaits> {
    let mut usage = MaybeUninit::<libc::rusage>::uninit();
    // SAFETY: `usage` is a place for one `rusage`; RUSAGE_THREAD asks for the caller only.
    let status = unsafe { libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr()) };
    if status != 0 {
        return None;
    }
    // SAFETY: the call succeeded and filled it.
    let usage = unsafe { usage.assume_init() };
    Some(ThreadWaits {
        voluntary_switches: u64::try_from(usage.ru_nvcsw).ok()?,
        major_faults: u64::try_from(usage.ru_majflt).ok()?,
    })
}

/// The raw address of a socket's peer; `None` for what is no connected socket.
pub(crate) fn peer_of(descriptor: i32) -> Option<Vec<u8>> {
    /// Bytes of the largest address, that of a Unix socket, and some.
    const ADDRESS_BYTES_MAX: libc::socklen_t = 128;
    let mut bytes = vec![0_u8; ADDRESS_BYTES_MAX as usize];
    let mut len = ADDRESS_BYTES_MAX;
    // SAFETY: `bytes` has `len` bytes for the kernel to fill; a number that is no open socket gives an error.
    let status = unsafe { libc::getpeername(descriptor, bytes.as_mut_ptr().cast(), &raw mut len) };
    bytes.truncate(usize::try_from(len).ok()?);
    (status == 0).then_some(bytes)
}

fn clock(id: libc::clockid_t) -> Option<Duration> {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: `time` is a place for one timespec; a clock that is not known gives EINVAL.
    let status = unsafe { libc::clock_gettime(id, time.as_mut_ptr()) };
    if status != 0 {
        return None;
    }
    // SAFETY: the call succeeded and filled it.
    let time = unsafe { time.assume_init() };
    Some(Duration::new(
        u64::try_from(time.tv_sec).ok()?,
        u32::try_from(time.tv_nsec).ok()?,
    ))
}

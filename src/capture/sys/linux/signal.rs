//! The signal that asks a running thread for its stack, and the handler that answers.

use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::cpu::interrupted_registers;
use super::thread::current_tid;
use crate::capture::sys::Answer;
use crate::capture::sys::copy_request::CopyRequest;

static REQUEST: CopyRequest = CopyRequest::new();

/// Pause between two looks for the copy: a thousandth of the shortest threshold; signal delivery takes 3 to 90 µs.
const COPY_POLL: Duration = Duration::from_micros(20);

/// The signal that asks a running thread for its stack; installed once, never removed.
#[derive(Debug)]
pub(crate) struct CaptureSignal {
    number: c_int,
}

impl CaptureSignal {
    /// Takes the first candidate that nobody uses and installs the handler.
    ///
    /// Standard signals come first because they do not queue; SIGPROF, SIGSEGV, SIGUSR1 and SIGUSR2 belong to
    /// profilers and applications. The handler stays for the life of the process: a signal that arrives late must
    /// find it, since the default action of most candidates ends the process.
    pub(crate) fn install() -> Option<Self> {
        static INSTALLED: OnceLock<Option<c_int>> = OnceLock::new();
        let number = *INSTALLED.get_or_init(|| {
            candidates().find(|number| is_free(*number) && install_handler(*number))
        });
        number.map(|number| Self { number })
    }

    /// Asks thread `tid` for a copy of its registers and of its `stack`.
    ///
    /// Waits up to `patience`; a thread that blocks the signal or is kept off the CPU does not answer in time.
    #[expect(
        clippy::disallowed_methods,
        reason = "runs on the watchdog's own thread"
    )]
    pub(crate) fn copy_stack(&self, tid: i32, stack: &Range<u64>, patience: Duration) -> Answer {
        // One asks at a time. A process has one watchdog, so nobody ever waits here, but the buffer's safety rests on it.
        static TURN: Mutex<()> = Mutex::new(());
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        if !REQUEST.begin(tid, stack) {
            return Answer::NotAsked;
        }
        if !send_signal(tid, self.number) {
            REQUEST.cancel();
            return Answer::NotAsked;
        }
        let deadline = Instant::now() + patience;
        loop {
            if let Some(copy) = REQUEST.take() {
                return Answer::Copy(copy);
            }
            if Instant::now() >= deadline {
                let late = if REQUEST.cancel() {
                    None
                } else {
                    REQUEST.take()
                };
                return late.map_or(Answer::None, Answer::Copy);
            }
            std::thread::sleep(COPY_POLL);
        }
    }
}

fn candidates() -> impl Iterator<Item = c_int> {
    // SIGRTMIN + 2: glibc keeps the first two for itself and many programs take SIGRTMIN.
    [libc::SIGSTKFLT, libc::SIGVTALRM, libc::SIGPWR]
        .into_iter()
        .chain(libc::SIGRTMIN() + 2..=libc::SIGRTMAX())
}

fn is_free(number: c_int) -> bool {
    let mut current = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a null new action only reads; `current` is a valid place for one `sigaction`.
    let status = unsafe { libc::sigaction(number, std::ptr::null(), current.as_mut_ptr()) };
    // SAFETY: zeroed bytes are a valid `sigaction`, and the call above only overwrites them with another.
    let current = unsafe { current.assume_init() };
    status == 0 && matches!(current.sa_sigaction, libc::SIG_DFL | libc::SIG_IGN)
}

fn install_handler(number: c_int) -> bool {
    let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = handle;
    let action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: all-zero is a valid `sigaction`: default handler, empty mask, no flags.
    let mut action = unsafe { action.assume_init() };
    action.sa_sigaction = handler as usize;
    // SA_RESTART: system calls of the target go on where the kernel can restart them. No SA_ONSTACK: the standard
    // library's alternate stack has too little room beside an AVX-512 signal frame.
    action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
    // SAFETY: `action` is fully initialised and `handle` has the signature that SA_SIGINFO asks for.
    let status = unsafe { libc::sigaction(number, &raw const action, std::ptr::null_mut()) };
    status == 0
}

/// The handler. Signal context: atomics and one bounded copy, no lock, no allocation, no panic.
extern "C" fn handle(_number: c_int, _info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: `__errno_location` returns this thread's errno, valid for the thread's life.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let saved = unsafe { *errno };
    if let Some(claimed) = REQUEST.claim(current_tid()) {
        // SAFETY: `handle` is installed with SA_SIGINFO only, and `context` is its third argument.
        let registers = unsafe { interrupted_registers(context) };
        // SAFETY: claimed on this very thread, with the registers the kernel saved when it interrupted it.
        unsafe { REQUEST.copy(claimed, registers) };
    }
    // SAFETY: as above; the interrupted code must find its errno unchanged.
    unsafe { *errno = saved };
}

fn send_signal(tid: i32, number: c_int) -> bool {
    // SAFETY: tgkill takes three integers; a thread that is gone gives ESRCH, and the group id keeps the signal
    // inside this process even if the thread id was reused elsewhere.
    unsafe {
        libc::syscall(
            libc::SYS_tgkill,
            libc::c_long::from(std::process::id().cast_signed()),
            libc::c_long::from(tid),
            libc::c_long::from(number),
        ) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::sys::{thread_cpu_time, thread_stack};

    /// A running thread hands over its stack, and its CPU clock advances.
    #[test]
    fn copies_a_running_thread() {
        use std::sync::atomic::{AtomicBool, Ordering};
        use std::sync::{Arc, mpsc};

        let signal = CaptureSignal::install().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let (identify, identity) = mpsc::channel();
        let thread = std::thread::spawn({
            let stop = Arc::clone(&stop);
            move || {
                identify
                    .send((current_tid(), thread_stack().unwrap()))
                    .unwrap();
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            }
        });
        let (tid, stack) = identity.recv_timeout(Duration::from_secs(10)).unwrap();
        let Answer::Copy(copy) = signal.copy_stack(tid, &stack, Duration::from_secs(10)) else {
            panic!("no answer");
        };
        let cpu = thread_cpu_time(tid);
        stop.store(true, Ordering::Relaxed);
        drop(thread);
        assert!(!copy.truncated && copy.registers.sp + copy.bytes.len() as u64 == stack.end);
        assert!(cpu.is_some());
        assert_eq!(
            signal.copy_stack(i32::MAX, &stack, Duration::from_secs(1)),
            Answer::NotAsked,
            "no such thread"
        );
    }
}

//! Linux on x86-64: signals, memory of this process, thread clocks, loaded modules.
//!
//! Everything here works for an ordinary user on threads of its own process. What the kernel refuses (seccomp, an
//! undumpable process) comes back as `None` or `false` and degrades the report, never the service.

use std::ffi::{CStr, c_int, c_void};
use std::mem::MaybeUninit;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::RawModule;
use super::copy_request::{CopyRequest, Registers, StackCopy};

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
    /// Waits up to `patience`. `None` when the thread did not answer: gone, signal blocked, or kept off the CPU.
    #[expect(
        clippy::disallowed_methods,
        reason = "runs on the watchdog's own thread"
    )]
    pub(crate) fn copy_stack(
        &self,
        tid: i32,
        stack: &Range<u64>,
        patience: Duration,
    ) -> Option<StackCopy> {
        if !REQUEST.begin(tid, stack) {
            return None;
        }
        if !send_signal(tid, self.number) {
            REQUEST.cancel();
            return None;
        }
        let deadline = Instant::now() + patience;
        loop {
            if let Some(copy) = REQUEST.take() {
                return Some(copy);
            }
            if Instant::now() >= deadline {
                return if REQUEST.cancel() {
                    None
                } else {
                    REQUEST.take()
                };
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
        // SAFETY: with SA_SIGINFO the kernel passes a pointer to the `ucontext_t` it saved on this stack.
        let registers = unsafe { &(*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
        let register = |index: c_int| {
            usize::try_from(index)
                .ok()
                .and_then(|index| registers.get(index))
                .map_or(0, |value| value.cast_unsigned())
        };
        let registers = Registers {
            pc: register(libc::REG_RIP),
            sp: register(libc::REG_RSP),
            bp: Some(register(libc::REG_RBP)),
        };
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

/// Kernel id of the calling thread. Signal-safe.
pub(crate) fn current_tid() -> i32 {
    // SAFETY: gettid takes nothing and cannot fail.
    unsafe { libc::gettid() }
}

/// Thread pointer of the calling thread: the executable's thread-local storage ends here (TLS variant II).
pub(crate) fn thread_pointer() -> u64 {
    let pointer: u64;
    // SAFETY: the x86-64 ABI keeps the thread pointer itself in the first word at `fs:0`; the read has no effects.
    unsafe {
        std::arch::asm!("mov {}, fs:0", out(reg) pointer, options(nostack, preserves_flags, readonly))
    };
    pointer
}

/// The calling thread's stack. Allocates; reads `/proc/self/maps` on the main thread.
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
    (status == 0).then(|| low.addr() as u64..(low.addr() + size) as u64)
}

/// CPU time that thread `tid` of this process has used. A quarter of a microsecond.
pub(crate) fn thread_cpu_time(tid: i32) -> Option<Duration> {
    /// Bits of a per-thread scheduler clock id: CPUCLOCK_SCHED (2) with CPUCLOCK_PERTHREAD_MASK (4), as
    /// `pthread_getcpuclockid` builds them; from the thread id alone, so no dead `pthread_t` is ever touched.
    const THREAD_CLOCK: i32 = 0b110;
    // An id of a thread that is gone is refused by the kernel.
    clock((!tid << 3) | THREAD_CLOCK)
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

/// Copies `bytes.len()` bytes of this process from `address`; `false` when they cannot all be read. Never faults.
pub(crate) fn read_memory(address: u64, bytes: &mut [u8]) -> bool {
    let local = libc::iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: bytes.len(),
    };
    let Ok(start) = usize::try_from(address) else {
        return false;
    };
    let remote = libc::iovec {
        iov_base: std::ptr::without_provenance_mut(start),
        iov_len: bytes.len(),
    };
    // SAFETY: `local` describes exactly `bytes`; the remote side is only an address to the kernel, which checks it
    // and answers EFAULT for unmapped memory.
    let copied = unsafe {
        libc::process_vm_readv(
            std::process::id().cast_signed(),
            &raw const local,
            1,
            &raw const remote,
            1,
            0,
        )
    };
    if copied >= 0 {
        return usize::try_from(copied).is_ok_and(|copied| copied == bytes.len());
    }
    // Seccomp profiles of some containers refuse the call; the file says the same.
    read_own_memory_file(address, bytes)
}

fn read_own_memory_file(address: u64, bytes: &mut [u8]) -> bool {
    static MEMORY: OnceLock<Option<std::fs::File>> = OnceLock::new();
    #[expect(
        clippy::disallowed_methods,
        reason = "opened once, on the watchdog's thread"
    )]
    let file = MEMORY.get_or_init(|| std::fs::File::open("/proc/self/mem").ok());
    file.as_ref()
        .is_some_and(|file| file.read_exact_at(bytes, address).is_ok())
}

/// Read-only memory of the executable itself, without a copy; `None` for anything else.
pub(crate) fn static_memory(range: Range<u64>) -> Option<&'static [u8]> {
    let executable = modules()
        .into_iter()
        .find(|module| module.path.is_empty())?;
    let inside = |(segment, _): &(Range<u64>, bool)| {
        segment.start <= range.start && range.end <= segment.end
    };
    if range.start > range.end || !executable.segments.iter().any(inside) {
        return None;
    }
    let start = usize::try_from(range.start).ok()?;
    let len = usize::try_from(range.end - range.start).ok()?;
    // SAFETY: the range lies in one loaded segment of the executable, which is mapped readable for the life of the
    // process; callers ask for unwind tables, which nothing writes after start-up relocation.
    Some(unsafe { std::slice::from_raw_parts(std::ptr::with_exposed_provenance(start), len) })
}

/// Every module loaded now. About 30 µs; opens no file.
pub(crate) fn modules() -> Vec<RawModule> {
    let mut modules = Vec::new();
    // SAFETY: the callback gets `data` back as the pointer passed here, alive until the call returns.
    unsafe { libc::dl_iterate_phdr(Some(collect_module), (&raw mut modules).cast()) };
    modules
}

unsafe extern "C" fn collect_module(
    info: *mut libc::dl_phdr_info,
    _size: usize,
    data: *mut c_void,
) -> c_int {
    // SAFETY: `data` is the `Vec` that `modules` passed, not used by anybody else meanwhile.
    let modules = unsafe { &mut *data.cast::<Vec<RawModule>>() };
    // SAFETY: the loader passes a valid description for the duration of the callback.
    let info = unsafe { &*info };
    // SAFETY: `dlpi_phdr` points to `dlpi_phnum` program headers of the mapped module.
    let headers =
        unsafe { std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    // SAFETY: `dlpi_name` is null or a C string owned by the loader for the duration of the callback.
    let name = (!info.dlpi_name.is_null()).then(|| unsafe { CStr::from_ptr(info.dlpi_name) });
    let bias = info.dlpi_addr;
    let range = |header: &libc::Elf64_Phdr| {
        bias.wrapping_add(header.p_vaddr)
            ..bias
                .wrapping_add(header.p_vaddr)
                .wrapping_add(header.p_memsz)
    };
    let of_kind = |kind: u32| headers.iter().filter(move |header| header.p_type == kind);
    modules.push(RawModule {
        path: name
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default(),
        bias,
        segments: of_kind(libc::PT_LOAD)
            .map(|header| (range(header), header.p_flags & libc::PF_X != 0))
            .collect(),
        eh_frame_hdr: of_kind(libc::PT_GNU_EH_FRAME).next().map(range),
        tls_bytes: of_kind(libc::PT_TLS).next().map_or(0, |header| {
            header.p_memsz.next_multiple_of(header.p_align.max(1))
        }),
    });
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The executable and libc are found, with unwind tables, and their memory can be read.
    #[test]
    fn sees_modules_and_memory() {
        let modules = modules();
        let executable = modules
            .iter()
            .find(|module| module.path.is_empty())
            .unwrap();
        let tables = executable.eh_frame_hdr.clone().unwrap();
        let mut first = [0_u8; 4];
        assert!(read_memory(tables.start, &mut first));
        assert_eq!(first[0], 1, "version of .eh_frame_hdr");
        assert_eq!(static_memory(tables).unwrap()[..4], first);
        assert!(modules.iter().any(|module| module.path.contains("libc.so")));
        assert!(
            !read_memory(8, &mut first),
            "unmapped memory is refused, not touched"
        );
    }

    /// The process_vm_readv stand-in reads the same bytes.
    #[test]
    fn memory_file_agrees() {
        let local = *b"pollscope";
        let address = local.as_ptr().expose_provenance() as u64;
        let (mut fast, mut file) = ([0; 9], [0; 9]);
        assert!(read_memory(address, &mut fast) && read_own_memory_file(address, &mut file));
        assert_eq!((fast, file), (local, local));
    }

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
        let copy = signal
            .copy_stack(tid, &stack, Duration::from_secs(10))
            .unwrap();
        let cpu = thread_cpu_time(tid);
        stop.store(true, Ordering::Relaxed);
        drop(thread);
        assert!(!copy.truncated && copy.registers.sp + copy.bytes.len() as u64 == stack.end);
        assert!(cpu.is_some());
        assert_eq!(
            signal.copy_stack(i32::MAX, &stack, Duration::from_secs(1)),
            None,
            "no such thread"
        );
    }
}

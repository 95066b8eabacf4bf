//! The rules of advice, special ones before general ones; PURE data.

use super::{ANY, Circumstance, Rule};
use crate::stall::Target;
use crate::stall::Verdict::*;

/// Rules that a circumstance asks for, tried before all others.
pub(super) const SPECIAL: &[(Circumstance, Rule)] = &[
    (
        Circumstance::Deadlock,
        Rule {
            id: "deadlock",
            verdicts: &[LockWait],
            text: "take these locks in one order everywhere, or hold only one of them at a time",
            ..ANY
        },
    ),
    (
        Circumstance::OwnThreads,
        Rule {
            id: "worker-count",
            verdicts: &[Starved, Throttled],
            text: "this process's own threads take the CPUs: use fewer workers and pool threads, no more than there are CPUs",
            ..ANY
        },
    ),
    (
        Circumstance::Traced,
        Rule {
            id: "debugger",
            verdicts: &[Frozen],
            text: "no code to change: a debugger is attached and stopped the process",
            ..ANY
        },
    ),
];

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "backtrace",
        verdicts: &[CpuUser, CpuSystem, Diagnostics, Disk],
        functions: &[
            "std::backtrace_rs::",
            "std::backtrace::Backtrace",
            "backtrace::symbolize",
            "std::panicking::default_hook",
        ],
        text: "resolve backtraces outside the workers: capture them unresolved, or print them from a thread of their own",
        ..ANY
    },
    Rule {
        id: "block-on-in-task",
        functions: &[
            "futures_executor::local_pool::block_on",
            "futures_executor::local_pool::run_executor",
            "pollster::block_on",
            "tokio::runtime::handle::Handle::block_on",
            "async_io::driver::block_on",
        ],
        text: "await the future instead of block_on: it parks this worker until somebody else finishes it",
        ..ANY
    },
    Rule {
        id: "blocking-http-client",
        functions: &["reqwest::blocking::", "ureq::", "isahc::"],
        text: "use the client's async interface: this one blocks the worker for a whole request",
        ..ANY
    },
    Rule {
        id: "blocking-database",
        functions: &[
            "rusqlite::",
            "diesel::",
            "postgres::",
            "mysql::conn",
            "redis::connection::",
            "mongodb::sync",
            "sqlite3_",
            "rocksdb::",
        ],
        text: "call the database in tokio::task::spawn_blocking, or use an async driver",
        ..ANY
    },
    Rule {
        id: "name-lookup",
        functions: &[
            "getaddrinfo",
            "std::net::socket_addr::",
            "std::sys::net::connection::socket::lookup_host",
            "::ToSocketAddrs",
            "::LookupHost",
        ],
        text: "use tokio::net::lookup_host: the system's resolver blocks the worker until a name server answers",
        ..ANY
    },
    Rule {
        id: "dns",
        verdicts: &[Dns],
        text: "a name server is waited for on this worker; look names up asynchronously and cache them",
        ..ANY
    },
    Rule {
        id: "thread-sleep",
        verdicts: &[Sleep],
        functions: &[
            "std::thread::functions::sleep",
            "std::thread::sleep",
            "std::sys::thread::unix::sleep",
            "std::sys::pal::unix::thread::Thread>::sleep",
        ],
        text: "use tokio::time::sleep(..).await: std::thread::sleep stops every task on this worker",
        ..ANY
    },
    Rule {
        id: "timer-descriptor",
        verdicts: &[Sleep],
        syscalls: &["read"],
        target: Some(Target::Timer),
        text: "await tokio::time instead: reading a timer's descriptor stops every task on this worker",
        ..ANY
    },
    Rule {
        id: "sleep",
        verdicts: &[Sleep],
        text: "something sleeps synchronously; await a timer, or move the call into tokio::task::spawn_blocking",
        ..ANY
    },
    Rule {
        id: "stdout-lock",
        verdicts: &[LockWait, Pipe],
        functions: &["std::io::stdio::"],
        text: "do not print from tasks: hand the text to a writer thread over a bounded channel",
        ..ANY
    },
    Rule {
        id: "log-writer",
        verdicts: &[LockWait, Pipe, Disk],
        functions: &[
            "tracing_subscriber::fmt",
            "log4rs::",
            "fern::",
            "env_logger::",
            "slog::",
        ],
        text: "log through a non-blocking writer: this one writes, or waits for its lock, on the worker",
        ..ANY
    },
    Rule {
        id: "std-mutex",
        verdicts: &[LockWait],
        functions: &[
            "std::sync::poison::mutex",
            "std::sys::sync::mutex",
            "std::sync::mutex",
        ],
        text: "keep what is done under this lock short and free of I/O, or give the data to one task and talk to it over a channel",
        ..ANY
    },
    Rule {
        id: "std-rwlock",
        verdicts: &[LockWait],
        functions: &[
            "std::sync::poison::rwlock",
            "std::sys::sync::rwlock",
            "std::sync::rwlock",
        ],
        text: "keep what is done under this lock short and free of I/O; consider a snapshot behind an Arc that writers replace",
        ..ANY
    },
    Rule {
        id: "parking-lot",
        verdicts: &[LockWait],
        functions: &["parking_lot::", "parking_lot_core::", "lock_api::"],
        text: "keep what is done under this lock short and free of I/O: parking_lot blocks the thread as std does",
        ..ANY
    },
    Rule {
        id: "blocking-channel",
        verdicts: &[LockWait],
        functions: &[
            "std::sync::mpmc",
            "std::sync::mpsc",
            "crossbeam_channel::",
            "flume::",
        ],
        text: "use tokio::sync::mpsc and await it: this channel's recv or send blocks the worker",
        ..ANY
    },
    Rule {
        id: "condvar",
        verdicts: &[LockWait],
        functions: &["::condvar::", "pthread_cond_"],
        text: "use tokio::sync::Notify or watch: a condition variable blocks the worker until it is notified",
        ..ANY
    },
    Rule {
        id: "thread-join",
        verdicts: &[LockWait],
        functions: &[
            "std::thread::join_handle::",
            "std::thread::lifecycle::JoinInner",
            "std::thread::JoinHandle",
            "std::thread::JoinInner",
            "pthread_join",
        ],
        text: "await a oneshot channel that the thread completes, or join it in tokio::task::spawn_blocking",
        ..ANY
    },
    Rule {
        id: "rayon-wait",
        verdicts: &[LockWait],
        functions: &["rayon_core::"],
        text: "send the answer back over a oneshot channel instead of waiting for the pool on this worker",
        ..ANY
    },
    Rule {
        id: "semaphore",
        verdicts: &[LockWait],
        syscalls: &["semop", "semtimedop"],
        text: "another process holds this semaphore: wait for it in tokio::task::spawn_blocking, or try it (IPC_NOWAIT) and await a timer",
        ..ANY
    },
    Rule {
        id: "lock-wait",
        verdicts: &[LockWait],
        text: "a thread waits for another one; await an async primitive, or wait in tokio::task::spawn_blocking",
        ..ANY
    },
    Rule {
        id: "io-uring",
        verdicts: &[Disk, BlockedOther],
        syscalls: &["io_uring_enter"],
        text: "await the ring with tokio::io::unix::AsyncFd, or wait for it on a thread of its own",
        ..ANY
    },
    Rule {
        id: "file-sync",
        verdicts: &[Disk],
        functions: &["::sync_all", "::sync_data", "fsync", "fdatasync"],
        syscalls: &[
            "fsync",
            "fdatasync",
            "msync",
            "sync_file_range",
            "sync",
            "syncfs",
        ],
        text: "sync files in tokio::task::spawn_blocking, and several changes with one sync",
        ..ANY
    },
    Rule {
        id: "directory",
        verdicts: &[Disk],
        syscalls: &["getdents64"],
        text: "list directories with tokio::fs or in tokio::task::spawn_blocking: a large or remote one takes many reads",
        ..ANY
    },
    Rule {
        id: "fifo-open",
        verdicts: &[Pipe],
        syscalls: &["open", "openat"],
        text: "opening a FIFO waits for its other end: use tokio::net::unix::pipe::OpenOptions, which does not",
        ..ANY
    },
    Rule {
        id: "std-fs",
        verdicts: &[Disk, Pipe, BlockedOther],
        functions: &["std::fs::", "std::sys::fs"],
        text: "use tokio::fs, or do the file work in tokio::task::spawn_blocking",
        ..ANY
    },
    Rule {
        id: "disk",
        verdicts: &[Disk],
        text: "do this file access in tokio::task::spawn_blocking",
        ..ANY
    },
    Rule {
        id: "page-fault",
        verdicts: &[PageFault],
        text: "the memory touched here lies in a file or in swap: read it ahead in spawn_blocking, or keep it resident",
        ..ANY
    },
    Rule {
        id: "connect",
        verdicts: &[Connect],
        text: "connect with tokio::net::TcpStream and a timeout: a silent peer blocks this worker for minutes",
        ..ANY
    },
    Rule {
        id: "accept",
        verdicts: &[Socket],
        syscalls: &["accept", "accept4"],
        text: "use tokio::net::TcpListener: this one waits on the worker until somebody connects",
        ..ANY
    },
    Rule {
        id: "socket-send",
        verdicts: &[Socket],
        syscalls: &[
            "sendto", "sendmsg", "sendmmsg", "sendfile", "write", "writev",
        ],
        text: "the peer does not read: send with tokio::net and a timeout, or drop what it is too slow for",
        ..ANY
    },
    Rule {
        id: "std-net",
        verdicts: &[Socket],
        functions: &["std::net::", "std::sys::net"],
        text: "use tokio::net: this socket blocks the worker until the peer answers",
        ..ANY
    },
    Rule {
        id: "socket",
        verdicts: &[Socket],
        text: "a blocking socket is used on this worker; use an async client, or spawn_blocking",
        ..ANY
    },
    Rule {
        id: "child-start",
        verdicts: &[ChildWait],
        syscalls: &["clone", "clone3", "vfork"],
        text: "start children in tokio::task::spawn_blocking: the thread waits until the child runs its program, with tokio::process too",
        ..ANY
    },
    Rule {
        id: "child-process",
        verdicts: &[ChildWait, Pipe, BlockedOther],
        functions: &["std::process", "std::sys::process"],
        text: "use tokio::process: waiting for a child blocks the worker",
        ..ANY
    },
    Rule {
        id: "child-wait",
        verdicts: &[ChildWait],
        text: "something waits for a child process; do it in tokio::task::spawn_blocking",
        ..ANY
    },
    Rule {
        id: "pipe",
        verdicts: &[Pipe],
        text: "the other end of this pipe is slow; read and write pipes asynchronously or on a thread of their own",
        ..ANY
    },
    Rule {
        id: "file-lock",
        verdicts: &[FileLock],
        text: "try the lock (LOCK_NB) and retry after an awaited timer, or take it in tokio::task::spawn_blocking",
        ..ANY
    },
    Rule {
        id: "foreign-call",
        verdicts: &[ForeignCall],
        text: "call this C library in tokio::task::spawn_blocking, or on a thread of its own",
        ..ANY
    },
    Rule {
        id: "event-loop",
        verdicts: &[BlockedOther],
        syscalls: &[
            "epoll_wait",
            "epoll_pwait",
            "epoll_pwait2",
            "poll",
            "ppoll",
            "select",
            "pselect6",
        ],
        text: "another event loop waits on this worker: await readiness with tokio::io::unix::AsyncFd, or give that loop a thread",
        ..ANY
    },
    Rule {
        id: "event-descriptor",
        verdicts: &[BlockedOther],
        syscalls: &["read"],
        target: Some(Target::Kernel),
        text: "await this descriptor with tokio::io::unix::AsyncFd: reading it blocks the worker until somebody signals it",
        ..ANY
    },
    Rule {
        id: "blocking-call",
        verdicts: &[BlockedOther],
        text: "do this call in tokio::task::spawn_blocking, or use an async variant of it",
        ..ANY
    },
    Rule {
        id: "regex",
        verdicts: &[CpuUser],
        functions: &["regex_automata::", "regex::", "fancy_regex::", "pcre2::"],
        text: "bound the input, simplify the expression, or match in tokio::task::spawn_blocking",
        ..ANY
    },
    Rule {
        id: "serialisation",
        verdicts: &[CpuUser],
        functions: &[
            "serde_json::",
            "serde_yaml",
            "simd_json::",
            "quick_xml::",
            "prost::",
            "bincode::",
            "rmp_serde::",
            "ciborium::",
        ],
        text: "a large document is encoded or decoded in one poll: stream it, or do it in tokio::task::spawn_blocking",
        ..ANY
    },
    Rule {
        id: "password-hash",
        verdicts: &[CpuUser],
        functions: &["argon2", "bcrypt", "scrypt", "pbkdf2"],
        text: "hash passwords in tokio::task::spawn_blocking behind a semaphore: they are slow on purpose",
        ..ANY
    },
    Rule {
        id: "compression",
        verdicts: &[CpuUser],
        functions: &[
            "flate2::",
            "miniz_oxide::",
            "zstd",
            "ZSTD_",
            "brotli",
            "Brotli",
            "lz4",
            "LZ4_",
            "deflate",
            "inflate",
        ],
        text: "compress in tokio::task::spawn_blocking, or in small blocks with yields between",
        ..ANY
    },
    Rule {
        id: "cryptography",
        verdicts: &[CpuUser],
        functions: &[
            "rustls::", "ring::", "aws_lc", "openssl", "SSL_", "rsa::", "ed25519", "p256::", "x509",
        ],
        text: "many handshakes or signatures in one poll: spread them, resume sessions, or move them to spawn_blocking",
        ..ANY
    },
    Rule {
        id: "image",
        verdicts: &[CpuUser],
        functions: &["image::", "png::", "jpeg", "zune_", "webp"],
        text: "decode images in tokio::task::spawn_blocking or on a pool such as rayon",
        ..ANY
    },
    Rule {
        id: "sort",
        verdicts: &[CpuUser],
        functions: &[
            "core::slice::sort::",
            "alloc::slice::merge_sort",
            "alloc::slice::stable_sort",
            "alloc::slice::<impl [T]>::sort",
            "core::slice::<impl [T]>::sort",
            "rayon::slice::mergesort",
            "rayon::slice::quicksort",
        ],
        text: "a large sort runs in one poll: do it in tokio::task::spawn_blocking, or keep the data sorted",
        ..ANY
    },
    Rule {
        id: "drop",
        verdicts: &[CpuUser, CpuSystem, LockWait],
        functions: &["core::ptr::drop_in_place"],
        text: "a large structure is freed in one poll: drop it in tokio::task::spawn_blocking",
        ..ANY
    },
    Rule {
        id: "allocator",
        verdicts: &[CpuUser, CpuSystem, LockWait],
        functions: &[
            "malloc_consolidate",
            "_int_malloc",
            "_int_free",
            "sysmalloc",
            "_rjem_",
            "mi_malloc",
            "mi_free",
            "malloc_trim",
        ],
        text: "the allocator works in this poll: reuse buffers, or try another allocator",
        ..ANY
    },
    Rule {
        id: "kernel-time",
        verdicts: &[CpuSystem],
        text: "the kernel works for this poll: fresh memory, large copies or maps; reuse buffers, or do it in spawn_blocking",
        ..ANY
    },
    Rule {
        id: "cpu-in-task",
        verdicts: &[CpuUser],
        text: "split the work with tokio::task::yield_now().await, or move it to spawn_blocking or a thread pool such as rayon",
        ..ANY
    },
    Rule {
        id: "diagnostics",
        verdicts: &[Diagnostics],
        text: "the time goes into a diagnosis; resolve it outside the workers",
        ..ANY
    },
    Rule {
        id: "starved",
        verdicts: &[Starved],
        text: "no code to change: give the process more CPU, fewer workers, or quieter neighbours",
        ..ANY
    },
    Rule {
        id: "throttled",
        verdicts: &[Throttled],
        text: "no code to change: raise the CPU quota of the control group, or use fewer workers so that it lasts",
        ..ANY
    },
    Rule {
        id: "frozen",
        verdicts: &[Frozen],
        text: "no code to change: the process was stopped or its machine paused",
        ..ANY
    },
    Rule {
        id: "suspended",
        verdicts: &[Suspended],
        text: "no code to change: the machine was suspended",
        ..ANY
    },
];

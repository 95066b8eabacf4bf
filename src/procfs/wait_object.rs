//! What a blocked system call waits for: the file, the peer of the socket, the child, the futex.
//!
//! Read from outside while the thread stands still: the call's own arguments in its process's memory, and what its
//! descriptors stand for.

use super::descriptor::{self, Behind, behind};
use super::parse::BlockedCall;
use super::socket_address;
use super::surroundings::Surroundings;
use super::syscall_names::syscall_name;
use crate::stall::{Target, WaitObject};

/// Descriptors of one `poll`, `select` or epoll instance that are looked at; a resolver polls one or two.
const POLLED_MAX: usize = 8;

/// Descriptors that are named in the text.
const NAMED_MAX: usize = 3;

/// Bytes of a `sockaddr` argument that are read: the largest, of a Unix socket, has 110.
const ADDRESS_BYTES_MAX: u64 = 128;

/// Bytes of one `struct pollfd`, poll(2).
const POLLFD_BYTES: usize = 8;

/// Bytes of one `fd_set`: select(2) knows no descriptor from 1024 on.
const FD_SET_BYTES: usize = 128;

/// Bytes of a path argument that are read; a longer path is shown cut.
const PATH_BYTES_MAX: usize = 256;

/// Bytes a page at least: a read that stays inside one is all there or not at all.
const PAGE_BYTES: u64 = 4096;

/// `fcntl` commands that wait for a lock, fcntl(2): F_SETLKW and F_OFD_SETLKW.
const LOCK_COMMANDS: [u64; 2] = [7, 38];

/// The object of a call, such as `read of /tmp/data (fd 7)` or `futex 0x55d0c0de`.
pub(crate) fn wait_object(call: &BlockedCall, process: &impl Surroundings) -> Option<WaitObject> {
    let name = syscall_name(call.number);
    let [first, second, third, fourth, ..] = call.arguments;
    match name.as_str() {
        "futex" => Some(object(format!("futex {first:#x}"), None)),
        "futex_waitv" => Some(object(format!("one of {second} futexes"), None)),
        "wait4" => Some(object(children(first), None)),
        "waitid" => Some(object("a child".to_owned(), None)),
        "vfork" | "clone" | "clone3" => Some(object(
            "a new child process to run its program".to_owned(),
            None,
        )),
        "poll" | "ppoll" => {
            let found = poll_descriptors(first, second, process);
            Some(polled(&name, found, Some(second), process))
        }
        "select" | "pselect6" => {
            let found = select_descriptors(first, [second, third, fourth], process);
            let count = found.len() as u64;
            Some(polled(&name, found, Some(count), process))
        }
        "epoll_wait" | "epoll_pwait" | "epoll_pwait2" => {
            let found = descriptor::watched_by(first, process);
            // Only the first of many were read.
            let count = (found.len() <= POLLED_MAX).then_some(found.len() as u64);
            (!found.is_empty())
                .then(|| polled(&name, found, count, process))
                .or_else(|| on_descriptor(&name, first, process))
        }
        "connect" => connecting(first, second, third, process),
        "fcntl" => on_descriptor(&name, first, process).map(|known| WaitObject {
            wants_lock: LOCK_COMMANDS.contains(&second),
            ..known
        }),
        name if takes_path_first(name) => path(name, first, process),
        name if takes_path_second(name) => path(name, second, process),
        name if takes_descriptor(name) => on_descriptor(name, first, process),
        _ => None,
    }
}

/// System calls whose first argument is a file descriptor.
fn takes_descriptor(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "read",
        "write",
        "pread64",
        "pwrite64",
        "readv",
        "writev",
        "preadv",
        "pwritev",
        "preadv2",
        "pwritev2",
        "accept",
        "accept4",
        "sendto",
        "recvfrom",
        "sendmsg",
        "recvmsg",
        "sendmmsg",
        "recvmmsg",
        "close",
        "fstat",
        "flock",
        "fsync",
        "fdatasync",
        "ftruncate",
        "fallocate",
        "sync_file_range",
        "syncfs",
        "getdents64",
        "io_uring_enter",
        "sendfile",
        "copy_file_range",
        "splice",
        "ioctl",
    ];
    NAMES.contains(&name)
}

/// System calls whose first argument is a path.
fn takes_path_first(name: &str) -> bool {
    matches!(
        name,
        "open" | "stat" | "truncate" | "rename" | "mkdir" | "rmdir" | "unlink" | "execve"
    )
}

/// System calls whose second argument is a path, after a directory's descriptor.
fn takes_path_second(name: &str) -> bool {
    matches!(
        name,
        "openat" | "newfstatat" | "statx" | "mkdirat" | "unlinkat" | "renameat" | "renameat2"
    )
}

fn object(text: String, target: Option<Target>) -> WaitObject {
    WaitObject {
        text,
        target,
        wants_lock: false,
    }
}

fn on_descriptor(name: &str, descriptor: u64, process: &impl Surroundings) -> Option<WaitObject> {
    let found = behind(descriptor, process)?;
    let text = format!("{name} of {} ({})", found.what, found.number());
    Some(object(text, Some(found.target)))
}

/// A path argument, read from the process's memory.
fn path(name: &str, address: u64, process: &impl Surroundings) -> Option<WaitObject> {
    let mut bytes = [0; PATH_BYTES_MAX];
    let to_page_end = PAGE_BYTES - address % PAGE_BYTES;
    let len = usize::try_from(to_page_end)
        .unwrap_or(PATH_BYTES_MAX)
        .min(PATH_BYTES_MAX);
    let bytes = &mut bytes[..len];
    process.read_memory(address, bytes).then_some(())?;
    let end = bytes.iter().position(|byte| *byte == 0);
    let text = String::from_utf8_lossy(&bytes[..end.unwrap_or(len)]);
    let cut = if end.is_some() { "" } else { "…" };
    (!text.is_empty()).then(|| object(format!("{name} of {text}{cut}"), Some(Target::File)))
}

/// The address that `connect` was given, read from its argument.
fn connecting(
    descriptor: u64,
    address: u64,
    len: u64,
    process: &impl Surroundings,
) -> Option<WaitObject> {
    let mut bytes = vec![0; usize::try_from(len.min(ADDRESS_BYTES_MAX)).ok()?];
    process.read_memory(address, &mut bytes).then_some(())?;
    let peer = socket_address::address(&bytes)?;
    let target = descriptor::socket_kind(&peer);
    let socket = Behind {
        descriptor,
        what: peer.text,
        target,
        flags: descriptor::flags(descriptor, process),
    };
    Some(object(
        format!("connect to {} ({})", socket.what, socket.number()),
        Some(target),
    ))
}

/// `count` descriptors that are waited for, `None` for many, of which some are known. The kind is that of the most telling one: what wakes
/// a poll up beside its socket (a timer, an event counter) is there in every event loop.
fn polled(
    name: &str,
    descriptors: Vec<u64>,
    count: Option<u64>,
    process: &impl Surroundings,
) -> WaitObject {
    const TELLING: [Target; 6] = [
        Target::NameServer,
        Target::Socket,
        Target::Pipe,
        Target::Process,
        Target::File,
        Target::Timer,
    ];
    if count == Some(0) {
        return object("a timeout alone".to_owned(), Some(Target::Timer));
    }
    let rank = |behind: &Behind| {
        TELLING
            .iter()
            .position(|target| *target == behind.target)
            .unwrap_or(TELLING.len())
    };
    let mut found: Vec<Behind> = descriptors
        .into_iter()
        .take(POLLED_MAX)
        .filter_map(|descriptor| behind(descriptor, process))
        .collect();
    found.sort_by_key(rank);
    let Some(first) = found.first() else {
        let count = count.map_or_else(|| "many".to_owned(), |count| count.to_string());
        return object(format!("{name} of {count} descriptors"), None);
    };
    let named: Vec<String> = found
        .iter()
        .take(NAMED_MAX)
        .map(|behind| format!("{} ({})", behind.what, behind.number()))
        .collect();
    let others = match count.map(|count| count.saturating_sub(named.len() as u64)) {
        Some(0) => String::new(),
        Some(others) => format!(" and {others} more"),
        None => " and many more".to_owned(),
    };
    object(
        format!("{name} of {}{others}", named.join(", ")),
        Some(first.target),
    )
}

/// The descriptors of an array of `struct pollfd` in the process's memory.
fn poll_descriptors(array: u64, count: u64, process: &impl Surroundings) -> Vec<u64> {
    let looked_at = usize::try_from(count).unwrap_or(POLLED_MAX).min(POLLED_MAX);
    let mut bytes = vec![0; looked_at * POLLFD_BYTES];
    if !process.read_memory(array, &mut bytes) {
        return Vec::new();
    }
    in_poll_array(&bytes).collect()
}

/// The descriptors in an array of `struct pollfd`; negative ones are ignored, as the kernel does.
fn in_poll_array(array: &[u8]) -> impl Iterator<Item = u64> {
    array.chunks_exact(POLLFD_BYTES).filter_map(|entry| {
        let descriptor = i32::from_ne_bytes(entry.get(..4)?.try_into().ok()?);
        u64::try_from(descriptor).ok()
    })
}

/// The descriptors below `limit` in three `fd_set`s of the process's memory; an address of 0 is an empty set.
fn select_descriptors(limit: u64, sets: [u64; 3], process: &impl Surroundings) -> Vec<u64> {
    let len = usize::try_from(limit)
        .unwrap_or(usize::MAX)
        .div_ceil(8)
        .min(FD_SET_BYTES);
    let mut all = [0_u8; FD_SET_BYTES];
    for address in sets.into_iter().filter(|address| *address != 0) {
        let mut set = [0; FD_SET_BYTES];
        if process.read_memory(address, &mut set[..len]) {
            all.iter_mut().zip(set).for_each(|(all, set)| *all |= set);
        }
    }
    in_fd_set(&all).filter(|found| *found < limit).collect()
}

/// The numbers whose bits are set, on a little-endian machine.
fn in_fd_set(set: &[u8]) -> impl Iterator<Item = u64> {
    set.iter().zip(0_u64..).flat_map(|(byte, index)| {
        (0..8)
            .filter(move |bit| byte >> bit & 1 == 1)
            .map(move |bit| index * 8 + bit)
    })
}

/// Whom `wait4` waits for: its first argument is a process, a group, or any child.
fn children(argument: u64) -> String {
    // The kernel takes the low half as a signed number.
    let low = u32::try_from(argument & u64::from(u32::MAX)).unwrap_or_default();
    match low.cast_signed() {
        pid if pid > 0 => format!("child process {pid}"),
        _ => "any child process".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::procfs::surroundings::Own;
    use crate::procfs::syscall_names::number_of;

    fn text(name: &str, arguments: [u64; 6]) -> Option<String> {
        let call = BlockedCall {
            number: number_of(name),
            arguments,
            sp: 0,
            pc: 0,
        };
        wait_object(&call, &Own).map(|object| object.text)
    }

    #[cfg(not(pollscope_no_capture))]
    fn address_of<T: ?Sized>(value: &T) -> u64 {
        std::ptr::from_ref(value).cast::<u8>().expose_provenance() as u64
    }

    /// Arguments that are not descriptors are read for what they are.
    #[test]
    fn arguments_without_descriptor() {
        for (name, arguments, expected) in [
            ("futex", [0x10, 0, 0, 0, 0, 0], Some("futex 0x10")),
            ("wait4", [77, 0, 0, 0, 0, 0], Some("child process 77")),
            (
                "wait4",
                [u64::from(u32::MAX), 0, 0, 0, 0, 0],
                Some("any child process"),
            ),
            ("ppoll", [0, 0, 5, 0, 0, 0], Some("a timeout alone")),
            ("pselect6", [0; 6], Some("a timeout alone")),
            (
                "ppoll",
                [1, 1 << 40, 5, 0, 0, 0],
                Some("ppoll of 1099511627776 descriptors"),
            ),
            ("openat", [0, 8, 0, 0, 0, 0], None),
            ("clock_nanosleep", [0; 6], None),
        ] {
            assert_eq!(text(name, arguments).as_deref(), expected, "{name}");
        }
    }

    /// A path is read up to its end.
    // The twin without capture cannot ask the system.
    #[cfg(not(pollscope_no_capture))]
    #[test]
    fn paths_are_read() {
        let path = b"/tmp/data\0garbage";
        let found = text("openat", [0, address_of(path), 0, 0, 0, 0]);
        assert_eq!(found.as_deref(), Some("openat of /tmp/data"));
    }

    /// Of many polled descriptors the telling one decides and comes first, however they are waited for.
    // The twin without capture cannot ask the system.
    #[cfg(not(pollscope_no_capture))]
    #[test]
    fn polls_name_their_peer() {
        use std::os::fd::AsRawFd;
        let (reader, _writer) = std::io::pipe().unwrap();
        let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let [pipe, socket] = [reader.as_raw_fd(), one.as_raw_fd()];
        let mut array = [0_u8; 2 * POLLFD_BYTES];
        array[..4].copy_from_slice(&pipe.to_ne_bytes());
        array[8..12].copy_from_slice(&socket.to_ne_bytes());
        let mut set = [0_u8; FD_SET_BYTES];
        for number in [pipe, socket] {
            let number = usize::try_from(number).unwrap();
            set[number / 8] |= 1 << (number % 8);
        }
        let poll = [address_of(&array), 2, 0, 0, 0, 0];
        let select = [1024, address_of(&set), 0, 0, 0, 0];
        for (name, arguments) in [("ppoll", poll), ("pselect6", select)] {
            let found = text(name, arguments).unwrap();
            let expected = format!(
                "{name} of the socket to an unnamed unix socket (fd {socket}, blocking mode), pipe:"
            );
            assert!(found.starts_with(&expected), "{found}");
        }
    }
}

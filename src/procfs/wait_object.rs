//! What a blocked system call waits for: the file, the peer of the socket, the child, the futex.
//!
//! Read from outside while the thread stands still: the descriptor's link in `/proc/self/fd`, the socket's peer, and the
//! call's own arguments in this process's memory. Nothing here can block: links and peers are kept by the kernel, the
//! file systems behind them are never asked.

use super::parse::BlockedCall;
use super::socket_address::{self, Address};
use super::syscall_names::syscall_name;
use crate::capture::sys;
use crate::stall::{Target, WaitObject};

/// Descriptors of one `poll` that are looked at; a resolver polls one or two.
const POLLED_MAX: u64 = 8;

/// Bytes of a `sockaddr` argument that are read: the largest, of a Unix socket, has 110.
const ADDRESS_BYTES_MAX: u64 = 128;

/// Bytes of one `struct pollfd`, poll(2).
const POLLFD_BYTES: usize = 8;

/// Ports of name servers: DNS and DNS over TLS.
const NAME_SERVER_PORTS: [u16; 2] = [53, 853];

/// `fcntl` commands that wait for a lock, fcntl(2): F_SETLKW and F_OFD_SETLKW.
const LOCK_COMMANDS: [u64; 2] = [7, 38];

/// The object of a call, such as `read of /tmp/data (fd 7)` or `futex 0x55d0c0de`.
pub(crate) fn wait_object(call: &BlockedCall) -> Option<WaitObject> {
    let name = syscall_name(call.number);
    let [first, second, third, ..] = call.arguments;
    match name.as_str() {
        "futex" => Some(object(format!("futex {first:#x}"), None)),
        "wait4" => Some(object(children(first), None)),
        "waitid" => Some(object("a child".to_owned(), None)),
        "poll" | "ppoll" => Some(polled(&name, first, second)),
        "select" | "pselect6" if first == 0 => {
            Some(object("a timeout alone".to_owned(), Some(Target::Timer)))
        }
        "connect" => connecting(first, second, third),
        "fcntl" => on_descriptor(&name, first).map(|known| WaitObject {
            wants_lock: LOCK_COMMANDS.contains(&second),
            ..known
        }),
        name if takes_descriptor(name) => on_descriptor(name, first),
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
        "flock",
        "fsync",
        "fdatasync",
        "ftruncate",
        "fallocate",
        "sync_file_range",
        "syncfs",
        "getdents64",
        "epoll_wait",
        "epoll_pwait",
        "epoll_pwait2",
        "sendfile",
        "copy_file_range",
        "splice",
        "ioctl",
    ];
    NAMES.contains(&name)
}

fn object(text: String, target: Option<Target>) -> WaitObject {
    WaitObject {
        text,
        target,
        wants_lock: false,
    }
}

fn on_descriptor(name: &str, descriptor: u64) -> Option<WaitObject> {
    let (what, target) = behind(descriptor)?;
    Some(object(
        format!("{name} of {what} (fd {descriptor})"),
        Some(target),
    ))
}

/// What a descriptor stands for, in words and kind.
fn behind(descriptor: u64) -> Option<(String, Target)> {
    let link = std::fs::read_link(format!("/proc/self/fd/{descriptor}")).ok()?;
    let link = link.to_string_lossy().into_owned();
    let target = kind_of(&link);
    if target != Target::Socket {
        return Some((link, target));
    }
    let peer = i32::try_from(descriptor)
        .ok()
        .and_then(sys::peer_of)
        .and_then(|bytes| socket_address::address(&bytes));
    Some(match peer {
        Some(peer) => (format!("the socket to {}", peer.text), socket_kind(&peer)),
        None => ("a socket without a peer".to_owned(), Target::Socket),
    })
}

/// The kind of thing that a descriptor's link names, proc_pid_fd(5).
fn kind_of(link: &str) -> Target {
    if link.starts_with("socket:") {
        Target::Socket
    } else if link.starts_with("pipe:")
        || link.starts_with("/dev/pts/")
        || link.starts_with("/dev/tty")
    {
        Target::Pipe
    } else if link.starts_with("anon_inode:") {
        Target::Kernel
    } else {
        Target::File
    }
}

fn socket_kind(peer: &Address) -> Target {
    if peer
        .port
        .is_some_and(|port| NAME_SERVER_PORTS.contains(&port))
    {
        Target::NameServer
    } else {
        Target::Socket
    }
}

/// The address that `connect` was given, read from its argument.
fn connecting(descriptor: u64, address: u64, len: u64) -> Option<WaitObject> {
    let mut bytes = vec![0; usize::try_from(len.min(ADDRESS_BYTES_MAX)).ok()?];
    sys::read_memory(address, &mut bytes).then_some(())?;
    let peer = socket_address::address(&bytes)?;
    Some(object(
        format!("connect to {} (fd {descriptor})", peer.text),
        Some(socket_kind(&peer)),
    ))
}

fn polled(name: &str, array: u64, count: u64) -> WaitObject {
    if count == 0 {
        return object("a timeout alone".to_owned(), Some(Target::Timer));
    }
    let looked_at = count.min(POLLED_MAX);
    let mut bytes = vec![0; usize::try_from(looked_at).unwrap_or(0) * POLLFD_BYTES];
    let found: Vec<(String, Target)> = if sys::read_memory(array, &mut bytes) {
        descriptors(&bytes).filter_map(behind).collect()
    } else {
        Vec::new()
    };
    let Some((what, target)) = found
        .iter()
        .find(|(_, target)| *target == Target::NameServer)
        .or(found.first())
    else {
        return object(format!("{name} of {count} descriptors"), None);
    };
    let others = count - 1;
    let text = if others == 0 {
        format!("{name} of {what}")
    } else {
        format!("{name} of {what} and {others} more")
    };
    object(text, Some(*target))
}

/// The descriptors in an array of `struct pollfd`; negative ones are ignored, as the kernel does.
fn descriptors(array: &[u8]) -> impl Iterator<Item = u64> {
    array.chunks_exact(POLLFD_BYTES).filter_map(|entry| {
        let descriptor = i32::from_ne_bytes(entry.get(..4)?.try_into().ok()?);
        u64::try_from(descriptor).ok()
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

    /// Links tell pipes, sockets, terminals, kernel objects and files apart.
    #[test]
    fn kinds_of_links() {
        for (link, expected) in [
            ("pipe:[123]", Target::Pipe),
            ("socket:[123]", Target::Socket),
            ("/dev/pts/0", Target::Pipe),
            ("anon_inode:[eventpoll]", Target::Kernel),
            ("/var/lib/db/data", Target::File),
        ] {
            assert_eq!(kind_of(link), expected, "{link}");
        }
    }

    /// Arguments that are not descriptors are read for what they are.
    #[test]
    fn arguments_without_descriptor() {
        let text = |number, arguments| {
            let call = BlockedCall {
                number,
                arguments,
                sp: 0,
                pc: 0,
            };
            wait_object(&call).map(|object| object.text)
        };
        assert_eq!(
            text(202, [0x10, 0, 0, 0, 0, 0]).as_deref(),
            Some("futex 0x10")
        );
        assert_eq!(
            text(61, [77, 0, 0, 0, 0, 0]).as_deref(),
            Some("child process 77")
        );
        assert_eq!(
            text(61, [u64::from(u32::MAX), 0, 0, 0, 0, 0]).as_deref(),
            Some("any child process")
        );
        assert_eq!(
            text(7, [0, 0, 5, 0, 0, 0]).as_deref(),
            Some("a timeout alone")
        );
        assert_eq!(text(230, [0; 6]), None);
    }

    /// The peer of a connected socket is named, a name server is recognised by its port.
    #[test]
    fn sockets_name_their_peer() {
        use std::os::fd::AsRawFd;
        let server = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let client = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let descriptor = u64::try_from(client.as_raw_fd()).unwrap();
        client.connect(server.local_addr().unwrap()).unwrap();
        let (what, target) = behind(descriptor).unwrap();
        assert_eq!(
            what,
            format!("the socket to {}", server.local_addr().unwrap())
        );
        assert_eq!(target, Target::Socket);
        client.connect("127.0.0.1:53").unwrap();
        assert_eq!(behind(descriptor).unwrap().1, Target::NameServer);
    }
}

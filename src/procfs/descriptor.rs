//! What a file descriptor of this process stands for, in words and kind.
//!
//! Its link in `/proc/self/fd`, the peer of a socket, and its `fdinfo`.

use super::parse;
use super::socket_address::{self, Address};
use super::surroundings::Surroundings;
use crate::stall::Target;

/// Ports of name servers: DNS and DNS over TLS.
const NAME_SERVER_PORTS: [u16; 2] = [53, 853];

/// `O_NONBLOCK` among the open flags, open(2).
const NONBLOCKING: u64 = 0o4000;

/// What is behind a descriptor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Behind {
    /// The number.
    pub(super) descriptor: u64,
    /// In words: a path, a peer.
    pub(super) what: String,
    /// Its kind.
    pub(super) target: Target,
    /// Open flags of a socket; `None` where they cannot be read.
    pub(super) flags: Option<u64>,
}

impl Behind {
    /// `fd 7`, for a socket with its mode, since a blocking one is the mistake.
    pub(super) fn number(&self) -> String {
        match self.flags {
            Some(flags) if flags & NONBLOCKING == 0 => {
                format!("fd {}, blocking mode", self.descriptor)
            }
            _ => format!("fd {}", self.descriptor),
        }
    }
}

/// What a descriptor stands for; `None` when it cannot be told.
pub(super) fn behind(descriptor: u64, process: &impl Surroundings) -> Option<Behind> {
    let link = process.link(descriptor)?;
    let target = kind_of(&link);
    let (what, target) = if target == Target::Socket {
        socket(process.peer(descriptor))
    } else {
        (in_words(link), target)
    };
    Some(Behind {
        descriptor,
        what,
        target,
        flags: matches!(target, Target::Socket | Target::NameServer)
            .then(|| flags(descriptor, process))
            .flatten(),
    })
}

/// The descriptors that an epoll instance watches, in the kernel's order.
pub(super) fn watched_by(epoll: u64, process: &impl Surroundings) -> Vec<u64> {
    process
        .epoll_info(epoll)
        .map_or_else(Vec::new, |info| parse::watched_descriptors(&info).collect())
}

/// The kind of a socket at that address.
pub(super) fn socket_kind(peer: &Address) -> Target {
    let is_name_server = |port: u16| NAME_SERVER_PORTS.contains(&port);
    if peer.port.is_some_and(is_name_server) {
        Target::NameServer
    } else {
        Target::Socket
    }
}

fn socket(peer: Option<Vec<u8>>) -> (String, Target) {
    match peer.and_then(|bytes| socket_address::address(&bytes)) {
        Some(peer) => (format!("the socket to {}", peer.text), socket_kind(&peer)),
        None => ("a socket without a peer".to_owned(), Target::Socket),
    }
}

/// The kind of thing that a descriptor's link names, proc_pid_fd(5).
pub(super) fn kind_of(link: &str) -> Target {
    if link.starts_with("socket:") {
        return Target::Socket;
    }
    if link.starts_with("pipe:") || link.starts_with("/dev/pts/") || link.starts_with("/dev/tty") {
        return Target::Pipe;
    }
    if let Some(name) = link.strip_prefix("anon_inode:") {
        return match name {
            "[timerfd]" => Target::Timer,
            "[pidfd]" => Target::Process,
            _ => Target::Kernel,
        };
    }
    // Kernels since 6.9 keep process descriptors in a file system of their own.
    if link.starts_with("pidfd:") {
        return Target::Process;
    }
    if link.starts_with("/dev/") && !is_storage(link) {
        return Target::Kernel;
    }
    Target::File
}

/// Whether a name under `/dev` stands for storage: shared memory, and the usual names of block devices.
fn is_storage(link: &str) -> bool {
    const STORAGE: &[&str] = &[
        "/dev/shm/",
        "/dev/hugepages/",
        "/dev/mapper/",
        "/dev/disk/",
        "/dev/sd",
        "/dev/vd",
        "/dev/xvd",
        "/dev/nvme",
        "/dev/dm-",
        "/dev/md",
        "/dev/loop",
        "/dev/mmcblk",
    ];
    STORAGE.iter().any(|prefix| link.starts_with(prefix))
}

/// What the kernel's own objects are, by their link.
pub(super) fn in_words(link: String) -> String {
    let words = match link.as_str() {
        "anon_inode:[eventfd]" => "an event counter (eventfd)",
        "anon_inode:[timerfd]" => "a timer (timerfd)",
        "anon_inode:[signalfd]" => "signals (signalfd)",
        "anon_inode:[eventpoll]" => "an epoll instance",
        "anon_inode:[io_uring]" => "completions of an io_uring",
        "anon_inode:inotify" | "anon_inode:[fanotify]" => "file system events",
        "anon_inode:[userfaultfd]" => "page faults (userfaultfd)",
        "anon_inode:[pidfd]" => "the end of a process (pidfd)",
        link if link.starts_with("pidfd:") => "the end of a process (pidfd)",
        _ => return link,
    };
    words.to_owned()
}

/// The open flags; `None` where `fdinfo` cannot be read.
pub(super) fn flags(descriptor: u64, process: &impl Surroundings) -> Option<u64> {
    parse::open_flags(&process.info(descriptor)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Links tell pipes, sockets, terminals, kernel objects, devices and files apart.
    #[test]
    fn kinds_of_links() {
        for (link, expected) in [
            ("pipe:[123]", Target::Pipe),
            ("socket:[123]", Target::Socket),
            ("/dev/pts/0", Target::Pipe),
            ("/dev/tty", Target::Pipe),
            ("anon_inode:[eventpoll]", Target::Kernel),
            ("anon_inode:[eventfd]", Target::Kernel),
            ("anon_inode:inotify", Target::Kernel),
            ("anon_inode:[io_uring]", Target::Kernel),
            ("anon_inode:[timerfd]", Target::Timer),
            ("anon_inode:[pidfd]", Target::Process),
            ("pidfd:[77]", Target::Process),
            ("/dev/random", Target::Kernel),
            ("/dev/nvme0n1", Target::File),
            ("/dev/shm/ring", Target::File),
            ("/memfd:x (deleted)", Target::File),
            ("/var/lib/db/data", Target::File),
        ] {
            assert_eq!(kind_of(link), expected, "{link}");
        }
        assert_eq!(
            in_words("anon_inode:inotify".to_owned()),
            "file system events"
        );
        assert_eq!(in_words("/a/b".to_owned()), "/a/b");
    }

    /// The peer of a connected socket is named, a name server is recognised by its port, and the mode is told.
    // The twin without capture cannot ask the system.
    #[cfg(not(pollscope_no_capture))]
    #[test]
    fn sockets_name_their_peer() {
        use crate::procfs::surroundings::Own;
        use std::os::fd::AsRawFd;
        let server = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let client = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let descriptor = u64::try_from(client.as_raw_fd()).unwrap();
        client.connect(server.local_addr().unwrap()).unwrap();
        let found = behind(descriptor, &Own).unwrap();
        assert_eq!(
            found.what,
            format!("the socket to {}", server.local_addr().unwrap())
        );
        assert_eq!(found.target, Target::Socket);
        assert_eq!(found.number(), format!("fd {descriptor}, blocking mode"));
        client.set_nonblocking(true).unwrap();
        let found = behind(descriptor, &Own).unwrap();
        assert_eq!(found.number(), format!("fd {descriptor}"));
        client.connect("127.0.0.1:53").unwrap();
        assert_eq!(behind(descriptor, &Own).unwrap().target, Target::NameServer);
    }
}

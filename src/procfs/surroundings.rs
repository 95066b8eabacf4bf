//! Where it is looked up what the arguments of a blocked call mean: this process now, or a recording.
//!
//! Nothing here can block: the kernel keeps all of it, the file systems behind are never asked.

use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::capture::sys;

/// Bytes read of `fdinfo`: a head of a hundred, and of an epoll instance the first twenty of its lines, which have less than a
/// hundred each.
const INFO_BYTES_MAX: usize = 2048;

/// Descriptors of the process above which no epoll instance is asked what it watches. However little of it is read, the kernel prints
/// a line for each, and holds the instance's lock meanwhile: a millisecond for this many.
const DESCRIPTORS_MAX: usize = 2048;

/// What stands behind descriptors and addresses; each answer is `None` or `false` where it cannot be told.
pub(crate) trait Surroundings {
    /// The link in `/proc/self/fd`.
    fn link(&self, descriptor: u64) -> Option<String>;
    /// The text of `/proc/self/fdinfo`.
    fn info(&self, descriptor: u64) -> Option<String>;
    /// The same of an epoll instance, or as much as it takes to know the first of what it watches; `None` also where asking would hold
    /// up those who use it.
    fn epoll_info(&self, descriptor: u64) -> Option<String>;
    /// The raw address of a socket's peer.
    fn peer(&self, descriptor: u64) -> Option<Vec<u8>>;
    /// Fills `bytes` from `address` on; `false` if not all of it can be read.
    fn read_memory(&self, address: u64, bytes: &mut [u8]) -> bool;
}

/// This process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Own;

impl Surroundings for Own {
    fn link(&self, descriptor: u64) -> Option<String> {
        let link = std::fs::read_link(format!("/proc/self/fd/{descriptor}")).ok()?;
        Some(link.to_string_lossy().into_owned())
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "procfs, on the watchdog's own thread"
    )]
    fn info(&self, descriptor: u64) -> Option<String> {
        let info = File::open(format!("/proc/self/fdinfo/{descriptor}")).ok()?;
        let mut bytes = [0; INFO_BYTES_MAX];
        let len = info.read_at(&mut bytes, 0).ok()?;
        let text = String::from_utf8_lossy(bytes.get(..len)?);
        Some(whole_lines(&text).to_owned())
    }

    fn epoll_info(&self, descriptor: u64) -> Option<String> {
        has_few_descriptors(DESCRIPTORS_MAX).then_some(())?;
        self.info(descriptor)
    }

    fn peer(&self, descriptor: u64) -> Option<Vec<u8>> {
        sys::peer_of(i32::try_from(descriptor).ok()?)
    }

    fn read_memory(&self, address: u64, bytes: &mut [u8]) -> bool {
        sys::read_memory(address, bytes)
    }
}

/// A text without a last line that was cut.
fn whole_lines(text: &str) -> &str {
    text.rfind('\n').map_or("", |end| &text[..=end])
}

/// Whether this process has at most `max` descriptors, and so none of its epoll instances watches more. Looks no further than that.
fn has_few_descriptors(max: usize) -> bool {
    std::fs::read_dir("/proc/self/fd").is_ok_and(|all| all.take(max + 1).count() <= max)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(not(pollscope_no_capture))]
    use crate::procfs::parse;

    /// A number that was cut is no number.
    #[test]
    fn cut_lines_are_dropped() {
        for (text, expected) in [
            ("flags:\t02\ntfd: 5 e\ntfd: 12", "flags:\t02\ntfd: 5 e\n"),
            ("flags:\t02\n", "flags:\t02\n"),
            ("flags", ""),
            ("", ""),
        ] {
            assert_eq!(whole_lines(text), expected, "{text:?}");
        }
    }

    /// Only the head of a long list is read, which holds as many descriptors as are looked at.
    // The twin without capture tells nothing of other systems.
    #[cfg(not(pollscope_no_capture))]
    #[tokio::test]
    async fn a_large_epoll_instance_is_read_in_part() {
        let mut sockets = Vec::new();
        for _ in 0..64 {
            sockets.push(tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap());
        }
        let all = std::fs::read_dir("/proc/self/fd").unwrap();
        let numbers = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let is_epoll = |number: &u64| {
            let link = Own.link(*number);
            link.as_deref() == Some("anon_inode:[eventpoll]")
        };
        let infos: Vec<String> = numbers
            .filter(is_epoll)
            .filter_map(|number| Own.info(number))
            .collect();
        let watches_many = |info: &String| parse::watched_descriptors(info).count() >= 8;
        assert!(infos.iter().any(watches_many), "{infos:?}");
        assert!(infos.iter().all(|info| info.len() <= INFO_BYTES_MAX));
    }

    /// The number of descriptors is told from below and from above.
    // The twin without capture tells nothing of other systems.
    #[cfg(not(pollscope_no_capture))]
    #[test]
    fn descriptors_are_counted_up_to_a_limit() {
        assert!(!has_few_descriptors(1));
        assert!(has_few_descriptors(1 << 20));
    }
}

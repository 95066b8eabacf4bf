//! Where it is looked up what the arguments of a blocked call mean: this process now, or a recording.
//!
//! Nothing here can block: the kernel keeps all of it, the file systems behind are never asked.

use crate::capture::sys;

/// What stands behind descriptors and addresses; each answer is `None` or `false` where it cannot be told.
pub(crate) trait Surroundings {
    /// The link in `/proc/self/fd`.
    fn link(&self, descriptor: u64) -> Option<String>;
    /// The text of `/proc/self/fdinfo`.
    fn info(&self, descriptor: u64) -> Option<String>;
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
        std::fs::read_to_string(format!("/proc/self/fdinfo/{descriptor}")).ok()
    }

    fn peer(&self, descriptor: u64) -> Option<Vec<u8>> {
        sys::peer_of(i32::try_from(descriptor).ok()?)
    }

    fn read_memory(&self, address: u64, bytes: &mut [u8]) -> bool {
        sys::read_memory(address, bytes)
    }
}

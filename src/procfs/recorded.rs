//! What the kernel said at one moment, kept as the texts that it wrote: another source for the readers of this room.
//!
//! Nothing is decided here and nothing parsed; a text that was not recorded is a file that cannot be read.

use std::sync::Arc;
use std::time::Duration;

use super::surroundings::Surroundings;
use super::thread::ThreadFile;

/// The texts of one thread.
#[derive(Debug, Clone, Default)]
pub(crate) struct ThreadTexts {
    pub(crate) stat: Option<String>,
    pub(crate) syscall: Option<String>,
    pub(crate) wchan: Option<String>,
    pub(crate) schedstat: Option<String>,
    pub(crate) status: Option<String>,
    /// Its CPU clock.
    pub(crate) cpu: Option<Duration>,
    pub(crate) surroundings: Arc<RecordedSurroundings>,
}

impl ThreadTexts {
    pub(super) fn text(&self, file: ThreadFile) -> Option<&str> {
        let text = match file {
            ThreadFile::Stat => &self.stat,
            ThreadFile::Syscall => &self.syscall,
            ThreadFile::Wchan => &self.wchan,
            ThreadFile::Schedstat => &self.schedstat,
            ThreadFile::Status => &self.status,
        };
        text.as_deref()
    }
}

/// The texts of the machine and of the process, and its clocks.
#[derive(Debug, Clone, Default)]
pub(crate) struct MachineTexts {
    /// When they were read, on the clock of the recording.
    pub(crate) now: Duration,
    /// How far the clock that goes on in a suspend is ahead of the one that does not.
    pub(crate) suspended: Option<Duration>,
    /// CPU clock of the process.
    pub(crate) process_cpu: Option<Duration>,
    /// `cpu.stat` of the process's control group.
    pub(crate) cpu_stat: Option<String>,
    /// `/proc/pressure/cpu`.
    pub(crate) pressure: Option<String>,
    /// `/proc/stat`.
    pub(crate) stat: Option<String>,
    /// `status` of the process.
    pub(crate) status: Option<String>,
}

/// What stood behind the arguments of the recorded calls.
#[derive(Debug, Clone, Default)]
pub(crate) struct RecordedSurroundings {
    pub(crate) descriptors: Vec<RecordedDescriptor>,
    /// Addresses and the bytes from there on.
    pub(crate) memory: Vec<(u64, Vec<u8>)>,
}

/// One descriptor.
#[derive(Debug, Clone)]
pub(crate) struct RecordedDescriptor {
    pub(crate) number: u64,
    pub(crate) link: String,
    pub(crate) info: Option<String>,
    pub(crate) peer: Option<Vec<u8>>,
}

impl RecordedSurroundings {
    fn descriptor(&self, number: u64) -> Option<&RecordedDescriptor> {
        let mut all = self.descriptors.iter();
        all.find(|descriptor| descriptor.number == number)
    }
}

impl Surroundings for RecordedSurroundings {
    fn link(&self, descriptor: u64) -> Option<String> {
        Some(self.descriptor(descriptor)?.link.clone())
    }

    fn info(&self, descriptor: u64) -> Option<String> {
        self.descriptor(descriptor)?.info.clone()
    }

    fn epoll_info(&self, descriptor: u64) -> Option<String> {
        self.info(descriptor)
    }

    fn peer(&self, descriptor: u64) -> Option<Vec<u8>> {
        self.descriptor(descriptor)?.peer.clone()
    }

    fn read_memory(&self, address: u64, bytes: &mut [u8]) -> bool {
        let found = self.memory.iter().find_map(|(start, known)| {
            let from = usize::try_from(address.checked_sub(*start)?).ok()?;
            known.get(from..from.checked_add(bytes.len())?)
        });
        found.map(|found| bytes.copy_from_slice(found)).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Memory is given where all of it was recorded, and not a byte further.
    #[test]
    fn memory_has_an_end() {
        let recorded = RecordedSurroundings {
            memory: vec![(0x1000, vec![1, 2, 3, 4])],
            ..RecordedSurroundings::default()
        };
        let mut bytes = [0; 2];
        assert!(recorded.read_memory(0x1002, &mut bytes));
        assert_eq!(bytes, [3, 4]);
        for address in [0xfff, 0x1003, u64::MAX] {
            assert!(!recorded.read_memory(address, &mut bytes), "{address:#x}");
        }
    }
}

//! Memory of this process, read so that nothing can fault.

use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

use super::modules::modules;
use crate::capture::sys::Segment;

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
    let inside = |segment: &Segment| {
        !segment.writable && segment.range.start <= range.start && range.end <= segment.range.end
    };
    if range.start > range.end || !executable.segments.iter().any(inside) {
        return None;
    }
    let start = usize::try_from(range.start).ok()?;
    let len = usize::try_from(range.end - range.start).ok()?;
    // SAFETY: the range lies in one loaded segment of the executable, which is mapped for the life of the process and
    // not writable, so nothing changes it behind the shared reference.
    Some(unsafe { std::slice::from_raw_parts(std::ptr::with_exposed_provenance(start), len) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The process_vm_readv stand-in reads the same bytes.
    #[test]
    fn memory_file_agrees() {
        let local = *b"pollscope";
        let address = local.as_ptr().expose_provenance() as u64;
        let (mut fast, mut file) = ([0; 9], [0; 9]);
        assert!(read_memory(address, &mut fast) && read_own_memory_file(address, &mut file));
        assert_eq!((fast, file), (local, local));
    }
}

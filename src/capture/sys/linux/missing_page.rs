//! Test aid: a page of memory that is never delivered, so that whoever reads it waits in a page fault.
//!
//! Page faults are made to wait by `userfaultfd(2)` instead of a slow disk: for as long as wanted, and for faults in user
//! code also without privileges.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

/// Only faults in user code are waited for, which needs no privilege (linux/userfaultfd.h, UFFD_USER_MODE_ONLY).
const USER_MODE_ONLY: libc::c_int = 1;

/// `UFFD_API`, `UFFDIO_API`, `UFFDIO_REGISTER` and `UFFDIO_REGISTER_MODE_MISSING` of linux/userfaultfd.h.
const API: u64 = 0xaa;
const API_REQUEST: libc::c_ulong = 0xc018_aa3f;
const REGISTER_REQUEST: libc::c_ulong = 0xc020_aa00;
const MODE_MISSING: u64 = 1;

/// Larger than a page of any architecture that this is built for.
const BYTES: usize = 64 * 1024;

/// The memory; readers go on, and find zeros, when this is dropped.
#[derive(Debug)]
pub(crate) struct MissingPage {
    address: usize,
    _faults: OwnedFd,
}

impl MissingPage {
    /// Memory that nobody delivers.
    pub(crate) fn new() -> io::Result<Self> {
        let flags = libc::O_CLOEXEC | USER_MODE_ONLY;
        // SAFETY: the call takes one integer.
        let made = unsafe { libc::syscall(libc::SYS_userfaultfd, flags) };
        let raw = i32::try_from(made).map_err(io::Error::other)?;
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made this descriptor, and nobody else knows it.
        let faults = unsafe { OwnedFd::from_raw_fd(raw) };
        // SAFETY: a new mapping anywhere touches no memory that is in use.
        let mapped = unsafe {
            libc::mmap(
                ptr::null_mut(),
                BYTES,
                libc::PROT_READ,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if mapped == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let address = mapped.expose_provenance();
        // struct uffdio_api: api, features, ioctls; struct uffdio_register: start, len, mode, ioctls.
        request(&faults, API_REQUEST, &mut [API, 0, 0])?;
        let range = [address as u64, BYTES as u64, MODE_MISSING, 0];
        request(&faults, REGISTER_REQUEST, &mut { range })?;
        Ok(Self {
            address,
            _faults: faults,
        })
    }

    /// Reads the memory, which waits. The mapping stays for the life of the process, for a reader that is late.
    pub(crate) fn reader(&self) -> impl FnOnce() + Send + 'static + use<> {
        let address = self.address;
        move || {
            let place = ptr::with_exposed_provenance::<u8>(address);
            // SAFETY: the mapping is readable and is never taken away.
            let _ = unsafe { place.read_volatile() };
        }
    }
}

fn request<const N: usize>(
    faults: &OwnedFd,
    request: libc::c_ulong,
    words: &mut [u64; N],
) -> io::Result<()> {
    // SAFETY: both requests read and write a structure of that many words, which lives during the call.
    let done = unsafe { libc::ioctl(faults.as_raw_fd(), request as _, words.as_mut_ptr()) };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

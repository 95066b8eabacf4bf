//! The loaded modules, as the dynamic loader lists them.

use std::ffi::{CStr, c_int, c_void};

use crate::capture::sys::{RawModule, Segment};

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
            .map(|header| Segment {
                range: range(header),
                executable: header.p_flags & libc::PF_X != 0,
                writable: header.p_flags & libc::PF_W != 0,
            })
            .collect(),
        eh_frame_hdr: of_kind(libc::PT_GNU_EH_FRAME).next().map(range),
        notes: of_kind(libc::PT_NOTE).map(range).collect(),
        tls_bytes: of_kind(libc::PT_TLS).next().map_or(0, |header| {
            header.p_memsz.next_multiple_of(header.p_align.max(1))
        }),
        tls_align: of_kind(libc::PT_TLS)
            .next()
            .map_or(1, |header| header.p_align.max(1)),
    });
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::sys::{read_memory, static_memory};

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

    /// What can be written is not lent out as constant memory.
    #[test]
    fn writable_memory_is_not_static() {
        let modules = modules();
        let executable = modules.iter().find(|module| module.path.is_empty());
        let segment = |writable| {
            let mut segments = executable.unwrap().segments.iter();
            let found = segments.find(|segment| segment.writable == writable);
            found.unwrap().range.clone()
        };
        assert!(static_memory(segment(false)).is_some());
        assert_eq!(static_memory(segment(true)), None);
    }
}

//! Loading and unloading a library, for the torture test: its threads must be captured inside the loader too.

use std::ffi::CStr;

/// Loads the library and unloads it at once; `false` if there is none of that name.
pub(crate) fn load_and_unload(name: &CStr) -> bool {
    // SAFETY: `name` is a C string; callers name a library of the C library's own, whose initialisers have no demands.
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW) };
    if handle.is_null() {
        return false;
    }
    // SAFETY: `handle` comes from `dlopen`, is closed once, and nothing of the library was taken.
    unsafe { libc::dlclose(handle) == 0 }
}

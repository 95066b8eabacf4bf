//! Whether this process can be unwound inside a signal handler without a lock. PURE but for one reader.
//!
//! pprof's unwinder is libgcc's. Since GCC 12 it finds unwind tables through glibc's `_dl_find_object`, which takes no
//! lock; before, it took the loader's, and a sample that hit a thread holding that lock hung the process for ever. A
//! libgcc that imports the symbol can only be loaded by a glibc that has it, so one look at the library settles both.

/// The symbol that only a lock-free libgcc imports.
const LOCK_FREE: &[u8] = b"_dl_find_object";

/// Largest library that is read for the look; libgcc is about 0.2 MiB.
const LIBRARY_LEN_MAX: usize = 16 * 1024 * 1024;

/// Refuses, in words, a process whose unwinder may take a lock.
pub(super) fn check() -> Result<(), String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "runs on the session's own thread"
    )]
    let maps = std::fs::read_to_string("/proc/self/maps")
        .map_err(|error| format!("/proc/self/maps cannot be read: {error}"))?;
    let Some(path) = library(&maps) else {
        return Err("this build unwinds without libgcc_s, expected one linked dynamically against glibc 2.35 or later".to_owned());
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "runs on the session's own thread"
    )]
    let bytes = std::fs::read(path).map_err(|error| format!("{path} cannot be read: {error}"))?;
    if is_lock_free(&bytes) {
        Ok(())
    } else {
        Err(format!(
            "{path} takes locks in signal handlers, expected libgcc of GCC 12 or later with glibc 2.35 or later"
        ))
    }
}

/// Path of the loaded libgcc, from the text of `/proc/self/maps`.
fn library(maps: &str) -> Option<&str> {
    maps.lines()
        .filter_map(|line| line.find('/').map(|at| &line[at..]))
        .find(|path| {
            path.rsplit('/')
                .next()
                .is_some_and(|name| name.starts_with("libgcc_s"))
        })
}

fn is_lock_free(library: &[u8]) -> bool {
    library.len() <= LIBRARY_LEN_MAX
        && library
            .windows(LOCK_FREE.len())
            .any(|window| window == LOCK_FREE)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The library is found by its file name alone, and old ones are told from new ones.
    #[test]
    fn finds_and_judges_the_library() {
        let maps = "55d0-55d1 r-xp 00000000 08:01 12 /srv/libgcc_s/app\n\
                    7f00-7f01 r-xp 00003000 08:01 34                 /usr/lib/x86_64-linux-gnu/libgcc_s.so.1\n\
                    7ffc-7ffd rw-p 00000000 00:00 0                  [stack]\n";
        assert_eq!(
            library(maps),
            Some("/usr/lib/x86_64-linux-gnu/libgcc_s.so.1")
        );
        assert_eq!(library("7ffc-7ffd rw-p 00000000 00:00 0 [stack]"), None);
        assert!(is_lock_free(b"\0dl_iterate_phdr\0_dl_find_object\0"));
        assert!(!is_lock_free(b"\0dl_iterate_phdr\0"));
        assert!(!is_lock_free(b""));
    }
}

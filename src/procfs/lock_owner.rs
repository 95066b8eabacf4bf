//! Who holds a lock, as far as memory tells: the owner that the C library keeps in its mutexes, and the lock's address on a
//! thread's stack.
//!
//! A mutex of the standard library keeps no owner, but its guard is a reference to it, which the holder keeps on its stack
//! while it is blocked elsewhere.

use crate::capture::sys;

/// Bytes of a `pthread_mutex_t` up to its kind, glibc's `struct __pthread_mutex_s`.
const MUTEX_BYTES: usize = 20;

/// Largest plausible kind: types 0 to 3 and the flags for elision, priority and robustness, below 512.
const KIND_MAX: u32 = 512;

/// The part of a priority-inheriting lock's word that is its owner, futex(2).
const OWNER_MASK: u32 = 0x3fff_ffff;

/// Bytes of a blocked thread's stack that are searched from its pointer up, in steps that are readable or not as a whole.
const SEARCHED_BYTES_MAX: u64 = 64 * 1024;
const STEP_BYTES: usize = 4096;

/// How far before a futex its lock may begin: the second word of a standard read-write lock is what its writers wait on.
const LOCK_BEGINS_BEFORE: u64 = 4;

/// The owner, if the memory at a futex is a mutex of the C library that is held.
pub(crate) fn owner_at(futex: u64) -> Option<i32> {
    let mut bytes = [0; MUTEX_BYTES];
    sys::read_memory(futex, &mut bytes).then_some(())?;
    mutex_owner(&bytes)
}

/// The owner in a `pthread_mutex_t`; `None` unless every field is as the C library keeps it while a thread waits.
fn mutex_owner(bytes: &[u8; MUTEX_BYTES]) -> Option<i32> {
    let (words, _) = bytes.as_chunks::<4>();
    let [lock, count, owner, users, kind] = *words else {
        return None;
    };
    let [lock, count, owner, users, kind] =
        [lock, count, owner, users, kind].map(u32::from_ne_bytes);
    // 2 says that somebody waits.
    let is_locked = lock == 2 || lock & OWNER_MASK == owner;
    let is_plausible =
        owner != 0 && (1..OWNER_MASK).contains(&users) && kind < KIND_MAX && count < OWNER_MASK;
    (is_locked && is_plausible).then_some(owner.cast_signed())
}

/// Whether the stack that begins at `sp` holds the address of the lock of `futex`. A few microseconds.
pub(crate) fn is_on_stack(futex: u64, sp: u64) -> bool {
    let mut bytes = [0; STEP_BYTES];
    let mut at = sp & !7;
    let end = at.saturating_add(SEARCHED_BYTES_MAX);
    while at < end {
        let to_step_end = STEP_BYTES - usize::try_from(at).unwrap_or(0) % STEP_BYTES;
        let step = &mut bytes[..to_step_end];
        // Above the thread's stack lies another mapping or none.
        if !sys::read_memory(at, step) {
            return false;
        }
        if holds_address(step, futex) {
            return true;
        }
        at += to_step_end as u64;
    }
    false
}

fn holds_address(stack: &[u8], futex: u64) -> bool {
    let (words, _) = stack.as_chunks::<8>();
    words.iter().any(|word| {
        let word = u64::from_ne_bytes(*word);
        word == futex || word == futex.wrapping_sub(LOCK_BEGINS_BEFORE)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutex(words: [u32; 5]) -> [u8; MUTEX_BYTES] {
        let mut bytes = [0; MUTEX_BYTES];
        for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_ne_bytes());
        }
        bytes
    }

    /// Normal, recursive and priority-inheriting mutexes name their owner; other memory does not look like one.
    #[test]
    fn mutexes_name_their_owner() {
        for (words, expected) in [
            ([2, 0, 4711, 1, 0], Some(4711)),
            ([2, 3, 4711, 1, 1], Some(4711)),
            ([0x8000_0000 | 4711, 0, 4711, 1, 32], Some(4711)),
            // Free, or not waited for.
            ([0, 0, 0, 0, 0], None),
            // A standard mutex with its data behind it.
            ([2, 0, 4711, 0, 0], None),
            ([2, 0, 4711, 1, 0x55d0_c0de], None),
            ([2, 0, 0, 1, 0], None),
        ] {
            assert_eq!(mutex_owner(&mutex(words)), expected, "{words:?}");
        }
    }

    /// An address is found wherever it lies above the pointer, and a pointer into nowhere finds nothing.
    // The twin without capture cannot ask the system.
    #[cfg(not(pollscope_no_capture))]
    #[test]
    fn addresses_on_a_stack() {
        let futex = 0x7f00_1234_5678;
        let mut stack = vec![0_u64; 2048];
        let sp = stack.as_ptr().expose_provenance() as u64;
        assert!(!is_on_stack(futex, sp));
        stack[1500] = futex;
        assert!(is_on_stack(futex, sp));
        stack[1500] = 0;
        stack[3] = futex - LOCK_BEGINS_BEFORE;
        assert!(is_on_stack(futex, sp));
        assert!(!is_on_stack(futex, sp + 32));
        assert!(!is_on_stack(futex, 8));
    }
}

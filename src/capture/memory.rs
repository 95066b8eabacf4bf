//! Memory as the unwinder sees it: a copied stack, and the code and tables of the process behind a trait.
//!
//! The unwinder is pure: it gets values and this trait, so that recorded stacks can be unwound in tests.

use std::ops::Range;

/// Read access to the address space that a stack belongs to.
pub(crate) trait Memory {
    /// Fills `bytes` from `address`, or says that not all of it can be read.
    fn read(&self, address: u64, bytes: &mut [u8]) -> bool;

    /// The bytes themselves, where they can never change or go away.
    fn lend(&self, _range: Range<u64>) -> Option<&'static [u8]> {
        None
    }
}

/// This process, read without a chance to fault.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OwnMemory;

impl Memory for OwnMemory {
    fn read(&self, address: u64, bytes: &mut [u8]) -> bool {
        super::sys::read_memory(address, bytes)
    }

    fn lend(&self, range: Range<u64>) -> Option<&'static [u8]> {
        super::sys::static_memory(range)
    }
}

/// Reads one little-endian word.
pub(crate) fn read_u64(memory: &dyn Memory, address: u64) -> Option<u64> {
    let mut bytes = [0; 8];
    memory
        .read(address, &mut bytes)
        .then(|| u64::from_le_bytes(bytes))
}

/// A word of a copied stack that starts at `base`; overflow-safe, because garbage on a stack points anywhere.
pub(crate) fn stack_word(base: u64, bytes: &[u8], address: u64) -> Option<u64> {
    let offset = usize::try_from(address.checked_sub(base)?).ok()?;
    let word = bytes.get(offset..offset.checked_add(8)?)?;
    word.try_into().ok().map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words inside are read, everything outside is refused, at the ends of the address space too.
    #[test]
    fn stack_words_stay_inside() {
        let bytes = [1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0];
        for (base, address, expected) in [
            (0x1000, 0x1000, Some(1)),
            (0x1000, 0x1008, Some(2)),
            (0x1000, 0x1009, None),
            (0x1000, 0xfff, None),
            (0x1000, u64::MAX, None),
            (u64::MAX - 4, 3, None),
        ] {
            assert_eq!(
                stack_word(base, &bytes, address),
                expected,
                "{base:x} {address:x}"
            );
        }
    }
}

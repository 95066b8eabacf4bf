//! The build id in a module's notes; PURE.
//!
//! A linker writes it into an ELF note (`NT_GNU_BUILD_ID`) that is mapped with the program, so it can be read without the
//! file, also when that was stripped, replaced or deleted. It names the one debug file that belongs to an address.

/// Type of the note (elf.h).
const NT_GNU_BUILD_ID: u32 = 3;

/// Whose namespace the type is from, with its final zero.
const OWNER: &[u8] = b"GNU\0";

/// The build id in hex digits, from the bytes of one note segment.
pub(crate) fn build_id(mut notes: &[u8]) -> Option<String> {
    loop {
        let (name_bytes, description_bytes) = (word(notes, 0)?, word(notes, 4)?);
        let (name, rest) = padded(notes.get(12..)?, name_bytes)?;
        let (description, next) = padded(rest, description_bytes)?;
        if word(notes, 8)? == NT_GNU_BUILD_ID && name == OWNER && !description.is_empty() {
            return Some(hex(description));
        }
        notes = next;
    }
}

/// The first `len` bytes, and what follows them and their padding to four bytes.
fn padded(bytes: &[u8], len: u32) -> Option<(&[u8], &[u8])> {
    let len = usize::try_from(len).ok()?;
    let taken = bytes.get(..len)?;
    // The last note of a segment may lack its padding.
    let rest = bytes.get(len.checked_next_multiple_of(4)?..).unwrap_or(&[]);
    Some((taken, rest))
}

fn word(bytes: &[u8], offset: usize) -> Option<u32> {
    let word = bytes.get(offset..offset.checked_add(4)?)?;
    word.try_into().ok().map(u32::from_le_bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(name: &[u8], kind: u32, description: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in [name.len(), description.len()] {
            bytes.extend(u32::try_from(part).unwrap().to_le_bytes());
        }
        bytes.extend(kind.to_le_bytes());
        for part in [name, description] {
            bytes.extend(part);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes
    }

    /// The id is found behind other notes.
    #[test]
    fn finds_the_id() {
        let id = note(b"GNU\0", 3, &[0xab, 1, 2, 0xff, 5]);
        let other = note(b"stapsdt\0", 3, b"a probe");
        let abi = note(b"GNU\0", 1, &[0; 16]);
        for notes in [
            id.clone(),
            [other, abi, id.clone()].concat(),
            id[..id.len() - 3].to_vec(),
        ] {
            assert_eq!(build_id(&notes).as_deref(), Some("ab0102ff05"));
        }
    }

    /// Cut and lying notes give nothing.
    #[test]
    fn survives_garbage() {
        let id = note(b"GNU\0", 3, &[1; 20]);
        for len in 0..id.len() {
            assert_eq!(build_id(&id[..len]), None, "{len}");
        }
        assert_eq!(build_id(&[0xff; 64]), None);
        assert_eq!(build_id(&note(b"GNU\0", 3, &[])), None);
    }
}

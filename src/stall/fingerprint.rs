//! Same cause, same fingerprint; PURE.

use std::fmt::Write as _;

/// 16 hex digits of the FNV-1a hash (<http://www.isthe.com/chongo/tech/comp/fnv/>) of the parts.
///
/// Not the standard library's hasher: fingerprints are compared between processes and releases, so the function must
/// be fixed.
pub(crate) fn fingerprint(parts: &[&str]) -> String {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let hash = parts
        .iter()
        .flat_map(|part| part.bytes().chain([0]))
        .fold(OFFSET, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(PRIME)
        });
    let mut text = String::with_capacity(16);
    // Writing to a String cannot fail.
    let _ = write!(text, "{hash:016x}");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stable across releases, and parts do not run into each other.
    #[test]
    fn is_fixed() {
        assert_eq!(fingerprint(&[]), "cbf29ce484222325");
        assert_eq!(fingerprint(&["a"]), fingerprint(&["a"]));
        assert_ne!(fingerprint(&["ab", "c"]), fingerprint(&["a", "bc"]));
    }
}

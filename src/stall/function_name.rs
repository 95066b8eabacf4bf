//! How the name of a function on a stack is held against a table; PURE.
//!
//! Names are paths, written in several ways: `regex::search`, `<regex::Regex>::find`, `<&std::fs::File as std::io::Read>::read`. A
//! part of a table begins where a path begins, or with `::` at any of its segments: `ring::` is a crate, and no end of
//! `string::`. What stands in generic arguments is data, not code that runs.

/// Whether a function is one of those that a part of a table stands for.
pub(super) fn is_named(function: &str, part: &str) -> bool {
    if part.starts_with("::") {
        return function.contains(part);
    }
    let path = function.trim_start_matches(['<', '&', '*', '[', '(']);
    if path.starts_with(part) || unqualified(path).starts_with(part) {
        return true;
    }
    // The trait of `<Type as Trait>::method`.
    let implemented = path.len() < function.len();
    implemented
        && function
            .split(" as ")
            .skip(1)
            .any(|path| path.starts_with(part))
}

/// A type without `dyn`, `mut` and `const` before it.
fn unqualified(path: &str) -> &str {
    ["dyn ", "mut ", "const "]
        .iter()
        .find_map(|word| path.strip_prefix(word))
        .unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parts begin at paths, not inside names, and not in generic arguments unless they say so.
    #[test]
    fn parts_begin_at_paths() {
        for (function, part, expected) in [
            ("ring::digest::digest", "ring::", true),
            ("<ring::hmac::Key>::sign", "ring::", true),
            ("<&mut ring::rand::Random>::fill", "ring::", true),
            ("<app::Key as ring::rand::Sealed>::fill", "ring::", true),
            (
                "<&std::io::stdio::Stdout as std::io::Write>::write",
                "std::io::stdio::",
                true,
            ),
            ("<alloc::string::String>::push_str", "ring::", false),
            ("<std::cmp::ordering::Ordering>::then", "ring::", false),
            ("app::ring::Buffer::push", "ring::", false),
            (
                "core::ptr::drop_in_place::<ring::hmac::Key>",
                "ring::",
                false,
            ),
            ("<alloc::vec::Vec<ring::hmac::Key>>::push", "ring::", false),
            ("<std::fs::File>::sync_all", "::sync_all", true),
            ("app::resync_all", "::sync_all", false),
            ("fsync", "fsync", true),
            ("app::fsync_later", "fsync", false),
        ] {
            assert_eq!(is_named(function, part), expected, "{function} {part}");
        }
    }
}

//! Source paths as people read them. PURE.

/// The path without what is the same everywhere: the toolchain's and the package registry's folders.
pub(super) fn short(path: &str) -> &str {
    let after = |marker: &str| path.split_once(marker).map(|(_, rest)| rest);
    // …/rustc/HASH/library/std/src/thread.rs and …/lib/rustlib/src/rust/library/std/src/thread.rs
    if let Some(rest) =
        after("/library/").filter(|_| path.contains("/rustc/") || path.contains("/rustlib/"))
    {
        return rest;
    }
    // …/registry/src/REGISTRY/tokio-1.54.0/src/task.rs
    if let Some((_, rest)) = after("/registry/src/").and_then(|rest| rest.split_once('/')) {
        return rest;
    }
    // Paths of this repository, wherever it is.
    ["/examples/", "/cli/src/"]
        .iter()
        .find_map(|room| path.find(room))
        .map_or(path, |at| &path[at + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: what remains tells where the source is, to a person.
    #[test]
    fn drops_what_is_the_same_everywhere() {
        for (path, expect) in [
            (
                "/rustc/0123abcd/library/std/src/thread/mod.rs",
                "std/src/thread/mod.rs",
            ),
            (
                "/h/.cargo/registry/src/host-1/tokio-1.54.0/src/task.rs",
                "tokio-1.54.0/src/task.rs",
            ),
            (
                "/home/me/pollscope/examples/faults/src/block_sleep.rs",
                "examples/faults/src/block_sleep.rs",
            ),
            (
                "examples/faults/src/block_sleep.rs",
                "examples/faults/src/block_sleep.rs",
            ),
            (
                "/srv/orders/library/src/a.rs",
                "/srv/orders/library/src/a.rs",
            ),
        ] {
            assert_eq!(short(path), expect);
        }
    }
}

//! Folded stacks: one line a stack, outermost function first, with its count. PURE.
//!
//! The format is that of flamegraph.pl and inferno: `thread;outer;inner 7`.

use std::collections::BTreeMap;

use super::{EMPTY, Profile, Sample};

/// The whole profile, sorted, with equal lines summed; a profile without samples is one line that says so and counts 0.
pub(crate) fn folded(profile: &Profile) -> String {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for sample in &profile.samples {
        let count = counts.entry(line(sample)).or_default();
        *count = count.saturating_add(sample.count);
    }
    if counts.is_empty() {
        return format!("{EMPTY} 0\n");
    }
    counts
        .iter()
        .map(|(stack, count)| format!("{stack} {count}\n"))
        .collect()
}

fn line(sample: &Sample) -> String {
    let functions = sample.stack.iter().rev().map(|function| &function.name);
    let names: Vec<String> = std::iter::once(&sample.thread)
        .chain(functions)
        .map(|name| plain(name))
        .collect();
    names.join(";")
}

/// A name without the format's own separators: `<[u8; 4] as Hash>::hash` would otherwise be two functions.
fn plain(name: &str) -> String {
    name.replace(';', ",").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::super::pprof_proto::tests::profile;
    use super::*;

    /// Outermost first, below the thread, equal stacks summed, separators in names replaced.
    #[test]
    fn folds() {
        let profile = profile(&[
            ("worker-1", &["burn", "poll", "main"], 3),
            ("worker-0", &["<[u8; 4] as Hash>::hash", "main"], 2),
            ("worker-1", &["burn", "poll", "main"], 4),
            ("line\nbreak", &[], 1),
        ]);
        assert_eq!(
            folded(&profile),
            "line break 1\nworker-0;main;<[u8, 4] as Hash>::hash 2\nworker-1;main;poll;burn 7\n"
        );
    }

    /// Nothing seen is said, not shown as nothing.
    #[test]
    fn says_that_it_is_empty() {
        assert_eq!(folded(&profile(&[])), format!("{EMPTY} 0\n"));
    }
}

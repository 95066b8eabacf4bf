//! The scenarios of this program: every file in `cli/scenarios`, in the order in which they are shown.

use super::scenario::Scenario;
use crate::ending::Failure;

macro_rules! scenarios {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../scenarios/", $name, ".toml")))),*]
    };
}

/// Names and texts of all files.
const FILES: &[(&str, &str)] = scenarios![
    "sleep",
    "sleep-short",
    "sleep-busy",
    "sleep-endless",
    "cpu-loop",
    "cpu-loop-short",
    "cpu-loop-busy",
    "cpu-steps",
    "cpu-library",
    "cpu-drop",
    "mixed",
    "mixed-short",
    "two-waits",
    "two-waits-short",
    "wait-changes",
    "kernel-read",
    "page-faults",
    "huge-free",
    "mutex-sleeper",
    "mutex-short",
    "mutex-spinner",
    "rwlock",
    "condvar",
    "channel-recv",
    "thread-join",
    "park",
    "self-deadlock",
    "deadlock",
    "convoy",
    "log-lock",
    "file-read",
    "file-sync",
    "file-lock",
    "pipe-read",
    "pipe-write",
    "socket-read",
    "socket-write",
    "socket-poll",
    "socket-accept",
    "connect",
    "child-wait",
    "backtrace",
    "dns",
    "foreign-call",
    "foreign-wait",
    "page-fault",
    "undumpable",
    "case-block",
    "case-long-block",
    "case-endless",
    "case-loop",
    "announced-blocks",
    "exhausted-pool",
    "long-queue",
    "driver-unpolled",
    "hog",
    "leaked-tasks",
    "forgotten-waker",
    "self-waker",
    "idle",
    "short-polls",
    "short-sleeps",
    "slow-async",
    "blocking-pool",
    "block-in-place",
    "many-runtimes",
    "start-up",
    "shutdown",
    "crowded",
    "starved",
    "stopped",
    "stopped-busy",
    "starved-poll",
    "own-threads",
    "throttled",
    "frozen",
    "traced",
    "suspended",
];

/// Every scenario.
///
/// # Errors
///
/// When a file is not sound, which the tests of this program exclude.
pub(crate) fn all() -> Result<Vec<Scenario>, Failure> {
    FILES
        .iter()
        .map(|(name, text)| Scenario::parse(name, text).map_err(Failure::Unable))
        .collect()
}

/// Those with these names, in the catalogue's order; all if there are none.
///
/// # Errors
///
/// A name that no scenario has, with the names there are.
pub(crate) fn named(names: &[String]) -> Result<Vec<Scenario>, Failure> {
    let mut scenarios = all()?;
    let known = |name: &String| scenarios.iter().any(|scenario| scenario.name == *name);
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        let known: Vec<_> = FILES.iter().map(|(name, _)| *name).collect();
        return Err(Failure::Usage(format!(
            "no scenario `{unknown}`, expected some of {}",
            known.join(", ")
        )));
    }
    scenarios.retain(|scenario| names.is_empty() || names.contains(&scenario.name));
    Ok(scenarios)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: every file is sound, every file of the folder is in the list, and a quick drill runs each scenario at least once.
    #[test]
    fn files_are_sound() {
        let scenarios = all().unwrap();
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), scenarios.len());
        for scenario in scenarios {
            assert!(!scenario.quick.is_empty(), "{}", scenario.name);
            assert!(scenario.title.len() > 10, "{}", scenario.name);
        }
    }

    /// Goal: a name that is not there is refused with those that are.
    #[test]
    fn unknown_names_are_refused() {
        let error = named(&["nap".to_owned()]).unwrap_err().to_string();
        assert!(
            error.contains("no scenario `nap`") && error.contains("self-deadlock"),
            "{error}"
        );
        assert_eq!(named(&["sleep".to_owned()]).unwrap().len(), 1);
    }
}

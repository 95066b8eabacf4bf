//! The debug mode through its public API.
//!
//! A process of its own: the mode is the process's, and every other test would be watched more closely.

#[cfg(test)]
mod lints;
#[cfg(test)]
mod stalls;

#[cfg(test)]
use std::sync::{Arc, OnceLock};
#[cfg(test)]
use std::time::{Duration, Instant};

#[cfg(test)]
use pollscope::finding::{Finding, FindingKind};
#[cfg(test)]
use pollscope::{Config, Scope};

/// One scope a process, switched to debug mode while it runs; without that no poll of these tests would be told.
#[cfg(test)]
fn scope() -> &'static Scope {
    static SCOPE: OnceLock<Scope> = OnceLock::new();
    SCOPE.get_or_init(|| {
        let config = Config {
            record: Duration::from_secs(300),
            ..Config::default()
        };
        let scope = Scope::start(config).unwrap();
        assert!(!scope.is_debug());
        scope.set_debug(true);
        scope
    })
}

/// What `look` gives at last; nothing if that takes longer than any watchdog would.
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test waits for the reporter")]
fn soon<T>(look: impl Fn() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let found = look();
        if found.is_some() || Instant::now() > deadline {
            return found;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The first finding of that kind in that runtime.
#[cfg(test)]
#[track_caller]
fn finding(runtime: &str, kind: FindingKind) -> Arc<Finding> {
    let of = |finding: &Arc<Finding>| finding.runtime == runtime && finding.kind == kind;
    let found = soon(|| scope().findings().into_iter().find(of));
    found.unwrap_or_else(|| panic!("no {kind:?} of {runtime} in {:#?}", scope().findings()))
}

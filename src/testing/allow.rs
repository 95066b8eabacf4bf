//! Scopes in which a guarded test may block, each with its reason.

use std::panic::Location;

use super::meter;

/// Runs `body`, in which blocking is no violation; `reason` says why, and must say something.
///
/// For code under test, so that a reader of the code finds the reason where the blocking is. Without a guard on this
/// thread it costs one thread-local load. Scopes nest; the outermost counts. A closure, not a value, so that it cannot
/// be held across an await.
///
/// # Example
///
/// ```
/// pollscope::testing::run(async {
///     let hosts = pollscope::testing::allow_blocking("read once, before anybody is served", || {
///         std::fs::read_to_string("/etc/hosts")
///     });
///     assert!(hosts.is_ok());
/// });
/// ```
#[track_caller]
pub fn allow_blocking<T>(reason: &'static str, body: impl FnOnce() -> T) -> T {
    let _allowed = Allowed::begin(reason, Location::caller());
    body()
}

/// Ends the scope also when its body panics.
struct Allowed {
    is_counted: bool,
}

impl Allowed {
    fn begin(reason: &str, here: &'static Location<'static>) -> Self {
        let is_counted = meter::is_guarded();
        if is_counted {
            meter::begin_allowed(reason, here);
        }
        Self { is_counted }
    }
}

impl Drop for Allowed {
    fn drop(&mut self) {
        if self.is_counted {
            meter::end_allowed();
        }
    }
}

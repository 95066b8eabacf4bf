//! What this program was built from and how, for the report: figures of a debug build are not those of a release.

use serde::Serialize;

/// Version, compiler and flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Build {
    /// Version of the package.
    pub version: &'static str,
    /// The commit, if whoever built it said so in the variable `POLLSCOPE_COMMIT`.
    pub commit: Option<&'static str>,
    /// What `rustc --version` says.
    pub rustc: &'static str,
    /// Flags for it beside those of the profile.
    pub rustflags: &'static str,
    /// `debug` or `release`.
    pub profile: &'static str,
    /// Level of optimisation.
    pub opt_level: &'static str,
    /// The target triple.
    pub target: &'static str,
}

impl Build {
    /// This program.
    pub(crate) fn this() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            commit: option_env!("POLLSCOPE_COMMIT").filter(|commit| !commit.is_empty()),
            rustc: env!("LOAD_RUSTC"),
            rustflags: env!("LOAD_RUSTFLAGS"),
            profile: env!("LOAD_PROFILE"),
            opt_level: env!("LOAD_OPT_LEVEL"),
            target: env!("LOAD_TARGET"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the build script has noted everything.
    #[test]
    fn nothing_is_missing() {
        let build = Build::this();
        for noted in [build.rustc, build.profile, build.opt_level, build.target] {
            assert!(!noted.is_empty(), "{build:?}");
        }
        assert!(build.rustc.starts_with("rustc "), "{build:?}");
    }
}

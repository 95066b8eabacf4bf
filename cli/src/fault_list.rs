//! A list of faults as `--faults` takes it: `none`, or names separated by commas. PURE.

use std::str::FromStr;

use faults::{CATALOGUE, Fault, Finding};

/// Faults in the order in which they were given, each once.
#[derive(Debug, Clone)]
pub(crate) struct FaultList(pub(crate) Vec<&'static Fault>);

impl FaultList {
    /// Those that ordinary traffic is enough to show, in the order of the catalogue. The others end connections, or need
    /// clients that come and go or do not read.
    pub(crate) fn shown_by_traffic() -> Self {
        let is_shown = |fault: &&Fault| {
            matches!(
                fault.finding,
                Finding::Stall { .. } | Finding::Condition { .. } | Finding::Slow { .. }
            )
        };
        Self(CATALOGUE.into_iter().filter(is_shown).collect())
    }
}

impl FromStr for FaultList {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "none" {
            return Ok(Self(Vec::new()));
        }
        let mut list: Vec<&'static Fault> = Vec::new();
        for name in text.split(',').map(str::trim) {
            let fault = named(name)?;
            if !list.iter().any(|known| std::ptr::eq(*known, fault)) {
                list.push(fault);
            }
        }
        Ok(Self(list))
    }
}

/// The fault of this name, or the names there are.
pub(crate) fn named(name: &str) -> Result<&'static Fault, String> {
    Fault::named(name).ok_or_else(|| {
        format!(
            "unknown fault `{name}`; expected one of {}",
            names(&CATALOGUE)
        )
    })
}

/// Names joined by commas.
pub(crate) fn names(faults: &[&Fault]) -> String {
    let names: Vec<_> = faults.iter().map(|fault| fault.name).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: lists keep their order and drop doubles; anything unknown is answered with what is known.
    #[test]
    fn forms() {
        for (text, expect) in [
            ("none", ""),
            ("block-cpu", "block-cpu"),
            ("std-mutex, block-sleep,std-mutex", "std-mutex, block-sleep"),
        ] {
            assert_eq!(names(&text.parse::<FaultList>().unwrap().0), expect);
        }
        for text in ["", "nap", "block-cpu,", "none,block-cpu"] {
            let error = text.parse::<FaultList>().unwrap_err();
            assert!(
                error.contains("expected one of block-sleep"),
                "{text}: {error}"
            );
        }
        assert_eq!(
            names(&FaultList::shown_by_traffic().0),
            "block-sleep, block-cpu, std-mutex, blocking-fs, giant-room, blocking-pool-exhausted, lock-across-await, \
             await-in-fanout"
        );
    }
}

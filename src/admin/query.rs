//! Query strings: read once, refused when something in them was not asked for. PURE.
//!
//! A misspelt parameter that is ignored gives an answer to another question, so an unknown name is an error too.

use std::ops::RangeInclusive;

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;

use super::problem::Problem;

/// The parameters as axum hands them over.
pub(super) type Given = Result<Query<Vec<(String, String)>>, QueryRejection>;

/// The pairs of a query whose names are all among `known`, each at most once.
pub(super) fn pairs(given: Given, known: &[&str]) -> Result<Vec<(String, String)>, Problem> {
    let Query(pairs) = given.map_err(|rejection| {
        Problem::query(format!(
            "{rejection}, expected name=value pairs joined by &"
        ))
    })?;
    for (at, (name, _)) in pairs.iter().enumerate() {
        if !known.contains(&name.as_str()) {
            return Err(Problem::query(format!(
                "unknown parameter {name:?}, expected {}",
                known.join(", ")
            )));
        }
        if pairs[..at].iter().any(|(earlier, _)| earlier == name) {
            return Err(Problem::query(format!(
                "parameter {name:?} is given twice, expected once"
            )));
        }
    }
    Ok(pairs)
}

/// The value of `name`, if given.
pub(super) fn value<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs
        .iter()
        .find(|(given, _)| given == name)
        .map(|(_, value)| value.as_str())
}

/// The whole number `name` within `range`, or `default` when it is not given.
pub(super) fn number(
    pairs: &[(String, String)],
    name: &str,
    range: RangeInclusive<u32>,
    default: u32,
) -> Result<u32, Problem> {
    let Some(text) = value(pairs, name) else {
        return Ok(default);
    };
    text.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
        Problem::query(format!(
            "{name}={text:?} cannot be used, expected a whole number from {} to {}, such as {default}",
            range.start(),
            range.end()
        ))
    })
}

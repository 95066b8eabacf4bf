//! Values that several commands take: an address, a time.

use std::net::SocketAddr;
use std::time::Duration;

/// Longest time that any command takes on the command line: a day, as the load generator's own limit.
pub(super) const SECONDS_MAX: u64 = 24 * 60 * 60;

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "expected ip:port such as 127.0.0.1:6667".to_owned())
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let digits = text.strip_suffix('s').unwrap_or(text);
    match digits.parse() {
        Ok(seconds @ 1..=SECONDS_MAX) => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("expected whole seconds from 1 to {SECONDS_MAX}")),
    }
}

/// As [`seconds`], but none at all is possible too.
pub(super) fn seconds_or_none(text: &str) -> Result<Duration, String> {
    if text.strip_suffix('s').unwrap_or(text) == "0" {
        return Ok(Duration::ZERO);
    }
    seconds(text).map_err(|_| format!("expected whole seconds from 0 to {SECONDS_MAX}"))
}

//! Who may ask: the bearer token, and without one the guard against foreign web pages. PURE.
//!
//! A server on loopback without a token is open to every program of this machine, but it must not be open to the
//! machine's browser: a page of any site can point its own host name at 127.0.0.1 and then read what it likes (DNS
//! rebinding). Such a request carries that site's name in `Host`, so names that are not this machine are refused.

use std::hint::black_box;
use std::net::IpAddr;

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The token is missing or wrong.
    Unauthorized,
    /// There is no token, and the request was made under a name that is not this machine.
    ForeignHost,
}

/// Whether a request with these headers may pass a server with this token.
pub(super) fn check(
    token: Option<&str>,
    authorization: Option<&str>,
    host: Option<&str>,
) -> Result<(), Refusal> {
    match token {
        Some(token) => match authorization.and_then(bearer) {
            Some(given) if same(given.as_bytes(), token.as_bytes()) => Ok(()),
            _ => Err(Refusal::Unauthorized),
        },
        None if host.is_none_or(is_this_machine) => Ok(()),
        None => Err(Refusal::ForeignHost),
    }
}

/// The token of an `Authorization: Bearer …` value; the scheme's name is case-insensitive (RFC 9110, 11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim_matches(' '))
}

/// Equality whose time depends on the length of `given` alone, so that it tells nothing about `expected`.
fn same(given: &[u8], expected: &[u8]) -> bool {
    let mut difference = u8::from(given.len() != expected.len());
    for (at, byte) in given.iter().enumerate() {
        // Past the end of `expected` the lengths differ already, so any byte does.
        difference |= black_box(byte ^ expected.get(at).unwrap_or(&0));
    }
    difference == 0
}

/// Whether a `Host` value is an address literal or `localhost`; a page cannot rebind either to somewhere else.
fn is_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With a token only that token passes, whatever the host.
    #[test]
    fn token_decides() {
        for (authorization, expected) in [
            (Some("Bearer secret"), Ok(())),
            (Some("bearer  secret"), Ok(())),
            (Some("Bearer secre"), Err(Refusal::Unauthorized)),
            (Some("Bearer secrets"), Err(Refusal::Unauthorized)),
            (Some("Bearer "), Err(Refusal::Unauthorized)),
            (Some("Basic secret"), Err(Refusal::Unauthorized)),
            (Some("secret"), Err(Refusal::Unauthorized)),
            (None, Err(Refusal::Unauthorized)),
        ] {
            let got = check(Some("secret"), authorization, Some("metrics.example"));
            assert_eq!(got, expected, "{authorization:?}");
        }
    }

    /// Without a token, names that a foreign page could own do not pass.
    #[test]
    fn host_decides_without_a_token() {
        for (host, passes) in [
            (None, true),
            (Some("localhost"), true),
            (Some("LOCALHOST:7667"), true),
            (Some("127.0.0.1:7667"), true),
            (Some("[::1]:7667"), true),
            (Some("[::1]"), true),
            (Some("evil.example:7667"), false),
            (Some("127.0.0.1.evil.example"), false),
            (Some("localhost.evil.example"), false),
            (Some(""), false),
        ] {
            assert_eq!(check(None, None, host).is_ok(), passes, "{host:?}");
        }
    }
}

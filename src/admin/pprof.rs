//! `/debug/pprof/`: the index of the profiles, and the question that `/debug/pprof/profile` asks.
//!
//! Without `format` the answer is pprof's own format, because that is what `go tool pprof URL` and scrapers expect.

#[cfg_attr(feature = "profile", path = "pprof/cpu.rs")]
#[cfg_attr(not(feature = "profile"), path = "pprof/absent.rs")]
mod engine;

use axum::extract;
use axum::response::{Html, Response};

use super::problem::Problem;
use super::query::{self, Given};
use super::router::Shared;

/// Longest profile; a longer one would outlive the patience of most clients and proxies.
const SECONDS_MAX: u32 = 60;

/// Default length: with 99 Hz, a thousand samples of each busy core.
const SECONDS_DEFAULT: u32 = 10;

/// Fastest sampling; the kernel's timer tick (usually 250 Hz) allows no more.
const HZ_MAX: u32 = 250;

/// Default rate: enough for a minute's shape, and odd, so as not to march in step with periodic work.
const HZ_DEFAULT: u32 = 99;

/// What kind of profile is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Question {
    seconds: u32,
    hz: u32,
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Svg,
    Pprof,
    Folded,
}

pub(super) async fn index() -> Html<&'static str> {
    Html(include_str!("pprof/index.html"))
}

pub(super) async fn profile(
    extract::State(shared): extract::State<Shared>,
    given: Given,
) -> Result<Response, Problem> {
    engine::answer(&shared, Question::parse(given)?).await
}

impl Question {
    fn parse(given: Given) -> Result<Self, Problem> {
        let pairs = query::pairs(given, &["seconds", "hz", "format"])?;
        let format = match query::value(&pairs, "format") {
            None | Some("pprof") => Format::Pprof,
            Some("svg") => Format::Svg,
            Some("folded") => Format::Folded,
            Some(other) => {
                return Err(Problem::query(format!(
                    "format={other:?} is not a format, expected pprof, svg or folded"
                )));
            }
        };
        Ok(Self {
            seconds: query::number(&pairs, "seconds", 1..=SECONDS_MAX, SECONDS_DEFAULT)?,
            hz: query::number(&pairs, "hz", 1..=HZ_MAX, HZ_DEFAULT)?,
            format,
        })
    }
}

//! The same run several times, or two kinds of it in turn, and what they have in common: median and range.
//!
//! One run is an anecdote: the machine may have been busy. Two kinds are run in turn, so that whatever changes slowly meets
//! both.

use load::Report;
use serde::Serialize;

use crate::args::LoadOptions;
use crate::ending::{Ending, Failure};
use crate::render;
use crate::stop::Stop;

/// What a series came to.
#[derive(Debug, Serialize)]
pub(crate) struct Series {
    /// What was run in turn: one or two.
    pub(crate) sides: Vec<Side>,
    /// The first side's median p99 divided by the second's, if there are two.
    pub(crate) p99_ratio: Option<f64>,
    /// Whether the series was ended by its caller.
    pub(crate) cancelled: bool,
    /// Every run, in its order: the sides take turns.
    pub(crate) runs: Vec<Report>,
}

/// One kind of run, over all its runs. Clients that are told apart (slow readers and such) are not in these figures.
#[derive(Debug, Serialize)]
pub(crate) struct Side {
    pub(crate) profile: String,
    /// Runs, and how many of them may be believed and lost nothing.
    pub(crate) runs: usize,
    pub(crate) good: usize,
    pub(crate) achieved_per_s: Option<Spread>,
    pub(crate) p50_ms: Option<Spread>,
    pub(crate) p99_ms: Option<Spread>,
    pub(crate) max_ms: Option<Spread>,
}

/// A figure over several runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// Of these values; `None` if there are none. Of an even number the upper of the middle two.
    fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        Some(Self {
            median: *values.get(values.len() / 2)?,
            min: *values.first()?,
            max: *values.last()?,
        })
    }
}

impl Side {
    fn of(profile: &str, runs: &[&Report]) -> Self {
        let spread = |figure: fn(&Report) -> Option<f64>| {
            Spread::of(runs.iter().filter_map(|report| figure(report)))
        };
        Self {
            profile: profile.to_owned(),
            runs: runs.len(),
            good: runs.iter().filter(|report| report.is_good()).count(),
            achieved_per_s: spread(|report| Some(report.achieved_per_s)),
            p50_ms: spread(|report| report.response_ms.p50),
            p99_ms: spread(|report| report.response_ms.p99),
            max_ms: spread(|report| report.response_ms.max),
        }
    }
}

/// Runs each of `sides`, by name, as often as the options ask, in turn.
pub(super) async fn run(
    options: &LoadOptions,
    sides: &[&str],
    stop: &Stop,
    of: impl AsyncFn(usize) -> Result<Report, Failure>,
) -> Result<Ending, Failure> {
    let mut runs: Vec<Vec<Report>> = sides.iter().map(|_| Vec::new()).collect();
    'all: for _ in 0..options.runs {
        for (side, name) in sides.iter().enumerate() {
            let report = of(side).await?;
            if report.cancelled || stop.is_asked() {
                break 'all;
            }
            render::series_step(name, &report);
            runs[side].push(report);
        }
    }
    let judged: Vec<Side> = sides
        .iter()
        .zip(&runs)
        .map(|(name, runs)| Side::of(name, &runs.iter().collect::<Vec<_>>()))
        .collect();
    let p99 = |side: usize| Some(judged.get(side)?.p99_ms?.median);
    let p99_ratio = p99(0).zip(p99(1)).map(|(first, second)| first / second);
    let is_good = judged
        .iter()
        .all(|side| side.runs > 0 && side.good == side.runs);
    if let Some(file) = &options.svg {
        let last: Vec<&Report> = runs.iter().filter_map(|runs| runs.last()).collect();
        render::load_plot(&last, file)?;
    }
    let series = Series {
        sides: judged,
        p99_ratio,
        cancelled: stop.is_asked(),
        runs: in_turn(runs),
    };
    render::series(&series, options.json)?;
    Ok(Ending::expected_if(is_good))
}

/// The runs of all sides in the order in which they were run.
fn in_turn(sides: Vec<Vec<Report>>) -> Vec<Report> {
    let mut sides: Vec<_> = sides.into_iter().map(Vec::into_iter).collect();
    let mut all = Vec::new();
    loop {
        let before = all.len();
        for side in &mut sides {
            all.extend(side.next());
        }
        if all.len() == before {
            return all;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: median and range are those of the values, in whatever order they came.
    #[test]
    fn spreads() {
        for (values, expect) in [
            (vec![], None),
            (vec![3.0], Some((3.0, 3.0, 3.0))),
            (vec![5.0, 1.0, 3.0], Some((3.0, 1.0, 5.0))),
            (vec![4.0, 1.0, 2.0, 3.0], Some((3.0, 1.0, 4.0))),
        ] {
            let spread = Spread::of(values.into_iter());
            assert_eq!(
                spread.map(|spread| (spread.median, spread.min, spread.max)),
                expect
            );
        }
    }
}

//! What the project promises of every drill, one line each: a figure, its limit, and whether it held. PURE.

use clap::ValueEnum as _;
use serde::Serialize;

use super::crowd::CROWDED_SHARE;
use super::quantile::{median, quantile};
use super::row::{ActScore, Row};
use super::scenario::{Flavor, Tier};

/// Share of right lines and verdicts that a drill must reach.
const RIGHT_PCT: f64 = 95.0;

/// How long after the threshold a report may be in hand: the median, and the slowest of a hundred.
const OPEN_LATE_MS: f64 = 20.0;
const OPEN_LATE_MS_P99: f64 = 100.0;

/// Fewest acts whose times are judged: each process's first report waits for its symbols, and of few the slowest is no quantile.
const OPEN_ACTS_MIN: usize = 20;

/// How far totals may be off, in nineteen of twenty acts that are long enough for that.
const TOTAL_OFF_PCT: f64 = 5.0;

/// Fewest acts of a runtime flavour whose share is judged by itself: of fewer, one is more than a twentieth.
const FLAVOR_ACTS_MIN: usize = 20;

/// Part of the acts whose totals may not be off further.
const TOTAL_QUANTILE: f64 = 0.95;

/// Shortest act whose report must be in hand before it ends: what is reported by two doublings later than the threshold is late
/// on any machine, and computations in tier T0 are told from 150 ms on.
const IN_TIME_MS_MIN: f64 = 200.0;

/// Shortest act whose total is judged: half a look is more than five per cent of shorter ones.
const TOTAL_MS_MIN: f64 = 100.0;

/// One promise. Field names, and the names of promises, are a promise: never renamed, only added to.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Promise {
    /// Its name, one word.
    pub(crate) name: &'static str,
    /// What is promised.
    pub(crate) what: &'static str,
    /// What came out; a share in per cent, a time in milliseconds or a count. `None` where nothing was to be judged.
    pub(crate) figure: Option<f64>,
    /// What it must reach or may not exceed.
    pub(crate) limit: f64,
    /// The unit of both: `%`, `ms` or nothing.
    pub(crate) unit: &'static str,
    /// Whether the figure must be at least the limit, and not at most.
    pub(crate) at_least: bool,
    /// Whether it held.
    pub(crate) held: bool,
    /// Whether it is forgiven that it did not: it is a time, and others took the machine.
    pub(crate) excused: bool,
}

impl Promise {
    /// Whether nothing speaks against the drill.
    pub(crate) fn is_kept(&self) -> bool {
        self.held || self.excused
    }

    fn at_least(name: &'static str, what: &'static str, share: Option<f64>, limit: f64) -> Self {
        Self {
            name,
            what,
            figure: share,
            limit,
            unit: "%",
            at_least: true,
            held: share.is_none_or(|share| share >= limit),
            excused: false,
        }
    }

    fn at_most(
        name: &'static str,
        what: &'static str,
        figure: Option<f64>,
        limit: f64,
        unit: &'static str,
    ) -> Self {
        Self {
            name,
            what,
            figure,
            limit,
            unit,
            at_least: false,
            held: figure.is_none_or(|figure| figure <= limit),
            excused: false,
        }
    }

    fn never(name: &'static str, what: &'static str, count: usize) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "counts of reports are small")]
        Self::at_most(name, what, Some(count as f64), 0.0, "")
    }

    fn unless(self, is_crowded: bool) -> Self {
        Self {
            excused: !self.held && is_crowded,
            ..self
        }
    }
}

/// Every promise, held against the rows of a drill in which others took that share of the CPUs. `threshold_ms` is the length
/// from which on a poll is a stall.
pub(super) fn promises(rows: &[Row], others_share: Option<f64>, threshold_ms: f64) -> Vec<Promise> {
    let is_crowded = others_share.is_some_and(|share| share >= CROWDED_SHARE);
    let mut all = Vec::from(shares(rows));
    all.extend(absences(rows));
    all.extend(times(rows, threshold_ms, is_crowded));
    all
}

fn shares(rows: &[Row]) -> [Promise; 5] {
    let acts = || rows.iter().flat_map(|row| &row.acts);
    let right = |is: fn(&ActScore) -> bool| lowest_share(rows, is);
    let strains = rows.iter().filter(|row| row.is_strain());
    let told = share(strains.map(|row| row.found));
    let escalated = share(rows.iter().filter_map(|row| row.escalated));
    let found = share(acts().map(|act| act.got.is_some()));
    let (lines, verdicts) = (right(|act| act.right_line), right(|act| act.right_verdict));
    [
        Promise::at_least("recall", "stalls found", found, 100.0),
        Promise::at_least("findings", "strains told as what they are", told, 100.0),
        Promise::at_least(
            "lines",
            "stalls on the right line, on the worst flavour",
            lines,
            RIGHT_PCT,
        ),
        Promise::at_least(
            "verdicts",
            "stalls with the right verdict, on the worst flavour",
            verdicts,
            RIGHT_PCT,
        ),
        Promise::at_least(
            "escalations",
            "endless stalls reported again and again",
            escalated,
            100.0,
        ),
    ]
}

fn absences(rows: &[Row]) -> [Promise; 4] {
    let signalled = rows.iter().map(|row| row.blocked_signalled).sum::<u64>();
    [
        Promise::never(
            "wrong-proven",
            "wrong culprits called proven",
            rows.iter().map(|row| row.wrong_proven).sum(),
        ),
        Promise::never(
            "false-blames",
            "reports and findings about code that did nothing",
            rows.iter().map(|row| row.false_blames).sum(),
        ),
        Promise::never(
            "details",
            "rows that lack what they declare beside their acts' lines and verdicts",
            rows.iter().filter(|row| !row.unmet.is_empty()).count(),
        ),
        Promise::never(
            "signals",
            "signals to threads known to stand in a system call",
            usize::try_from(signalled).unwrap_or(usize::MAX),
        ),
    ]
}

fn times(rows: &[Row], threshold_ms: f64, is_crowded: bool) -> [Promise; 4] {
    let acts = || rows.iter().flat_map(|row| &row.acts);
    let long = acts().filter(|act| act.lasted_ms.is_some_and(|lasted| lasted >= IN_TIME_MS_MIN));
    let in_time = share(long.filter_map(|act| act.in_time));
    let totals = acts()
        .filter(|act| act.lasted_ms.is_some_and(|lasted| lasted >= TOTAL_MS_MIN))
        .filter_map(|act| act.total_error_pct);
    let opens: Vec<f64> = opens(rows).collect();
    let opens = if opens.len() < OPEN_ACTS_MIN {
        &[]
    } else {
        opens.as_slice()
    };
    [
        Promise::at_most(
            "open-median",
            "from an act's begin to its report in hand, the median",
            median(opens.iter().copied()),
            threshold_ms + OPEN_LATE_MS,
            "ms",
        )
        .unless(is_crowded),
        Promise::at_most(
            "open-p99",
            "the same, of 99 in a hundred",
            quantile(opens.iter().copied(), 0.99),
            threshold_ms + OPEN_LATE_MS_P99,
            "ms",
        )
        .unless(is_crowded),
        Promise::at_least(
            "in-time",
            "acts of 200 ms and more reported while they last",
            in_time,
            100.0,
        )
        .unless(is_crowded),
        Promise::at_most(
            "totals",
            "how far totals of 100 ms and more are off, of 95 in a hundred",
            quantile(totals, TOTAL_QUANTILE),
            TOTAL_OFF_PCT,
            "%",
        ),
    ]
}

/// Times until reports were in hand, without computations in tier T0, which are told from 150 ms on.
pub(super) fn opens(rows: &[Row]) -> impl Iterator<Item = f64> {
    let is_timed =
        |row: &&Row| row.tier != Tier::T0 || !row.acts.iter().any(|act| act.expected.is_cpu());
    rows.iter()
        .filter(is_timed)
        .flat_map(|row| &row.acts)
        .filter_map(|act| act.open_after_ms)
}

/// Of how many acts it is true, in per cent: of all, or of those of one runtime flavour where that is less.
fn lowest_share(rows: &[Row], is: fn(&ActScore) -> bool) -> Option<f64> {
    let of = |wanted: Option<Flavor>| -> Vec<bool> {
        let rows = rows
            .iter()
            .filter(|row| wanted.is_none_or(|flavor| row.runtime == flavor));
        rows.flat_map(|row| &row.acts).map(is).collect()
    };
    let flavors = Flavor::value_variants()
        .iter()
        .map(|flavor| of(Some(*flavor)))
        .filter(|acts| acts.len() >= FLAVOR_ACTS_MIN);
    flavors
        .chain([of(None)])
        .filter_map(|acts| share(acts.into_iter()))
        .min_by(f64::total_cmp)
}

/// Of how many it is true, in per cent.
fn share(truths: impl Iterator<Item = bool>) -> Option<f64> {
    let (mut right, mut all) = (0_u32, 0_u32);
    for is_right in truths {
        right += u32::from(is_right);
        all += 1;
    }
    (all > 0).then(|| f64::from(right) * 100.0 / f64::from(all))
}

#[cfg(test)]
mod tests {
    use super::super::row::tests::{right, row};
    use super::*;

    fn missed(rows: &[Row], others: f64) -> Vec<(&'static str, bool)> {
        promises(rows, Some(others), 10.0)
            .into_iter()
            .filter(|promise| !promise.held)
            .map(|promise| (promise.name, promise.excused))
            .collect()
    }

    /// Goal: one wrong line or verdict in twenty is forgiven, a second is not; one missing act never is.
    #[test]
    fn shares_are_held() {
        let with = |wrong: usize, spoil: fn(&mut ActScore)| {
            let mut acts = vec![right(12.0); 20];
            acts.iter_mut().take(wrong).for_each(spoil);
            missed(&[row(acts)], 0.0)
        };
        assert_eq!(with(1, |act| act.right_line = false), []);
        assert_eq!(with(2, |act| act.right_line = false), [("lines", false)]);
        assert_eq!(with(1, |act| act.right_verdict = false), []);
        assert_eq!(
            with(2, |act| act.right_verdict = false),
            [("verdicts", false)]
        );
        assert_eq!(with(1, |act| act.got = None), [("recall", false)]);
    }

    /// Goal: whatever else a row misses has a line of its own.
    #[test]
    fn nothing_is_overlooked() {
        let with = |spoil: fn(&mut Row)| {
            let mut spoilt = row(vec![right(12.0)]);
            spoil(&mut spoilt);
            missed(&[row(vec![right(12.0)]), spoilt], 1.0)
        };
        assert_eq!(with(|_| {}), []);
        assert_eq!(with(|row| row.wrong_proven = 1), [("wrong-proven", false)]);
        assert_eq!(with(|row| row.false_blames = 1), [("false-blames", false)]);
        assert_eq!(
            with(|row| row.unmet = vec![String::new()]),
            [("details", false)]
        );
        assert_eq!(
            with(|row| row.escalated = Some(false)),
            [("escalations", false)]
        );
        assert_eq!(with(|row| row.blocked_signalled = 1), [("signals", false)]);
        assert_eq!(
            with(|row| {
                row.acts.clear();
                row.found = false;
            }),
            [("findings", false)]
        );
    }

    /// Goal: a late report is missed, and excused only where others took the machine.
    #[test]
    fn late_reports_are_missed() {
        let late = |others| missed(&[row(vec![right(31.0); 20])], others);
        assert_eq!(late(0.24), [("open-median", false)]);
        assert_eq!(late(CROWDED_SHARE), [("open-median", true)]);
        let mut acts = vec![right(12.0); 50];
        acts.push(right(111.0));
        assert_eq!(missed(&[row(acts)], 0.0), [("open-p99", false)]);
        let few = row(vec![right(31.0); 19]);
        assert_eq!(missed(&[few], 0.0), []);
        let mut computed = row(vec![right(160.0); 20]);
        computed.tier = Tier::T0;
        computed.acts[0].expected = pollscope::stall::Verdict::CpuUser;
        assert_eq!(missed(&[computed], 0.0), []);
    }

    /// Goal: totals count where half a look is less than five per cent.
    #[test]
    fn totals_of_long_acts_count() {
        let off = |lasted_ms| {
            let act = ActScore {
                total_error_pct: Some(6.0),
                lasted_ms: Some(lasted_ms),
                ..right(12.0)
            };
            missed(&[row(vec![act])], 1.0)
        };
        assert_eq!(off(99.0), []);
        assert_eq!(off(100.0), [("totals", false)]);
    }
}

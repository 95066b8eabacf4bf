//! Scenarios: what is done, in which runtimes, and what must be found. Data files, checked as a whole. PURE.
//!
//! Each file in `cli/scenarios` is one scenario; the files are part of the program, so a drill needs nothing but the
//! binary. `docs/drill.md` says how to write one.

use std::fmt;
use std::time::Duration;

use clap::ValueEnum;
use faults::act::{Act, Place, place};
use pollscope::finding::FindingKind;
use pollscope::stall::Verdict;
use serde::{Deserialize, Serialize};

use super::program::Program;
use super::recorded::Recorded;
use super::strain::Strain;

/// One scenario.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Scenario {
    /// Name on the command line; the file's own.
    pub(crate) name: String,
    /// What happens, in one line.
    pub(crate) title: String,
    /// What is done.
    pub(crate) deed: Deed,
    /// Runtimes it runs in.
    #[serde(default = "both_flavors")]
    pub(crate) runtimes: Vec<Flavor>,
    /// Tiers it runs in.
    #[serde(default = "all_tiers")]
    pub(crate) tiers: Vec<Tier>,
    /// The runs of a quick drill, as `runtime/tier`.
    #[serde(default)]
    pub(crate) quick: Vec<Combination>,
    /// What the reader of the table should know.
    #[serde(default)]
    pub(crate) note: String,
}

/// What is done.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Deed {
    /// Workers are held; stalls must be found.
    Stall(Hold),
    /// Something healthy runs, or the machine misbehaves; no code must be blamed.
    Silent(Quiet),
    /// No poll is too long and yet the service suffers: a finding must be told, and no stall.
    Finding(Trouble),
    /// Nothing is done here: evidence of what cannot be made at will is judged as it was recorded.
    Recorded(Box<Recorded>),
}

/// Workers that are held.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Hold {
    /// The act in `examples/faults`.
    pub(crate) act: String,
    /// How long one act lasts.
    #[serde(default = "usual_duration_ms")]
    pub(crate) duration_ms: u64,
    /// How often; an endless act is done once and its process ended.
    #[serde(default = "usual_times")]
    pub(crate) times: u32,
    /// Tasks that act at the same time.
    #[serde(default = "one")]
    pub(crate) tasks: usize,
    /// Whether as many threads as there are CPUs compute in the process meanwhile.
    #[serde(default)]
    pub(crate) busy: bool,
    /// Whether the act never ends, so that escalating reports are expected and no close.
    #[serde(default)]
    pub(crate) endless: bool,
    /// What may be found; the first is what is shown as expected.
    pub(crate) expect: Vec<Expectation>,
    /// Whether every expectation must be met, each by another worker.
    #[serde(default)]
    pub(crate) every: bool,
    /// Places of short waits that belong to the act, so that naming them is not wrong either.
    #[serde(default)]
    pub(crate) also: Vec<String>,
    /// Parts of the wait object that must be named.
    #[serde(default)]
    pub(crate) object: Option<String>,
}

/// A verdict at a place.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Expectation {
    /// Verdicts, any of which is right.
    pub(crate) verdict: Vec<Verdict>,
    /// Name of the marked place.
    pub(crate) at: String,
}

/// Something that must not be blamed on code.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Quiet {
    /// What runs meanwhile.
    pub(crate) program: Program,
    /// What is done to the process from outside.
    #[serde(default)]
    pub(crate) disturbance: Disturbance,
    /// A verdict that must be told at least once, without blaming code.
    #[serde(default)]
    pub(crate) verdict: Option<Verdict>,
    /// Findings that are true here; the note says why.
    #[serde(default)]
    pub(crate) findings: Vec<FindingKind>,
}

/// A strain that must be told as a finding.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Trouble {
    /// What strains the runtime.
    pub(crate) strain: Strain,
    /// The kind that must be told.
    pub(crate) finding: FindingKind,
    /// How long it is strained at least, in seconds; enough on a machine that has CPUs left.
    pub(crate) seconds: u64,
    /// Findings that are true beside it; the note says why.
    #[serde(default)]
    pub(crate) findings: Vec<FindingKind>,
}

/// What is done to a process from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Disturbance {
    /// Nothing.
    #[default]
    None,
    /// Other processes compute on every CPU, twice as many as there are.
    Hogs,
    /// It is stopped (SIGSTOP) and continued now and then.
    Stops,
}

/// How a runtime is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Flavor {
    /// Two workers.
    Multi,
    /// One thread.
    Current,
    /// The future given to `block_on` of a current_thread runtime.
    Root,
    /// A task of a `LocalSet`.
    LocalSet,
    /// A local task of a `LocalRuntime`.
    LocalRuntime,
    /// One current_thread runtime on each of two threads.
    PerCore,
    /// The second of three multi_thread runtimes.
    Second,
    /// A branch of `select!` inside a task.
    Select,
}

/// How much of the runtime is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Tier {
    /// Attached to a plain Tokio runtime.
    T0,
    /// Built by pollscope, without task hooks.
    T1,
    /// Built by pollscope, with task hooks.
    T2,
}

/// A runtime and a tier, written `multi/t2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Combination {
    pub(crate) runtime: Flavor,
    pub(crate) tier: Tier,
}

/// Times a strain's own length that it may take until it is told.
const TROUBLE_ROOM: u32 = 4;

fn both_flavors() -> Vec<Flavor> {
    vec![Flavor::Multi, Flavor::Current]
}

fn all_tiers() -> Vec<Tier> {
    vec![Tier::T0, Tier::T1, Tier::T2]
}

const fn usual_duration_ms() -> u64 {
    300
}

const fn usual_times() -> u32 {
    3
}

const fn one() -> usize {
    1
}

impl Hold {
    /// How long one act lasts; an endless one for as long as anybody could wait.
    pub(crate) fn duration(&self) -> Duration {
        if self.endless {
            Duration::from_secs(3600)
        } else {
            Duration::from_millis(self.duration_ms)
        }
    }

    /// The act.
    pub(crate) fn act(&self) -> Option<&'static Act> {
        Act::named(&self.act)
    }
}

impl Trouble {
    /// How long it is strained at most, while it is not told: a crowded machine needs room.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_secs(self.seconds) * TROUBLE_ROOM
    }
}

impl Expectation {
    /// Whether a reported line is the right one.
    pub(crate) fn is_at(&self, file: &str, line: u32) -> bool {
        place(&self.at).is_some_and(|place: Place| place.holds(file, line))
    }
}

impl Scenario {
    /// Its title, marked if it is judged from recorded evidence.
    pub(crate) fn marked_title(&self) -> String {
        let mark = if matches!(self.deed, Deed::Recorded(_)) {
            " (recorded)"
        } else {
            ""
        };
        format!("{}{mark}", self.title)
    }

    /// Every run of it.
    pub(crate) fn combinations(&self) -> impl Iterator<Item = Combination> {
        self.runtimes.iter().flat_map(|runtime| {
            self.tiers.iter().map(|tier| Combination {
                runtime: *runtime,
                tier: *tier,
            })
        })
    }

    /// Reads a scenario from the text of its file, and checks what types cannot.
    ///
    /// # Errors
    ///
    /// In one line: what is wrong and what was expected.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self, String> {
        let scenario: Self = toml::from_str(text).map_err(|error| format!("{name}: {error}"))?;
        if scenario.name != name {
            return Err(format!(
                "{name}: its name is {}, expected the file's",
                scenario.name
            ));
        }
        let unknown = |what: &str, word: &str| {
            Err(format!(
                "{name}: no {what} `{word}` is marked in examples/faults/src/act"
            ))
        };
        if let Deed::Stall(hold) = &scenario.deed {
            if hold.act().is_none() {
                return unknown("act", &hold.act);
            }
            let places = hold.expect.iter().map(|expected| &expected.at);
            if let Some(place) = places.chain(&hold.also).find(|name| place(name).is_none()) {
                return unknown("place", place);
            }
            if hold.expect.is_empty() {
                return Err(format!("{name}: it expects nothing"));
            }
        }
        let allowed = match &scenario.deed {
            Deed::Silent(quiet) => quiet.findings.as_slice(),
            Deed::Finding(trouble) => trouble.findings.as_slice(),
            Deed::Stall(_) | Deed::Recorded(_) => &[],
        };
        if !allowed.is_empty() && scenario.note.is_empty() {
            return Err(format!(
                "{name}: it allows findings, expected the reason in its note"
            ));
        }
        let runs: Vec<_> = scenario.combinations().collect();
        if let Some(strange) = scenario.quick.iter().find(|quick| !runs.contains(quick)) {
            return Err(format!(
                "{name}: the quick run {strange} is none of its runs"
            ));
        }
        Ok(scenario)
    }
}

/// The word of an enumeration's value on the command line.
pub(crate) fn word(value: &impl ValueEnum) -> String {
    value
        .to_possible_value()
        .map_or_else(String::new, |word| word.get_name().to_owned())
}

impl fmt::Display for Combination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", word(&self.runtime), word(&self.tier))
    }
}

impl<'de> Deserialize<'de> for Combination {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let parsed = text.split_once('/').and_then(|(runtime, tier)| {
            Some(Self {
                runtime: Flavor::from_str(runtime, false).ok()?,
                tier: Tier::from_str(tier, false).ok()?,
            })
        });
        parsed.ok_or_else(|| {
            serde::de::Error::custom(format!(
                "`{text}` is no run, expected runtime/tier such as multi/t2"
            ))
        })
    }
}

macro_rules! by_word {
    ($($name:ident),*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::from_str(&text, false).map_err(serde::de::Error::custom)
            }
        }
    )*};
}
by_word!(Flavor, Tier);

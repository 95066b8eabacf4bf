//! `drill` and the processes that it starts: which scenarios, in which runtimes, and where the result goes.

use std::path::PathBuf;

use clap::Args;

use super::value::SECONDS_MAX;
use crate::cmd::{DrillFlavor, DrillTier};

/// `drill`.
#[derive(Debug, Args)]
pub(crate) struct Drill {
    /// A few runs of each scenario, in three minutes at most
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only these scenarios
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) scenario: Vec<String>,
    /// Only this kind of runtime
    #[arg(long, value_enum)]
    pub(crate) runtime: Option<DrillFlavor>,
    /// Only this tier
    #[arg(long, value_enum)]
    pub(crate) tier: Option<DrillTier>,
    /// How long each scenario that must stay silent is watched [default: 600, with --quick 6]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=SECONDS_MAX))]
    pub(crate) silent_seconds: Option<u64>,
    /// Subjects at the same time [default: 2]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) jobs: Option<u8>,
    /// Subjects that must stay silent at the same time [default: 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) silent_jobs: Option<u8>,
    /// Lists the scenarios instead
    #[arg(long)]
    pub(crate) list: bool,
    /// The result as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Writes the result as a Markdown page, too
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
}

/// `drill-subject`.
#[derive(Debug, Args)]
pub(crate) struct DrillSubject {
    /// Scenario
    pub(crate) scenario: String,
    /// Kind of runtime
    #[arg(long, value_enum)]
    pub(crate) runtime: DrillFlavor,
    /// Tier
    #[arg(long, value_enum)]
    pub(crate) tier: DrillTier,
    /// Length of a scenario that is not over by itself
    #[arg(long)]
    pub(crate) seconds: u64,
}

//! `flamegraph`: what to record, and the file that it becomes.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::at::Token;
use crate::admin_address::AdminAddress;

/// `flamegraph`.
#[derive(Debug, Args)]
pub(crate) struct Flamegraph {
    /// chat, exchange, or the URL of an admin server
    #[arg(long, value_name = "SERVICE|URL", default_value = "exchange")]
    pub(crate) service: AdminAddress,
    /// How long to record
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=60))]
    pub(crate) seconds: u32,
    /// Samples per second and core
    #[arg(long, value_name = "N", default_value_t = 99, value_parser = clap::value_parser!(u32).range(1..=250))]
    pub(crate) hz: u32,
    /// File to write
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Format of the file [default: by its name: .svg, .folded or .txt, .pb.gz or .pprof]
    #[arg(long, value_enum)]
    pub(crate) format: Option<ProfileFormat>,
    #[command(flatten)]
    pub(crate) token: Token,
}

/// How a profile is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProfileFormat {
    /// A picture for the browser
    Svg,
    /// One line a stack
    Folded,
    /// For `go tool pprof`
    Pprof,
}

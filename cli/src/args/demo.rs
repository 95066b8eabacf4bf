//! `demo`: what to break, for how long, in which runtime.

use std::time::Duration;

use clap::Args;

use super::serve::Flavor;
use super::value::seconds;
use crate::fault_list::FaultList;

/// `demo`.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Faults to walk through, or `none` for a clean run [default: all that show under this load]
    #[arg(long, value_name = "none|NAME,…")]
    pub(crate) faults: Option<FaultList>,
    /// Ends after so many seconds at most [default: 110, with --faults none 20]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) duration: Option<Duration>,
    /// Runtime of the services
    #[arg(long, value_enum, default_value_t)]
    pub(crate) runtime: Flavor,
    /// One JSON object a line instead of text
    #[arg(long)]
    pub(crate) json: bool,
    /// Stay, with services and load running, until Ctrl-C
    #[arg(long, visible_alias = "stay")]
    pub(crate) keep: bool,
    /// Let the system choose all ports instead of the usual ones
    #[arg(long)]
    pub(crate) any_port: bool,
    /// Do not serve tokio-console
    #[arg(long)]
    pub(crate) no_console: bool,
}

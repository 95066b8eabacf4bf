//! `faults`: which one to switch, and where.

use clap::Subcommand;

use super::at::At;

/// `faults`.
#[derive(Debug, Subcommand)]
pub(crate) enum Faults {
    /// Every fault there is, what it does and what must be found
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Switch a fault on, in all services that run unless one is named
    On {
        /// Which fault
        name: String,
        /// How long one firing lasts [default: the fault's own, see `faults list`]
        #[arg(long, value_name = "MS")]
        duration_ms: Option<u64>,
        /// Pause between two firings [default: the fault's own]
        #[arg(long, value_name = "MS")]
        pause_ms: Option<u64>,
        /// How many there are of what the fault makes or leaves [default: the fault's own]
        #[arg(long, value_name = "N")]
        count: Option<u64>,
        #[command(flatten)]
        at: At,
    },
    /// Switch a fault off, in all services that run unless one is named
    Off {
        /// Which fault
        name: String,
        #[command(flatten)]
        at: At,
    },
    /// Which faults are on, and what they have done
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        at: At,
    },
}

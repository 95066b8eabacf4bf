//! `stalls`: whose, and in which form.

use clap::Args;

use super::at::At;

/// `stalls`.
#[derive(Debug, Args)]
pub(crate) struct Stalls {
    #[command(flatten)]
    pub(crate) at: At,
    /// Go on with every new one until Ctrl-C
    #[arg(long)]
    pub(crate) follow: bool,
    /// As a JSON array, with --follow one object a line
    #[arg(long)]
    pub(crate) json: bool,
}

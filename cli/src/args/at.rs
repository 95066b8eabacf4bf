//! Whom a command talks to, and what lets it in.

use clap::Args;

use crate::admin_address::AdminAddress;

/// Whom to talk to.
#[derive(Debug, Args)]
pub(crate) struct At {
    /// chat, exchange, or the URL of an admin server [default: both, as far as they run]
    #[arg(long, value_name = "SERVICE|URL")]
    pub(crate) service: Option<AdminAddress>,
    #[command(flatten)]
    pub(crate) token: Token,
}

/// The admin server's token.
#[derive(Debug, Args)]
pub(crate) struct Token {
    /// Token of the admin server [default: POLLSCOPE_ADMIN_TOKEN]
    #[arg(long)]
    token: Option<String>,
}

impl Token {
    /// The token given, else the one of the environment.
    pub(crate) fn or_environment(self) -> Option<String> {
        self.token.or_else(environment_token)
    }
}

/// `POLLSCOPE_ADMIN_TOKEN`; an empty one is none, as for the services.
pub(crate) fn environment_token() -> Option<String> {
    std::env::var("POLLSCOPE_ADMIN_TOKEN")
        .ok()
        .filter(|token| !token.is_empty())
}

//! The subcommands that ask a running gateway.

use super::AnswerFormat;
use crate::{admin::Address, control::log::Level};
use clap::Args;

/// Which gateway is asked.
#[derive(Args, Clone, Debug)]
pub struct AskArgs {
    /// Where the gateway's admin pages are: what `run` has as --admin, an address with a port or unix:PATH
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:15000", env = "SLUICEGATE_ADMIN")]
    pub admin: Address,
}

/// `drain`
#[derive(Args, Clone, Debug)]
pub struct AskDrainArgs {
    /// Which gateway is asked.
    #[command(flatten)]
    pub ask: AskArgs,
    /// Come back when it has ended
    #[arg(long)]
    pub wait: bool,
}

/// `status`
#[derive(Args, Clone, Debug)]
pub struct StatusArgs {
    /// Which gateway is asked.
    #[command(flatten)]
    pub ask: AskArgs,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t = AnswerFormat::Text)]
    pub format: AnswerFormat,
}

/// `log-level`
#[derive(Args, Clone, Debug)]
pub struct LogLevelArgs {
    /// How much is said from now on: error, warn, info, debug; without it, how much is said at present is printed
    #[arg(value_name = "LEVEL")]
    pub level: Option<Level>,
    /// Which gateway is asked.
    #[command(flatten)]
    pub ask: AskArgs,
}

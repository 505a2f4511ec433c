//! The subcommands that ask a running gateway: each is a page of its admin address.

use super::{
    FAILED, GOOD,
    args::{AnswerFormat, AskArgs, AskDrainArgs, LogLevelArgs, StatusArgs},
    output::{complain, print},
};
use crate::{
    admin::{AskError, Told, ask, gone},
    control::block_on,
};

/// `reload`: the exit code is 0 if the new configuration is served.
pub(super) fn reload(args: &AskArgs) -> u8 {
    command(args, "/reload")
}

/// `upgrade`: the exit code is 0 if another process has taken over.
pub(super) fn upgrade(args: &AskArgs) -> u8 {
    command(args, "/upgrade")
}

/// `drain`
pub(super) fn drain(args: &AskDrainArgs) -> u8 {
    let code = command(&args.ask, "/drain");
    if code != GOOD || !args.wait {
        return code;
    }
    match block_on(gone(&args.ask.admin)) {
        Ok(()) => print("ended\n"),
        Err(error) => failed(error),
    }
}

/// `status`: the exit code is 0 if it serves.
pub(super) fn status(args: &StatusArgs) -> u8 {
    let query = match args.format {
        AnswerFormat::Text => "format=text",
        AnswerFormat::Json => "format=json",
    };
    let info = match get(&args.ask, &format!("/server_info?{query}")) {
        Ok(told) => told,
        Err(code) => return code,
    };
    let ready = match get(&args.ask, "/ready?format=text") {
        Ok(told) => told,
        Err(code) => return code,
    };
    let written = match args.format {
        AnswerFormat::Text => print(&format!("{}\n{}", ready.text, info.text)),
        AnswerFormat::Json => print(&info.text),
    };
    if ready.is_good() && info.is_good() { written } else { FAILED }
}

/// `log-level`
pub(super) fn log_level(args: &LogLevelArgs) -> u8 {
    match args.level {
        Some(level) => command(&args.ask, &format!("/logging?level={level}")),
        None => get(&args.ask, "/logging").map_or_else(|code| code, |told| tell(&told)),
    }
}

fn command(args: &AskArgs, path: &str) -> u8 {
    done(block_on(ask(&args.admin, true, path))).map_or_else(|code| code, |told| tell(&told))
}

fn get(args: &AskArgs, path: &str) -> Result<Told, u8> {
    done(block_on(ask(&args.admin, false, path)))
}

fn done(asked: std::io::Result<Result<Told, AskError>>) -> Result<Told, u8> {
    match asked {
        Ok(Ok(told)) => Ok(told),
        Ok(Err(error)) => Err(failed(error)),
        Err(error) => Err(failed(error)),
    }
}

fn failed(error: impl std::fmt::Display) -> u8 {
    complain(&format!("error: {error}\n"));
    FAILED
}

/// A success to standard output, anything else to standard error.
fn tell(told: &Told) -> u8 {
    if told.is_good() {
        return print(&told.text);
    }
    complain(&format!("error: {}\n", told.text.trim_end()));
    FAILED
}

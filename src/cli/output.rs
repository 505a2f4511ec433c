//! Results to standard output, problems to standard error.

use super::{FAILED, GOOD, load::Loaded};
use crate::config::{
    Diagnostic, Severity,
    render::{Color, Format, render},
};
use std::{
    env,
    io::{self, ErrorKind, IsTerminal, Write},
};

/// Writes a result to standard output; returns the exit code.
pub(super) fn print(text: &str) -> u8 {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => GOOD,
        // Who reads has seen enough, as `head` does.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => GOOD,
        Err(error) => {
            complain(&format!("error: can't write to standard output: {error}\n"));
            FAILED
        }
    }
}

/// Writes to standard error. If that is gone there is nobody left to tell.
pub(super) fn complain(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Writes the diagnostics that are at least so bad to standard error.
pub(super) fn report(loaded: &Loaded, severity: Severity) {
    let chosen: Vec<Diagnostic> =
        loaded.diagnostics.iter().filter(|diagnostic| diagnostic.severity >= severity).cloned().collect();
    complain(&render(&chosen, &loaded.resources.sources, Format::Human(color(io::stderr().is_terminal()))));
}

/// Whether text has colours: on a terminal, unless `NO_COLOR` says otherwise (no-color.org).
pub(super) fn color(is_terminal: bool) -> Color {
    let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if is_terminal && !refused { Color::Ansi } else { Color::None }
}

/// What `routes` and `explain` do about a configuration with errors: they say so, and go on with what is right.
pub(super) fn report_errors(loaded: &Loaded) -> u8 {
    if !loaded.has_errors() {
        return GOOD;
    }
    report(loaded, Severity::Error);
    complain(
        "error: `run` does not start with these errors; what follows leaves out the objects that have them\n",
    );
    FAILED
}

//! `sluicegate explain`: what becomes of one request, and why.

#[cfg(test)]
mod tests;

use super::{
    args::{AnswerFormat, ExplainArgs},
    load::load,
    output::{print, report_errors},
    usage_error,
};
use crate::{
    compile::Http2Options,
    explain::{Configuration, Explained, Health, Question, explain},
};

/// Runs the subcommand; returns the exit code. That the answer is a 404 is no failure.
pub(super) fn run(args: &ExplainArgs) -> u8 {
    let question = question(args);
    if let Err(message) = question.check() {
        return usage_error(message);
    }
    let port_map = args.workload.port_map.clone().unwrap_or_default();
    let mut loaded = load(&args.config.config, &args.workload, &port_map, Http2Options::default());
    // Without randomness there is nothing to know of certificates; what is told is the rest.
    let health = loaded.credentials().map(|found| Health::new(&found, &loaded.compiled.snapshot));
    let code = report_errors(&loaded);
    let configuration =
        Configuration { snapshot: &loaded.compiled.snapshot, inventory: &loaded.compiled.inventory };
    let explained = match explain(&question, configuration, &health.unwrap_or_default()) {
        Ok(explained) => explained,
        Err(message) => return usage_error(message),
    };
    let text = |explained: &Explained| match args.format {
        AnswerFormat::Text => explained.text(&loaded.resources.sources),
        AnswerFormat::Json => explained.json(),
    };
    code.max(print(&text(&explained)))
}

fn question(args: &ExplainArgs) -> Question {
    Question {
        url: args.url.clone(),
        method: args.method.clone(),
        headers: args.headers.clone(),
        http2: args.http2,
        unix_socket: args.unix_socket.clone(),
        sni: args.sni.clone(),
        from: args.from,
    }
}

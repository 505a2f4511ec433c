//! What changes something.

use super::state;
use crate::{
    admin::{endpoint::Later, reply::Reply, request::Asked},
    control::{Command, Gateway, Outcome, log},
};
use serde_json::json;
use std::rc::Rc;
use tokio::sync::oneshot;

pub(super) fn set_level(_: &Gateway, asked: &Asked) -> Reply {
    // One that is none has been refused, and one that is missing.
    if let Some(level) = asked.get("level").and_then(|name| name.parse().ok()) {
        log::set_level(level);
    }
    state::level(asked)
}

pub(super) fn drain(gateway: &Gateway, asked: &Asked) -> Reply {
    gateway.command(Command::Drain);
    told(&Outcome { is_done: true, text: "draining".into() }, asked)
}

pub(super) fn reload(gateway: Rc<Gateway>, asked: Asked) -> Later {
    Box::pin(done(gateway, asked, Command::Reload))
}

pub(super) fn upgrade(gateway: Rc<Gateway>, asked: Asked) -> Later {
    Box::pin(done(gateway, asked, Command::Upgrade))
}

/// Gives a command, and waits for what becomes of it.
async fn done(gateway: Rc<Gateway>, asked: Asked, command: fn(oneshot::Sender<Outcome>) -> Command) -> Reply {
    let (answer, outcome) = oneshot::channel();
    gateway.command(command(answer));
    // Whoever takes commands has dropped it, or the channel has.
    let dropped = |_| Outcome {
        is_done: false,
        text: format!("nobody took the command: the gateway is {} or has too many of them", gateway.state()),
    };
    told(&outcome.await.unwrap_or_else(dropped), &asked)
}

fn told(outcome: &Outcome, asked: &Asked) -> Reply {
    let status = if outcome.is_done { 200 } else { 409 };
    let value = || json!({ "done": outcome.is_done, "text": outcome.text });
    Reply::either(status, asked.format, value, || format!("{}\n", outcome.text.trim_end()))
}

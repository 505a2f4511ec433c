//! `sluicegate top`: a running gateway in a terminal, live. It asks for the document that the dashboard asks for.
//!
//! - `model`: what the gateway has said, and what follows from it: rates and percentiles
//! - `screen`: what is on the screen, and what keys change of it
//! - `view`, `panes`: the screen as a terminal shows it
//! - `plain`: one look, as plain text
//! - `words`: numbers and times as people read them

mod model;
mod panes;
mod plain;
mod screen;
#[cfg(test)]
mod tests;
mod view;
mod words;

use super::{
    FAILED, GOOD,
    args::TopArgs,
    output::{complain, print},
};
use crate::{
    admin::{Address, ask},
    control::{Signal, Signals, block_on},
};
use model::Model;
use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event as Input, KeyEvent, KeyEventKind},
};
use screen::{Next, Screen};
use serde_json::Value;
use std::{
    io::{self, IsTerminal},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::{Duration, Instant},
};
use view::Asked;

/// A gateway that does not answer for so long is not there.
const ANSWER_TIME: Duration = Duration::from_secs(5);
/// What is on the screen is drawn again at least so often: ages go on.
const DRAW_AGAIN: Duration = Duration::from_secs(1);

/// Runs the subcommand; returns the exit code.
pub(super) fn run(args: &TopArgs) -> u8 {
    if args.once || !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return once(&args.ask.admin);
    }
    match live(args) {
        Ok(()) => GOOD,
        Err(error) => {
            complain(&format!("error: can't use the terminal: {error}\n"));
            FAILED
        }
    }
}

fn once(address: &Address) -> u8 {
    match get(address, "/api/overview?history=1") {
        Ok(answer) => {
            let mut model = Model::default();
            model.take(answer);
            print(&plain::snapshot(&model, &address.to_string()))
        }
        Err(error) => {
            complain(&format!("error: {error}\n"));
            FAILED
        }
    }
}

/// The document, or why there is none.
fn get(address: &Address, path: &str) -> Result<Value, String> {
    let told = block_on(ask(address, false, path)).map_err(|error| error.to_string())?;
    let told = told.map_err(|error| error.to_string())?;
    if !told.is_good() {
        return Err(format!("{address} answers {}: {}", told.status, told.text.trim_end()));
    }
    let answer: Value = serde_json::from_str(&told.text).map_err(|error| format!("{address}: {error}"))?;
    match answer["schema"].as_u64() {
        Some(_) => Ok(answer),
        None => Err(format!("{address} is not the admin address of a gateway that knows this page")),
    }
}

/// What happens.
enum Event {
    Answer(Result<Value, String>),
    Key(KeyEvent),
    Resize,
    /// The process is to end, or there is no terminal any more.
    End,
}

fn live(args: &TopArgs) -> io::Result<()> {
    let (events, happened) = channel();
    listen(&events)?;
    let questions = asker(args.ask.admin.clone(), events)?;
    let terminal = ratatui::try_init()?;
    let ended = Live {
        model: Model::default(),
        screen: Screen::default(),
        address: args.ask.admin.to_string(),
        interval: args.interval,
        questions,
        asked: None,
        due: Instant::now(),
        lost: None,
        wants_history: true,
    }
    .run(terminal, &happened);
    ratatui::try_restore()?;
    ended
}

/// Threads for the keys and for signals. When this returns no signal ends the process by default any more: one that did
/// would leave the terminal as `top` had it.
fn listen(events: &Sender<Event>) -> io::Result<()> {
    let (keys, signals) = (events.clone(), events.clone());
    let read_keys = move || {
        loop {
            let event = match event::read() {
                Ok(Input::Key(key)) if key.kind != KeyEventKind::Release => Event::Key(key),
                Ok(Input::Resize(..)) => Event::Resize,
                Ok(_) => continue,
                Err(_) => Event::End,
            };
            let is_end = matches!(event, Event::End);
            if keys.send(event).is_err() || is_end {
                return;
            }
        }
    };
    thread::Builder::new().name("keys".into()).spawn(read_keys)?;
    let (caught, are_caught) = channel();
    let wait = async move {
        let all = Signals::new();
        // Whoever started this thread waits for it.
        let _ = caught.send(all.as_ref().map(|_| ()).map_err(|error| io::Error::from(error.kind())));
        let Ok(mut all) = all else { return };
        // That is for logs.
        while all.next().await == Signal::Reopen {}
        // Nobody listens if it ends already.
        let _ = signals.send(Event::End);
    };
    thread::Builder::new().name("signals".into()).spawn(move || block_on(wait))?;
    are_caught.recv().map_err(io::Error::other)?
}

/// A thread that asks one question after another: a gateway that is slow must not hold up the keys.
fn asker(address: Address, events: Sender<Event>) -> io::Result<Sender<String>> {
    let (questions, asked) = channel::<String>();
    let answer = move || {
        for path in asked {
            if events.send(Event::Answer(get(&address, &path))).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("asker".into()).spawn(answer)?;
    Ok(questions)
}

struct Live {
    model: Model,
    screen: Screen,
    address: String,
    interval: Duration,
    questions: Sender<String>,
    /// When the question was asked that has no answer yet.
    asked: Option<Instant>,
    /// When the next one is to be asked.
    due: Instant,
    /// Why there was no answer, and since when.
    lost: Option<(String, Instant)>,
    wants_history: bool,
}

impl Live {
    fn run(mut self, mut terminal: DefaultTerminal, happened: &Receiver<Event>) -> io::Result<()> {
        loop {
            self.ask();
            terminal.draw(|frame| {
                let now = Instant::now();
                let lost = self.lost.as_ref().map(|(why, since)| (why.as_str(), milliseconds(now, *since)));
                view::draw(frame, &self.model, &self.screen, &Asked { address: &self.address, lost });
            })?;
            let wait = self.due.saturating_duration_since(Instant::now()).min(DRAW_AGAIN);
            // A question without an answer needs no look before there is something to see.
            let wait = if self.asked.is_some() || self.screen.is_paused { DRAW_AGAIN } else { wait };
            match happened.recv_timeout(wait) {
                Ok(Event::Answer(answer)) => self.answered(answer),
                Ok(Event::Key(key)) => {
                    let rows = self.screen.rows(&self.model);
                    match self.screen.press(key, rows) {
                        Next::Quit => return Ok(()),
                        Next::Ask => self.due = Instant::now(),
                        Next::Draw | Next::Nothing => {}
                    }
                }
                Ok(Event::Resize) | Err(RecvTimeoutError::Timeout) => {}
                Ok(Event::End) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    fn ask(&mut self) {
        let now = Instant::now();
        if let Some(asked) = self.asked {
            if now.saturating_duration_since(asked) > ANSWER_TIME && self.lost.is_none() {
                self.lost = Some(("it takes the connection and does not answer".to_owned(), asked));
            }
            return;
        }
        if self.screen.is_paused || now < self.due {
            return;
        }
        let mut path = format!("/api/overview?loads_since={}", self.model.latest_load());
        if self.wants_history {
            path.push_str("&history=1");
        }
        let filter = self.screen.filter.trim();
        if !filter.is_empty() {
            let filter = encoded(filter);
            path.push_str(&format!("&routes={filter}&clusters={filter}"));
        }
        // The thread lives as long as this does.
        if self.questions.send(path).is_ok() {
            (self.asked, self.due) = (Some(now), now + self.interval);
        }
    }

    fn answered(&mut self, answer: Result<Value, String>) {
        self.asked = None;
        match answer {
            Ok(answer) => {
                let had_history = answer.get("history").is_some();
                let is_new = self.model.take(answer);
                // What was asked of the process before knew nothing of this one.
                self.wants_history = is_new && !had_history;
                self.lost = None;
            }
            Err(why) => {
                let since = self.lost.take().map_or_else(Instant::now, |(_, since)| since);
                self.lost = Some((why, since));
                self.wants_history = true;
            }
        }
    }
}

fn milliseconds(now: Instant, since: Instant) -> u64 {
    u64::try_from(now.saturating_duration_since(since).as_millis()).unwrap_or(u64::MAX)
}

/// As a query has it.
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

//! All that may fail of a reload, and all that takes time, on a thread of its own: nothing that is served changes by it.

use super::{
    carry::{Carried, carry},
    changes::Changes,
    load::{Loaded, Loader, Served},
    sockets::{Present, Sockets},
};
use crate::{
    config::{Contents, Diagnostic},
    control::{
        Credentials, Load,
        credentials::{Found, Known},
        watch::Signature,
    },
    listener::BindError,
    table::Snapshot,
};
use std::{
    collections::HashSet,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

/// Errors that the log gets a line each of. The rest is for `sluicegate check`, and the admin pages.
const LINES_MAX: usize = 10;

/// What is served while another configuration is prepared.
pub(super) struct Before {
    pub(super) why: &'static str,
    pub(super) at: SystemTime,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) credentials: Known,
    /// Where it listens.
    pub(super) present: Present,
    pub(super) workers: usize,
    /// What it was made of.
    pub(super) read: Arc<WasRead>,
    /// What was found to have errors last.
    pub(super) refused: Option<u64>,
    /// Also if the files are as they were.
    pub(super) in_any_case: bool,
}

/// What is remembered of the files that are served.
#[derive(Debug, Default)]
pub(in crate::control) struct WasRead {
    pub(super) digest: u64,
    /// Files that had something in them.
    full: HashSet<String>,
    /// Directories that had no file in them.
    empty: Vec<PathBuf>,
}

impl WasRead {
    /// Of these files.
    pub(super) fn new(contents: &Contents) -> WasRead {
        let full = contents.sizes().filter(|(_, size)| *size > 0).map(|(name, _)| name.to_owned());
        WasRead { digest: contents.digest(), full: full.collect(), empty: contents.empty().to_vec() }
    }

    /// What is gone that nobody takes away on purpose: a directory that is empty now, as when a volume is not mounted, and a file
    /// that is, as when a disk is full.
    fn losses(&self, now: &Contents) -> Vec<Diagnostic> {
        let directories = now.empty().iter().filter(|path| !self.empty.contains(path)).map(|path| {
            let message = format!("the directory `{}` had files and has none now", path.display());
            Diagnostic::error("lost-configuration", message)
        });
        let files =
            now.sizes().filter(|(name, size)| *size == 0 && self.full.contains(*name)).map(|(name, _)| {
                let message = format!("the file `{name}` had something in it and is empty now");
                Diagnostic::error("lost-configuration", message)
                    .help("delete the file if what was in it is not wanted any more")
            });
        directories.chain(files).collect()
    }
}

/// Another configuration that can be served from now on.
pub(in crate::control) struct Prepared {
    /// Its generation is still to be given.
    pub(super) snapshot: Snapshot,
    pub(super) carried: Carried,
    pub(super) credentials: Credentials,
    /// What is new about certificates.
    pub(super) found: Found,
    pub(super) sockets: Sockets,
    pub(super) changes: Changes,
    pub(super) served: Served,
    pub(super) load: Load,
    /// How long the steps took: reading and compiling; taking over; certificates; sockets.
    pub(super) took: [Duration; 4],
}

/// Why there is none.
pub(in crate::control) enum Failed {
    /// The files are what is served already, or what was refused already.
    Same { signature: Signature, is_served: bool },
    /// There are errors: one line each for the log, and how many there are beside them.
    Errors { load: Load, served: Served, lines: Vec<String>, more: usize },
}

pub(super) fn prepare(loader: &Loader, before: Before) -> Result<Box<Prepared>, Box<Failed>> {
    let mut clock = Steps(Instant::now());
    let signature = loader.signature();
    let contents = loader.read();
    let digest = contents.digest();
    if !before.in_any_case && (digest == before.read.digest || Some(digest) == before.refused) {
        return Err(Box::new(Failed::Same { signature, is_served: digest == before.read.digest }));
    }
    let losses = before.read.losses(&contents);
    let mut loaded = loader.compile(contents, signature);
    loaded.diagnostics.extend(losses);
    if loaded.has_errors() {
        return Err(failed(&loaded, before.at, before.why));
    }
    let compiled = clock.step();
    let mut snapshot = std::mem::take(&mut loaded.compiled.snapshot);
    let carried = carry(&before.snapshot, &mut snapshot, Instant::now());
    let taken_over = clock.step();
    let secrets = std::mem::take(&mut loaded.compiled.secrets);
    let (credentials, found) =
        Credentials::load_after(before.credentials, &snapshot, secrets, SystemTime::now());
    loaded.diagnostics.extend(credentials.diagnostics(&loaded.resources.sources));
    let certified = clock.step();
    let sockets = match Sockets::bind(&snapshot, &before.present, before.workers) {
        Ok(sockets) => sockets,
        Err(error) => {
            loaded.diagnostics.push(not_bound(&error));
            return Err(failed(&loaded, before.at, before.why));
        }
    };
    let changes = Changes::between(&before.snapshot, &snapshot, &carried, found.changes.len());
    let load = loaded.record(before.at, before.why, None);
    Ok(Box::new(Prepared {
        took: [compiled, taken_over, certified, clock.step()],
        snapshot,
        carried,
        credentials,
        found,
        sockets,
        changes,
        served: loaded.served.clone(),
        load,
    }))
}

fn failed(loaded: &Loaded, at: SystemTime, why: &'static str) -> Box<Failed> {
    let (lines, more) = loaded.error_lines(LINES_MAX);
    Box::new(Failed::Errors {
        load: loaded.record(at, why, None),
        served: loaded.served.clone(),
        lines,
        more,
    })
}

fn not_bound(error: &BindError) -> Diagnostic {
    let text = error.to_string();
    match text.split_once("\n  help: ") {
        Some((message, help)) => Diagnostic::error("port-not-available", message).help(help),
        None => Diagnostic::error("port-not-available", text),
    }
}

/// Measures steps.
struct Steps(Instant);

impl Steps {
    /// How long the last one took; the next one begins.
    fn step(&mut self) -> Duration {
        let now = Instant::now();
        now - std::mem::replace(&mut self.0, now)
    }
}

//! The Secrets among the configuration files, read again.

use super::links::{Interest, is_configuration};
use crate::{
    compile::{self, Workload},
    config::{self, Diagnostic, Input, Severity},
    control::log,
    tls::Secrets,
};
use std::{fs, os::unix::fs::MetadataExt, path::PathBuf};

/// Where the Secrets of this gateway are.
#[derive(Clone, Debug)]
pub struct Reread {
    /// The configuration.
    pub inputs: Vec<Input>,
    /// Whose Secrets are meant.
    pub workload: Workload,
    /// Of the inputs, from before they were read.
    pub signature: Signature,
}

/// What tells that files are others than before, or were written to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signature(Vec<(PathBuf, [i64; 6])>);

impl Signature {
    /// Of the files of a configuration.
    pub fn of(inputs: &[Input]) -> Signature {
        let mut paths = Vec::new();
        for input in inputs {
            let Input::Path(path) = input else { continue };
            match fs::read_dir(path) {
                Ok(entries) => {
                    let found = entries.flatten().map(|entry| entry.path());
                    paths.extend(found.filter(|path| is_configuration(path)));
                }
                Err(_) => paths.push(path.clone()),
            }
        }
        paths.sort();
        let signature = |path: PathBuf| {
            let about = fs::metadata(&path).ok()?;
            let (number, size) = (about.ino() as i64, about.size() as i64);
            let times = [about.mtime(), about.mtime_nsec(), about.ctime(), about.ctime_nsec()];
            Some((path, [number, size, times[0], times[1], times[2], times[3]]))
        };
        Signature(paths.into_iter().filter_map(signature).collect())
    }
}

impl Reread {
    /// The Secrets, if files of the configuration have changed since the last time. Where something can't be read, the
    /// Secrets of `known` that are not found stay: who knows what was in it.
    pub(super) fn secrets(&mut self, known: &Secrets) -> Option<Secrets> {
        let signature = Signature::of(&self.inputs);
        if signature == self.signature {
            return None;
        }
        self.signature = signature;
        let (resources, diagnostics) = config::load(&self.inputs);
        let errors: Vec<&Diagnostic> =
            diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).collect();
        let mut secrets = compile::secrets(&resources, &self.workload);
        if let [first, rest @ ..] = errors.as_slice() {
            let file = first.span.and_then(|span| resources.sources.file(span.file));
            let place = file.map_or_else(String::new, |file| {
                format!(" in {}:{}", file.name, first.span.map_or(0, |span| span.line))
            });
            log::warn(format_args!(
                "the configuration can't be read completely, so that no Secret is taken away: {}{place}, and {} more \
                 problems; `sluicegate check` shows all",
                first.message,
                rest.len()
            ));
            secrets.keep(known);
        }
        // What comes from standard input comes once.
        if self.inputs.contains(&Input::Stdin) {
            secrets.keep(known);
        }
        Some(secrets)
    }

    /// What has to be watched.
    pub(super) fn interest(&self) -> Interest {
        let mut interest = Interest::default();
        for input in &self.inputs {
            if let Input::Path(path) = input {
                interest.add_whole(path);
            }
        }
        interest
    }
}

//! Files to a snapshot, with every diagnostic.

use super::prepare::WasRead;
use crate::{
    compile::{self, Compiled, Inventory, Options},
    config::{
        Contents, Diagnostic, Input, Resources, Severity, Sources,
        render::{Color, Counts, Format, render},
    },
    control::{Credentials, DIAGNOSTICS_KEPT, Load, watch::Signature},
    tls::TicketError,
};
use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

/// Where the configuration is, and what the process was told beside it: what stays the same from load to load.
#[derive(Clone, Debug)]
pub struct Loader {
    inputs: Vec<Input>,
    options: Options,
}

/// What the files contain, and what was made of it.
pub struct Loaded {
    /// As written.
    pub resources: Resources,
    /// As compiled.
    pub compiled: Compiled,
    /// Of reading and of compiling.
    pub diagnostics: Vec<Diagnostic>,
    /// What is to be remembered of it.
    pub served: Served,
}

/// What is remembered of a load while what it made is served.
#[derive(Clone)]
pub struct Served {
    /// What was read.
    pub(in crate::control) read: Arc<WasRead>,
    /// Of the files, from before they were read.
    pub(in crate::control) signature: Signature,
    /// `meshConfig.accessLogFile`
    pub(in crate::control) access_log_file: Option<String>,
    /// For those who explain.
    pub known: Arc<Known>,
}

/// What is known of a configuration beside what is served of it: for those who explain it and show it.
#[derive(Default)]
pub struct Known {
    /// The files as they were read.
    pub sources: Sources,
    /// What is attached to what.
    pub inventory: Inventory,
}

impl Loader {
    /// What is in these paths, of which `-` is standard input: that is read now, once and for all.
    pub fn new(paths: &[PathBuf], options: Options) -> Loader {
        let inputs = paths.iter().map(|path| Input::from_argument(path).kept());
        Loader { inputs: inputs.collect(), options }
    }

    /// Reads and compiles.
    pub fn load(&self) -> Loaded {
        let signature = self.signature();
        self.compile(self.read(), signature)
    }

    /// Where it is.
    pub(in crate::control) fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    pub(super) fn signature(&self) -> Signature {
        Signature::of(&self.inputs)
    }

    /// Reads.
    pub(super) fn read(&self) -> Contents {
        Contents::read(&self.inputs)
    }

    /// Compiles what was read. `signature` is from before that.
    pub(super) fn compile(&self, contents: Contents, signature: Signature) -> Loaded {
        let read = Arc::new(WasRead::new(&contents));
        let (resources, mut diagnostics) = contents.parse();
        let mut compiled = compile::compile(&resources, &self.options);
        diagnostics.append(&mut compiled.diagnostics);
        let known = Known { sources: resources.sources.clone(), inventory: compiled.inventory.clone() };
        let access_log_file = compiled.access_log_file.clone();
        let served = Served { read, signature, access_log_file, known: Arc::new(known) };
        Loaded { resources, compiled, diagnostics, served }
    }
}

impl Loaded {
    /// Whether anything is an error.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// Reads the certificates, keys and authorities that are named; what is wrong with them is added to the diagnostics.
    ///
    /// # Errors
    /// The operating system has no randomness.
    pub fn credentials(&mut self) -> Result<Credentials, TicketError> {
        let secrets = std::mem::take(&mut self.compiled.secrets);
        let credentials = Credentials::load(&self.compiled.snapshot, secrets, SystemTime::now())?;
        self.diagnostics.extend(credentials.diagnostics(&self.resources.sources));
        Ok(credentials)
    }

    /// What is to be remembered of this load, which began `at` this time and made this generation.
    pub fn record(&self, at: SystemTime, why: &'static str, generation: Option<u64>) -> Load {
        let counts = Counts::of(&self.diagnostics);
        let took = at.elapsed().unwrap_or(Duration::ZERO);
        let (errors, warnings) = (counts.errors, counts.warnings);
        Load { at, why, generation, took, diagnostics: self.texts(), errors, warnings }
    }

    /// The worst [`DIAGNOSTICS_KEPT`] of the diagnostics, each as `sluicegate check` says it.
    fn texts(&self) -> Vec<String> {
        let mut sorted: Vec<&Diagnostic> = self.diagnostics.iter().collect();
        sorted.sort_by_key(|diagnostic| {
            (std::cmp::Reverse(diagnostic.severity), diagnostic.span.map(|span| (span.file, span.start)))
        });
        let text = |diagnostic: &&Diagnostic| {
            let one = std::slice::from_ref(*diagnostic);
            render(one, &self.resources.sources, Format::Human(Color::None)).trim_end().to_owned()
        };
        sorted.iter().take(DIAGNOSTICS_KEPT).map(text).collect()
    }

    /// The errors in one line each, with their place, at most so many; and how many there are beside them.
    pub(super) fn error_lines(&self, most: usize) -> (Vec<String>, usize) {
        let errors = || self.diagnostics.iter().filter(|d| d.severity == Severity::Error);
        let line = |diagnostic: &Diagnostic| {
            let file = diagnostic.span.and_then(|span| self.resources.sources.file(span.file));
            let place =
                file.zip(diagnostic.span).map(|(file, span)| format!("{}:{}: ", file.name, span.line));
            let object = diagnostic.object.as_ref().map(|object| format!("{object}: "));
            format!("{}{}{}", place.unwrap_or_default(), object.unwrap_or_default(), diagnostic.message)
        };
        let lines: Vec<String> = errors().take(most).map(line).collect();
        let more = errors().count() - lines.len();
        (lines, more)
    }
}

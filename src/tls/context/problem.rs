//! What is wrong with what a spec names.

use std::fmt;

/// Something is wrong with a file or a Secret that a spec names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// What kind of problem it is.
    pub kind: ProblemKind,
    /// The file, or the Secret and its key: `` `/etc/certs/tls.crt` ``, `` key `tls.crt` of Secret `infra/web` ``.
    pub subject: Box<str>,
    /// What is wrong with it: `has no certificate in it`.
    pub text: Box<str>,
}

/// What kind of problem it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProblemKind {
    /// A file is not there or can't be read: nothing can be built.
    MissingFile,
    /// There is no such Secret, or it does not have what is needed: nothing can be built.
    MissingSecret,
    /// It is there but can't be used: nothing can be built.
    Broken,
    /// A part of it can't be used; the rest is.
    Partial,
    /// A certificate has ended or not begun; it is used all the same (specification section 1.8).
    Time,
}

impl ProblemKind {
    /// Whether nothing can be built because of it.
    pub fn is_fatal(self) -> bool {
        matches!(self, ProblemKind::MissingFile | ProblemKind::MissingSecret | ProblemKind::Broken)
    }
}

impl Problem {
    /// A problem.
    pub fn new(kind: ProblemKind, subject: &str, text: impl Into<Box<str>>) -> Problem {
        Problem { kind, subject: subject.into(), text: text.into() }
    }

    /// What can't be used.
    pub(super) fn broken(subject: &str, text: impl Into<Box<str>>) -> Problem {
        Problem::new(ProblemKind::Broken, subject, text)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.subject, self.text)
    }
}

/// What was built, and everything that is wrong.
#[derive(Debug)]
pub struct Built<T> {
    /// Nothing if a problem is fatal.
    pub context: Option<T>,
    /// All problems.
    pub problems: Vec<Problem>,
}

impl<T> Built<T> {
    /// With all problems; the context counts only if none is fatal.
    pub(super) fn new(context: Option<T>, problems: Vec<Problem>) -> Built<T> {
        let is_good = problems.iter().all(|problem| !problem.kind.is_fatal());
        debug_assert!(context.is_some() || !is_good, "who builds nothing says why");
        Built { context: context.filter(|_| is_good), problems }
    }
}

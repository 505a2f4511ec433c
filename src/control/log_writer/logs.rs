//! All logs, from one configuration to the next.

use super::{LogOptions, LogPlan, LogStatus, writing::Writer};
use crate::{
    control::log,
    table::AccessLogging,
    telemetry::{LogSet, LogTarget, ShardLog},
};
use std::io;

/// The writers, and what they write.
pub struct Logs {
    options: LogOptions,
    plan: LogPlan,
    writers: Vec<Open>,
    /// The number of the next writer.
    next: u64,
    shards: usize,
    hostname: Box<str>,
}

/// A writer and its target.
struct Open {
    id: u64,
    target: LogTarget,
    writer: Writer,
}

impl Logs {
    /// Opens all targets; returns what each of `shards` writes to.
    ///
    /// # Errors
    /// A target can't be opened.
    pub(in crate::control) fn start(
        options: LogOptions,
        files: &AccessLogging,
        shards: usize,
        hostname: &str,
    ) -> Result<(Logs, Vec<LogSet>), (LogTarget, io::Error)> {
        let plan = LogPlan::new(&options, files);
        let writers = Vec::new();
        let mut logs =
            Logs { options, plan: LogPlan::default(), writers, next: 0, shards, hostname: hostname.into() };
        let sets = logs.go_over(plan, false)?;
        Ok((logs, sets))
    }

    /// Goes over to what the files say now. Nothing if that is what there is already.
    pub(in crate::control) fn replace(&mut self, files: &AccessLogging) -> Option<Vec<LogSet>> {
        let plan = LogPlan::new(&self.options, files);
        if plan == self.plan {
            return None;
        }
        log::info(format_args!("access log: {plan}"));
        // Targets are tried again, so that none fails; a thread that can't be had keeps what there is.
        self.go_over(plan, true)
            .map_err(|(target, error)| log::error(format_args!("no access log to {target}: {error}")))
            .ok()
    }

    fn go_over(&mut self, plan: LogPlan, is_patient: bool) -> Result<Vec<LogSet>, (LogTarget, io::Error)> {
        let mut sets: Vec<LogSet> = (0..self.shards).map(|_| LogSet::default()).collect();
        for log in &plan.logs {
            if self.writers.iter().any(|open| open.target == log.target) {
                continue;
            }
            let started = Writer::start(&log.target, self.shards, is_patient);
            let Some((writer, sinks)) = started.map_err(|error| (log.target.clone(), error))? else {
                continue;
            };
            let id = self.next;
            self.next += 1;
            self.writers.push(Open { id, target: log.target.clone(), writer });
            for (set, sink) in sets.iter_mut().zip(sinks) {
                set.sinks.push((id, sink));
            }
        }
        self.writers.retain(|open| plan.logs.iter().any(|log| log.target == open.target));
        for log in &plan.logs {
            let Some(open) = self.writers.iter().find(|open| open.target == log.target) else { continue };
            let format = log.format.bound(&self.hostname, &|name| std::env::var(name).ok());
            for set in &mut sets {
                set.logs.push(ShardLog {
                    sink: open.id,
                    format: format.clone(),
                    condition: log.condition.clone(),
                    share: log.share,
                });
            }
        }
        self.plan = plan;
        Ok(sets)
    }

    /// What is written where.
    pub fn plan(&self) -> &LogPlan {
        &self.plan
    }

    /// Every target with what its writer has done.
    pub fn statuses(&self) -> impl Iterator<Item = (&LogTarget, &LogStatus)> {
        self.writers.iter().map(|open| (&open.target, &*open.writer.status))
    }

    /// Opens every target again.
    pub(in crate::control) fn reopen(&self) {
        match self.writers.is_empty() {
            true => log::info("SIGUSR1: the access log is off, so there is nothing to open again"),
            false => self.writers.iter().for_each(|open| open.writer.reopen()),
        }
    }

    /// Every target with who tells when all that was handed over is written.
    pub(in crate::control) fn end(&self) -> Vec<(LogTarget, tokio::sync::oneshot::Receiver<()>)> {
        self.writers.iter().map(|open| (open.target.clone(), open.writer.end())).collect()
    }
}

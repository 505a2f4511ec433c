//! Which logs there are, by the command line and the files.

use crate::{
    table::AccessLogging,
    telemetry::{Condition, Format, LogTarget, Share},
};
use std::{fmt, sync::Arc};

/// What the command line says of the access log: it is stronger than the files.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogOptions {
    /// `--access-log`: one log, there, of all that is served.
    pub target: Option<LogTarget>,
    /// `--access-log-format`: of every log.
    pub format: Option<Format>,
    /// `--access-log-sample`: so many of the lines that there would be. `None`: all.
    pub share: Option<Share>,
}

/// All logs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogPlan {
    /// Each has another target, format or condition.
    pub logs: Vec<PlannedLog>,
}

/// One log.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedLog {
    /// Where its lines go; never nowhere.
    pub target: LogTarget,
    /// How they are written.
    pub format: Arc<Format>,
    /// Which requests and connections have one; nothing: all.
    pub condition: Option<Arc<Condition>>,
    /// So many of these.
    pub share: Share,
}

impl LogPlan {
    /// The plan by what the files say.
    pub fn new(options: &LogOptions, files: &AccessLogging) -> LogPlan {
        let share = options.share.unwrap_or(Share::ALL);
        let given = options.format.clone().map(Arc::new);
        let planned = |target: LogTarget, format: &Arc<Format>, condition: Option<Arc<Condition>>| {
            let format = given.clone().unwrap_or_else(|| Arc::clone(format));
            PlannedLog { target, format, condition, share }
        };
        let logs = match (&options.target, &files.logs) {
            (Some(target), _) => vec![planned(target.clone(), &files.format, None)],
            (None, None) => vec![planned(LogTarget::Stdout, &files.format, None)],
            (None, Some(logs)) => logs
                .iter()
                .map(|log| planned(log.target.clone(), &log.format, log.condition.clone()))
                .collect(),
        };
        LogPlan { logs: logs.into_iter().filter(|log| log.target != LogTarget::Off).collect() }
    }
}

impl fmt::Display for LogPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.logs.is_empty() {
            return f.write_str("off");
        }
        for (position, log) in self.logs.iter().enumerate() {
            let comma = if position == 0 { "" } else { ", " };
            write!(f, "{comma}{log}")?;
        }
        Ok(())
    }
}

impl fmt::Display for PlannedLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.target)?;
        match self.format.name() {
            "istio" => {}
            name => write!(f, " as {name}")?,
        }
        if let Some(condition) = &self.condition {
            write!(f, " where {}", condition.text())?;
        }
        if self.share != Share::ALL {
            write!(f, ", {} of it", self.share)?;
        }
        Ok(())
    }
}

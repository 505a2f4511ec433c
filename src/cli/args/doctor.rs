//! The options of `doctor`.

use super::{AnswerFormat, WorkloadArgs};
use crate::driver::DriverChoice;
use clap::Args;
use std::{num::NonZeroUsize, path::PathBuf};

/// `doctor`
#[derive(Args, Debug)]
pub struct DoctorArgs {
    /// The configuration whose ports and files are looked at: a file or a directory; may be repeated
    #[arg(short, long, value_name = "PATH", env = "SLUICEGATE_CONFIG")]
    pub config: Vec<PathBuf>,
    /// Worker threads that are to run [default: the CPUs that mask and cgroup quota allow]
    #[arg(long, value_name = "N", env = "SLUICEGATE_WORKERS")]
    pub workers: Option<NonZeroUsize>,
    /// What workers are to run on: auto, io_uring, epoll
    #[arg(long, value_name = "DRIVER", default_value = "auto", env = "SLUICEGATE_DRIVER")]
    pub driver: DriverChoice,
    /// Exit code 1 also if there are only warnings
    #[arg(long)]
    pub deny_warnings: bool,
    /// How the findings are written
    #[arg(long, value_enum, default_value_t = AnswerFormat::Text)]
    pub format: AnswerFormat,
    /// Which gateway this is.
    #[command(flatten)]
    pub workload: WorkloadArgs,
}

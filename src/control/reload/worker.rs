//! The thread that reads, compiles and frees: with less of the CPU than those who serve.

use super::prepare::{Before, Failed, Prepared, prepare};
use crate::{
    control::{Loader, log},
    driver::give_memory_back,
};
use rustix::{process::setpriority_process, thread::gettid};
use std::{
    any::Any,
    io,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};
use tokio::sync::oneshot;

/// How nice it is (setpriority(2)): of a CPU that it shares with a worker that is never idle it gets a
/// quarter. With a tenth, what takes a second would take ten where the gateway is at its limits.
const NICE: i32 = 5;

/// The control thread's end.
pub(super) struct Worker(Sender<Job>);

enum Job {
    Prepare(Arc<Loader>, Box<Before>, oneshot::Sender<Result<Box<Prepared>, Box<Failed>>>),
    Free(Box<dyn Any + Send>),
}

/// What will be prepared.
pub(super) type Coming = oneshot::Receiver<Result<Box<Prepared>, Box<Failed>>>;

impl Worker {
    /// Starts the thread, which waits for work.
    ///
    /// # Errors
    /// No thread to be had.
    pub(super) fn start() -> io::Result<Worker> {
        let (jobs, waiting) = channel();
        thread::Builder::new().name("reload".into()).spawn(move || work(&waiting))?;
        Ok(Worker(jobs))
    }

    /// Prepares another configuration. Nothing ever comes if the thread is gone.
    pub(super) fn prepare(&self, loader: &Arc<Loader>, before: Before) -> Coming {
        let (done, coming) = oneshot::channel();
        // The receiver finds out that nobody will send.
        let _ = self.0.send(Job::Prepare(Arc::clone(loader), Box::new(before), done));
        coming
    }

    /// Frees something that may be large.
    pub(super) fn free(&self, what: impl Any + Send) {
        // Where the thread is gone it is freed here.
        let _ = self.0.send(Job::Free(Box::new(what)));
    }
}

fn work(jobs: &Receiver<Job>) {
    // On Linux a thread is what has a priority, and its number stands for it.
    if let Err(error) = setpriority_process(Some(gettid()), NICE) {
        log::debug(format_args!("reloads have the priority of everything else: {error}"));
    }
    for job in jobs {
        match job {
            Job::Prepare(loader, before, done) => {
                // The process may end meanwhile.
                let _ = done.send(prepare(&loader, *before));
            }
            Job::Free(what) => drop(what),
        }
        give_memory_back();
    }
}

//! Tasks that serve one stream after another: what an exchange needs to run is a few KiB, which would have to be allocated,
//! moved and freed for every request (measured: a tenth of what a small request costs).

use super::{
    Environment,
    serve_http2::{Job, exchange},
};
use crate::driver;
use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    rc::Rc,
    task::{Poll, Waker},
};

/// Tasks that one shard keeps for further streams: about as many as are active at a time. Each holds some 6 KiB.
const IDLE_MAX: usize = 256;

/// A task, and what it is to do next.
#[derive(Default)]
pub(super) struct Worker {
    job: Cell<Option<Job>>,
    waker: Cell<Option<Waker>>,
}

/// The tasks that have nothing to do.
#[derive(Default)]
pub(super) struct Workers(RefCell<Vec<Rc<Worker>>>);

impl Workers {
    /// Has a stream served.
    pub(super) fn serve(&self, job: Job, env: &Rc<Environment>) {
        let idle = self.0.borrow_mut().pop();
        let is_new = idle.is_none();
        let worker = idle.unwrap_or_default();
        worker.job.set(Some(job));
        if is_new {
            driver::spawn(work(worker, Rc::clone(env)));
        } else if let Some(waker) = worker.waker.take() {
            waker.wake();
        }
    }
}

async fn work(worker: Rc<Worker>, env: Rc<Environment>) {
    loop {
        let job = poll_fn(|context| match worker.job.take() {
            Some(job) => Poll::Ready(job),
            None => {
                worker.waker.set(Some(context.waker().clone()));
                Poll::Pending
            }
        })
        .await;
        exchange(job).await;
        let mut idle = env.workers.0.borrow_mut();
        if idle.len() >= IDLE_MAX {
            return;
        }
        idle.push(Rc::clone(&worker));
    }
}

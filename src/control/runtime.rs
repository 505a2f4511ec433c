//! The control thread's runtime.

use std::{future::Future, io};
use tokio::{runtime::Builder, task::LocalSet};

/// Runs a future to its end on this thread, with signals, sockets and timers, and tasks that stay on this thread.
///
/// # Errors
/// No descriptors for it.
pub fn block_on<F: Future>(future: F) -> io::Result<F::Output> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    Ok(LocalSet::new().block_on(&runtime, future))
}

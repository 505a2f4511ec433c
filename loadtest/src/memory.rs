//! Memory of a fresh process: what each waiting connection adds to it, and what it is as a whole.

use std::time::Duration;

use crate::client::Connection;
use crate::error::{Error, Result};
use crate::figure::Sample;
use crate::fleet::{Ground, Running};
use crate::kinds::Waiting;
use crate::procfs;
use crate::subjects::Listener;
use crate::under_load::{connect, count, expect_answer};

/// Before the memory of idle connections is read: for buffers that are given back late.
const IDLE_REST: Duration = Duration::from_secs(1);
/// Descriptors that this tool and a proxy need beside those of connections.
const OWN_FILES: u64 = 300;

/// MiB of a process that has answered once.
pub(crate) fn resident(running: &mut Running) -> Result<Sample> {
    // Whatever it answers: a setup with many hosts does not know this one.
    Connection::open(running.port(Listener::Http))?.get_last("/", &[])?;
    running.check_alive()?;
    Ok(Sample { cost: count(procfs::memory_kib(running.id())?) / 1024.0, load: None })
}

/// KiB that each connection adds.
pub(crate) fn idle(waiting: Waiting, running: &mut Running, ground: &Ground) -> Result<Sample> {
    let Waiting { listener, connections } = waiting;
    let client = ground.identity.client()?;
    let needed = connections as u64 + OWN_FILES;
    if ground.machine.open_files < needed {
        return Err(Error::Failed(format!(
            "{connections} connections need a limit of {needed} open files, the hard limit is {}",
            ground.machine.open_files
        )));
    }
    let before = procfs::memory_kib(running.id())?;
    let mut open = Vec::with_capacity(connections);
    for number in 1..=connections {
        ground.interrupt.check()?;
        let answered = connect(running, listener, &client).and_then(|mut connection| {
            expect_answer(&connection.get("/", &[])?, 12)?;
            Ok(connection)
        });
        match answered {
            Ok(connection) => open.push(connection),
            Err(error) => {
                return Err(Error::Failed(format!("connection {number} of {connections}: {error}")));
            }
        }
    }
    ground.interrupt.sleep(IDLE_REST)?;
    let after = procfs::memory_kib(running.id())?;
    let kept = open.iter_mut().filter_map(|connection| connection.is_idle().then_some(())).count();
    if kept < connections {
        return Err(Error::Failed(format!("only {kept} of {connections} connections were kept open")));
    }
    running.check_alive()?;
    Ok(Sample { cost: (count(after) - count(before)) / count(connections as u64), load: None })
}

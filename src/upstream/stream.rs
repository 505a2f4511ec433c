//! Opening a connection to an endpoint, whatever is spoken on it.

use super::{Active, Cluster, Endpoint};
use crate::driver::{self, Deadline, Deadlines, ReadHalf, WriteHalf};
use std::{io, rc::Rc};

/// A connection to an endpoint, whatever is spoken on it.
pub struct Stream {
    /// Its deadline. Declared before the halves, for it must be dropped before the socket is closed.
    pub deadline: Deadline,
    /// The half that receives.
    pub read: ReadHalf,
    /// The half that sends.
    pub write: WriteHalf,
    /// The endpoint it goes to.
    pub endpoint: Rc<Endpoint>,
    /// Counts at the endpoint.
    pub active: Active,
    /// Our address, as the access log writes it.
    pub local: Rc<str>,
}

/// Connects to an endpoint, and sends `preface` before everything else: a PROXY header, or nothing.
///
/// # Errors
/// Those of [`driver::connect`], and of sending the preface.
pub async fn open_stream(
    cluster: &Cluster,
    endpoint: &Rc<Endpoint>,
    deadlines: &Rc<Deadlines>,
    preface: Vec<u8>,
) -> io::Result<Stream> {
    let active = endpoint.begin();
    let (read, mut write, deadline, local) =
        driver::connect(endpoint.address(), cluster.connect_timeout, deadlines).await?;
    if !preface.is_empty() {
        write.send_all(preface).await.0.map_err(|failed| failed.error)?;
    }
    let local = local.map_or_else(|| "".into(), |local| local.to_string().into());
    Ok(Stream { deadline, read, write, endpoint: Rc::clone(endpoint), active, local })
}

//! The files of Unix sockets: they stay behind when a process ends, and are in the way of the next one.

use super::{Bound, Sockets, log};
use crate::table::BindAddress;
use std::{
    fs, io,
    os::unix::{fs::FileTypeExt, net::UnixStream},
    path::Path,
};

/// Removes the file of a listener's socket if nobody listens on it any more, as after a crash. Anything else at that
/// path stays, and binding then says what is wrong.
pub(super) fn remove_stale(bind: &BindAddress) {
    if let Some(path) = file_of(bind) {
        remove_stale_file(path);
    }
}

/// The same for a path.
pub fn remove_stale_file(path: &Path) {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
    let is_refused = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    if is_socket && UnixStream::connect(path).is_err_and(|error| is_refused(&error)) {
        match fs::remove_file(path) {
            Ok(()) => {
                log::info(format_args!("{}: a socket that nobody listened on is removed", path.display()))
            }
            Err(error) => log::warn(format_args!("{} can't be removed: {error}", path.display())),
        }
    }
}

/// Removes the files of all listeners' sockets, at the end; not those of sockets that somebody else has.
pub(super) fn remove(listeners: &[Bound], sockets: &Sockets) {
    let binds = listeners.iter().map(|bound| &bound.listener.bind).filter(|bind| sockets.is_ours(bind));
    binds.for_each(remove_file);
}

/// Removes the file of a socket, if it has one.
pub(super) fn remove_file(bind: &BindAddress) {
    if let Some(path) = file_of(bind) {
        // Somebody else may have removed it already.
        let _ = fs::remove_file(path);
    }
}

/// The file of a socket; one in the abstract namespace has none.
fn file_of(bind: &BindAddress) -> Option<&Path> {
    match bind {
        BindAddress::Unix(path) if !path.as_os_str().as_encoded_bytes().starts_with(b"@") => Some(path),
        _ => None,
    }
}

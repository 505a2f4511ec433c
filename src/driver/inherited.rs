//! Descriptors that were open in this process when its program began.

use std::{
    fs,
    os::fd::{FromRawFd, OwnedFd},
    sync::atomic::{AtomicBool, Ordering},
};

/// The first descriptor that a service manager passes: `SD_LISTEN_FDS_START` of `sd_listen_fds(3)`.
const FIRST_PASSED: i32 = 3;

/// The descriptors that the service manager passed to this process when it started it, `count` of them. Only the first call
/// gets them. They are closed in programs that this process starts. Those that are not open are left out.
#[allow(unsafe_code)]
pub fn passed_descriptors(count: u16) -> Vec<Option<OwnedFd>> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if TAKEN.swap(true, Ordering::Relaxed) {
        return Vec::new();
    }
    let take = |fd| {
        // SAFETY: this only changes a flag of a descriptor, and fails on one that is not open.
        let is_open = unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) } == 0;
        // SAFETY: it is open, and was passed to this process for it to own (`sd_listen_fds(3)`): nothing in here has
        // opened it, and it is taken once.
        is_open.then(|| unsafe { OwnedFd::from_raw_fd(fd) })
    };
    (FIRST_PASSED..FIRST_PASSED + i32::from(count)).map(take).collect()
}

/// Closes all but the three standard ones. A process that another one has started has everything that the other had open and
/// had not marked to be closed, such as accepted connections: these would not end before this process does. To be called before
/// anything is opened here.
#[allow(unsafe_code)]
pub fn close_inherited() {
    let number = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    // Whole before anything is closed: one of them is what the list is read from.
    let numbers: Vec<i32> = fs::read_dir("/proc/self/fd")
        .map(|entries| entries.flatten().filter_map(number).collect())
        .unwrap_or_default();
    for fd in numbers.into_iter().filter(|fd| *fd >= FIRST_PASSED) {
        // SAFETY: nothing in this process has opened it, as this is called before anything is: nobody here uses it. One that
        // is not open any more, as that which the list was read from, is left alone.
        unsafe { libc::close(fd) };
    }
}

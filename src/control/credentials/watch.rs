//! Files that change.

use super::links::Interest;
use crate::control::log;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

/// After a change it has to be quiet for so long: who writes two files, or a file in pieces, is let finish.
const QUIET: Duration = Duration::from_millis(100);
/// But no longer than this in all.
const QUIET_MAX: Duration = Duration::from_secs(1);
/// Events that may wait. More mean the same as so many.
const EVENTS_MAX: usize = 1024;
/// Directories that are watched. The kernel's limit for all processes of a user is 8,192 or more; files in further ones are
/// looked at now and then.
const DIRECTORIES_MAX: usize = 2048;

/// Watches directories. Where that can't be done, nothing is ever heard from it.
pub(super) struct Watch {
    watcher: Option<RecommendedWatcher>,
    events: mpsc::Receiver<Vec<PathBuf>>,
    interest: Interest,
    watched: BTreeSet<PathBuf>,
    /// When the present change began, and when it is over.
    change: Option<(Instant, Instant)>,
    /// Somebody was told that not everything can be watched.
    has_complained: bool,
}

impl Watch {
    pub(super) fn new() -> Watch {
        let (sender, events) = mpsc::channel(EVENTS_MAX);
        let heard = move |event: notify::Result<Event>| {
            let paths = match event {
                Ok(event) if event.need_rescan() => Vec::new(),
                // To read a file is no change of it.
                Ok(Event { kind: EventKind::Access(_), .. }) => return,
                Ok(event) => event.paths,
                Err(_) => Vec::new(),
            };
            // Full: there are others to be heard, which mean the same.
            let _ = sender.try_send(paths);
        };
        let watcher = notify::recommended_watcher(heard).inspect_err(|error| {
            log::warn(format_args!("changes of certificates are noticed only now and then: {error}"));
        });
        Watch {
            watcher: watcher.ok(),
            events,
            interest: Interest::default(),
            watched: BTreeSet::new(),
            change: None,
            has_complained: false,
        }
    }

    /// From now on, this is watched. Whether there is something in it that was not watched before: what has happened there
    /// meanwhile was not heard.
    pub(super) fn follow(&mut self, interest: Interest) -> bool {
        let wanted: BTreeSet<PathBuf> =
            interest.directories().take(DIRECTORIES_MAX).map(Path::to_owned).collect();
        self.interest = interest;
        let Some(watcher) = &mut self.watcher else { return false };
        for gone in self.watched.difference(&wanted) {
            // It is gone already where the directory is.
            let _ = watcher.unwatch(gone);
        }
        self.watched.retain(|directory| wanted.contains(directory));
        let mut is_new = false;
        for directory in wanted {
            if self.watched.contains(&directory) || !directory.is_dir() {
                continue;
            }
            match watcher.watch(&directory, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.watched.insert(directory);
                    is_new = true;
                }
                // A directory that may be passed but not read is no reason to worry; a limit is.
                Err(error)
                    if !self.has_complained && matches!(error.kind, notify::ErrorKind::MaxFilesWatch) =>
                {
                    self.has_complained = true;
                    log::warn(
                        "not all directories of certificates can be watched (fs.inotify.max_user_watches): changes in the \
                         others are noticed only now and then",
                    );
                }
                Err(error) => {
                    log::debug(format_args!("`{}` can't be watched: {error}", directory.display()));
                }
            }
        }
        is_new
    }

    /// Waits until something has changed and it is quiet again. May be dropped and called again: no change is lost.
    pub(super) async fn changed(&mut self) {
        loop {
            let until = self.change.map(|(_, until)| until);
            let is_quiet = async {
                match until {
                    Some(until) => sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Some(paths) = self.events.recv() => self.hear(&paths),
                () = is_quiet => {
                    self.change = None;
                    return;
                }
                // The watcher's thread has ended.
                else => std::future::pending().await,
            }
        }
    }

    fn hear(&mut self, paths: &[PathBuf]) {
        if !paths.is_empty() && !paths.iter().any(|path| self.matters(path)) {
            return;
        }
        let now = Instant::now();
        let begin = self.change.map_or(now, |(begin, _)| begin);
        self.change = Some((begin, (now + QUIET).min(begin + QUIET_MAX)));
    }

    fn matters(&mut self, path: &Path) -> bool {
        // A directory that was moved is still watched where it is now; what has its name has to be watched anew.
        if self.watched.remove(path)
            && let Some(watcher) = &mut self.watcher
        {
            // It is not watched any more where it has ended.
            let _ = watcher.unwatch(path);
        }
        self.interest.matters(path)
    }
}

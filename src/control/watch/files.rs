//! Files that change.

use super::links::Interest;
use crate::control::log;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::{collections::BTreeSet, path::PathBuf, time::Duration};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

/// After a change of a certificate it has to be quiet for so long: who writes two files, or a file in pieces, is let finish.
const QUIET: Duration = Duration::from_millis(100);
/// But no longer than this in all.
const QUIET_MAX: Duration = Duration::from_secs(1);
/// The same after a change of the configuration, which often comes in many files.
const QUIET_CONFIGURATION: Duration = Duration::from_millis(300);
/// And the longest: somebody may copy a large directory.
const QUIET_CONFIGURATION_MAX: Duration = Duration::from_secs(5);
/// Events that may wait. More mean the same as so many.
const EVENTS_MAX: usize = 1024;
/// Directories that are watched. The kernel's limit for all processes of a user is 8,192 or more; files in further ones are
/// looked at now and then.
const DIRECTORIES_MAX: usize = 2048;

/// What has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Certificates, keys or authorities.
    Certificates,
    /// The configuration.
    Configuration,
}

impl What {
    const ALL: [What; 2] = [What::Certificates, What::Configuration];

    /// For how long it has to be quiet after a change, and the longest in all.
    fn quiet(self) -> (Duration, Duration) {
        match self {
            What::Certificates => (QUIET, QUIET_MAX),
            What::Configuration => (QUIET_CONFIGURATION, QUIET_CONFIGURATION_MAX),
        }
    }
}

/// Watches directories. Where that can't be done, nothing is ever heard from it.
pub(super) struct Watch {
    watcher: Option<RecommendedWatcher>,
    events: mpsc::Receiver<Vec<PathBuf>>,
    /// By [`What`].
    interests: [Interest; 2],
    watched: BTreeSet<PathBuf>,
    /// When the present change of each began, and when it is over.
    changes: [Option<(Instant, Instant)>; 2],
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
            log::warn(format_args!("changes of files are noticed only now and then: {error}"));
        });
        Watch {
            watcher: watcher.ok(),
            events,
            interests: Default::default(),
            watched: BTreeSet::new(),
            changes: [None; 2],
            has_complained: false,
        }
    }

    /// Whether changes are heard of, as far as that can be known.
    pub(super) fn hears_all(&self) -> bool {
        self.watcher.is_some() && !self.has_complained
    }

    /// From now on, this is watched. Whether there is something in it that was not watched before: what has happened there
    /// meanwhile was not heard.
    pub(super) fn follow(&mut self, certificates: Interest, configuration: Interest) -> bool {
        // The configuration has few directories, and comes first.
        let directories = configuration.directories().chain(certificates.directories());
        let mut wanted = BTreeSet::new();
        for directory in directories {
            if wanted.len() < DIRECTORIES_MAX {
                wanted.insert(directory.to_owned());
            }
        }
        self.interests = [certificates, configuration];
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
                        "not all directories can be watched (fs.inotify.max_user_watches): changes in the \
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
    pub(super) async fn changed(&mut self) -> What {
        loop {
            let next = What::ALL.into_iter().zip(self.changes);
            let next =
                next.filter_map(|(what, change)| Some((change?.1, what))).min_by_key(|(until, _)| *until);
            let is_quiet = async {
                match next {
                    Some((until, what)) => {
                        sleep_until(until).await;
                        what
                    }
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Some(paths) = self.events.recv() => self.hear(&paths),
                what = is_quiet => {
                    self.changes[what as usize] = None;
                    return what;
                }
                // The watcher's thread has ended.
                else => std::future::pending().await,
            }
        }
    }

    fn hear(&mut self, paths: &[PathBuf]) {
        for path in paths {
            // A directory that was moved is still watched where it is now; what has its name has to be watched anew.
            if self.watched.remove(path)
                && let Some(watcher) = &mut self.watcher
            {
                // It is not watched any more where it has ended.
                let _ = watcher.unwatch(path);
            }
        }
        for what in What::ALL {
            let interest = &self.interests[what as usize];
            if paths.is_empty() || paths.iter().any(|path| interest.matters(path)) {
                self.change(what);
            }
        }
    }

    /// Something has changed.
    pub(super) fn change(&mut self, what: What) {
        let (quiet, quiet_max) = what.quiet();
        let now = Instant::now();
        let begin = self.changes[what as usize].map_or(now, |(begin, _)| begin);
        self.changes[what as usize] = Some((begin, (now + quiet).min(begin + quiet_max)));
    }
}

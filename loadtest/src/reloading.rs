//! Changes a configuration about once a second, as a person does who saves the file: the gateway is to notice by itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::error::{During, Error, Result};
use crate::fleet::Running;
use crate::proxies;

/// From one change to the next.
const INTERVAL: Duration = Duration::from_secs(1);

/// A configuration that changes until this is told to end.
pub(crate) struct Reloading {
    end: Sender<()>,
    thread: JoinHandle<Result<()>>,
}

impl Reloading {
    /// Begins to change the configuration of a process: to one with one host more, and back.
    pub(crate) fn begin(running: &Running) -> Result<Reloading> {
        let path = running.configuration.clone();
        let before = fs::read_to_string(&path).during(|| format!("reading {}", path.display()))?;
        let texts = Arc::new([proxies::one_host_more(&running.places)?, before]);
        Ok(Reloading::change(path, texts, INTERVAL))
    }

    fn change(path: PathBuf, texts: Arc<[String; 2]>, interval: Duration) -> Reloading {
        let (end, ended) = channel();
        let thread = std::thread::spawn(move || {
            // The first change comes early, so that a run of a second has one.
            let waits = std::iter::once(interval / 5).chain(std::iter::repeat(interval));
            for (text, wait) in texts.iter().cycle().zip(waits) {
                match ended.recv_timeout(wait) {
                    Err(RecvTimeoutError::Timeout) => replace(&path, text)?,
                    // Whatever it was, it is as it was before.
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
                }
            }
            texts.last().map_or(Ok(()), |text| replace(&path, text))
        });
        Reloading { end, thread }
    }

    /// Ends it; the file is as it was at first.
    pub(crate) fn end(self) -> Result<()> {
        drop(self.end);
        self.thread.join().map_err(|_| Error::failed("changing the configuration ended in an accident"))?
    }
}

/// At once, so that nobody reads half a file.
fn replace(path: &Path, text: &str) -> Result<()> {
    let new = path.with_extension("new");
    fs::write(&new, text).during(|| format!("writing {}", new.display()))?;
    fs::rename(&new, path).during(|| format!("replacing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_changes_and_is_in_the_end_as_it_was() {
        let path = std::env::temp_dir().join(format!("loadtest-{}-reloading.yaml", std::process::id()));
        fs::write(&path, "one").unwrap();
        let texts = Arc::new(["two".to_owned(), "one".to_owned()]);
        let reloading = Reloading::change(path.clone(), texts, Duration::from_millis(1));
        while fs::read_to_string(&path).unwrap() != "two" {
            std::thread::yield_now();
        }
        reloading.end().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        fs::remove_file(&path).unwrap();
    }
}

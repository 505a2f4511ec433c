//! The file with the number of the process that serves.

use std::{fs, io, path::PathBuf, process};

/// `--pid-file`
#[derive(Clone, Debug)]
pub struct PidFile(PathBuf);

impl PidFile {
    /// The file at this path.
    pub fn at(path: PathBuf) -> PidFile {
        PidFile(path)
    }

    /// Writes this process's number. Whoever reads it finds the old number or the new one, never a part.
    ///
    /// # Errors
    /// The file can't be written.
    pub(super) fn write(&self) -> io::Result<()> {
        let mut beside = self.0.clone().into_os_string();
        beside.push(format!(".{}", process::id()));
        fs::write(&beside, format!("{}\n", process::id()))?;
        fs::rename(&beside, &self.0).inspect_err(|_| drop(fs::remove_file(&beside)))
    }

    /// Removes it, unless it is another process's by now.
    pub(super) fn remove(&self) {
        let is_ours = fs::read_to_string(&self.0).is_ok_and(|text| text.trim() == process::id().to_string());
        if is_ours {
            // Somebody else may have removed it already.
            let _ = fs::remove_file(&self.0);
        }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &std::path::Path {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_and_removed_only_if_it_is_ours() {
        let path = std::env::temp_dir().join(format!("sluicegate-pid-{}", process::id()));
        let file = PidFile::at(path.clone());
        file.write().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", process::id()));
        fs::write(&path, "1\n").unwrap();
        file.remove();
        assert!(path.exists());
        file.write().unwrap();
        file.remove();
        assert!(!path.exists());
    }
}

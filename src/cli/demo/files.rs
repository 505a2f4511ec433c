//! The configuration with the ports of this demo, where others can read it.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process,
};

/// As it stands in the repository.
const CONFIGURATION: &str = include_str!("../../../config/demo/demo.yaml");
/// Left-overs of processes that had this one's number are passed over.
const ATTEMPTS_MAX: u32 = 100;

/// A directory with the configuration, for as long as the demo runs.
pub(super) struct Files {
    directory: PathBuf,
    path: PathBuf,
}

impl Files {
    /// Writes the configuration with other ports in place of its own.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn write(ports: &[(u16, u16)]) -> io::Result<Files> {
        let directory = fresh_directory()?;
        let path = directory.join("demo.yaml");
        let files = Files { directory, path };
        fs::write(&files.path, with_ports(ports))?;
        Ok(files)
    }

    /// The configuration.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // What can't be removed stays for the system to tidy up.
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_dir(&self.directory);
    }
}

/// One that was not there before, so that nobody else has put a link into it.
fn fresh_directory() -> io::Result<PathBuf> {
    let mut attempt = 0;
    loop {
        let directory = env::temp_dir().join(format!("sluicegate-demo-{}-{attempt}", process::id()));
        match fs::create_dir(&directory) {
            Ok(()) => return Ok(directory),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < ATTEMPTS_MAX => {
                attempt += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

/// All numbers at once, for a new one may be the same as an old one.
fn with_ports(ports: &[(u16, u16)]) -> String {
    let mut text = String::new();
    let mut rest = CONFIGURATION;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(at);
        let end = from.find(|c: char| !c.is_ascii_digit()).unwrap_or(from.len());
        let (number, after) = from.split_at(end);
        let port = ports.iter().find(|(old, _)| number == old.to_string());
        text.push_str(before);
        text.push_str(&port.map_or(number.to_owned(), |(_, new)| new.to_string()));
        rest = after;
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_change_places() {
        let text = with_ports(&[(8080, 9001), (9001, 9002), (9002, 18080)]);
        for expected in ["port: {number: 9001, name", "{http: 9002}, labels: {version: v1}", "{http: 18080}"]
        {
            assert!(text.contains(expected), "no {expected} in:\n{text}");
        }
        assert!(!text.contains("8080,") || text.contains("18080"));
        assert_eq!(with_ports(&[]), CONFIGURATION);
    }

    #[test]
    fn the_file_lives_as_long_as_the_demo() {
        let files = Files::write(&[(8080, 1)]).unwrap();
        let path = files.path().to_owned();
        assert!(fs::read_to_string(&path).unwrap().contains("number: 1,"));
        drop(files);
        assert!(!path.exists() && !path.parent().unwrap().exists());
    }
}

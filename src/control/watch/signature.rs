//! Whether files are others than before, without reading them.

use super::links::is_configuration;
use crate::config::Input;
use std::{fs, os::unix::fs::MetadataExt, path::PathBuf};

/// What tells that files are others than before, or were written to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::control) struct Signature(Vec<(PathBuf, [i64; 6])>);

impl Signature {
    /// Of the files of a configuration.
    pub(in crate::control) fn of(inputs: &[Input]) -> Signature {
        let mut paths = Vec::new();
        for input in inputs {
            let Input::Path(path) = input else { continue };
            match fs::read_dir(path) {
                Ok(entries) => {
                    let found = entries.flatten().map(|entry| entry.path());
                    paths.extend(found.filter(|path| is_configuration(path)));
                }
                Err(_) => paths.push(path.clone()),
            }
        }
        paths.sort();
        let signature = |path: PathBuf| {
            let about = fs::metadata(&path).ok()?;
            let (number, size) = (about.ino() as i64, about.size() as i64);
            let times = [about.mtime(), about.mtime_nsec(), about.ctime(), about.ctime_nsec()];
            Some((path, [number, size, times[0], times[1], times[2], times[3]]))
        };
        Signature(paths.into_iter().filter_map(signature).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::testing::Folder;

    #[test]
    fn it_is_another_one_after_every_change_and_only_then() {
        let folder = Folder::new();
        folder.write("a.yaml", "a");
        let inputs = [Input::Path(folder.path().to_owned())];
        let signature = || Signature::of(&inputs);
        let first = signature();
        folder.write("other.log", "a");
        assert_eq!(signature(), first, "not of a configuration");
        folder.write("b.yaml", "a");
        let second = signature();
        assert_ne!(second, first);
        folder.write("b.yaml", "longer");
        assert_ne!(signature(), second);
        fs::remove_file(folder.path().join("b.yaml")).unwrap();
        assert_eq!(signature(), first);
        fs::remove_dir_all(folder.path()).unwrap();
        assert_eq!(signature(), Signature::default());
    }
}

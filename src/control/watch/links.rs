//! What has to be watched for a path, through links.
//!
//! A path means another file when any entry of a directory on the way to it changes: the file, a link, or what a link leads
//! through. Kubernetes changes a volume by putting another link at `..data`, to which the links of the files lead.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::{OsStr, OsString},
    fs,
    path::{self, Component, Path, PathBuf},
};

/// Links that are followed on the way to a file, as many as Linux follows (path_resolution(7)).
const LINKS_MAX: usize = 40;

/// Directories, and the entries of them that matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::control) struct Interest {
    entries: BTreeMap<PathBuf, BTreeSet<OsString>>,
    /// All files of a configuration in these matter.
    whole: BTreeSet<PathBuf>,
}

impl Interest {
    /// All that decides what a path leads to.
    pub(in crate::control) fn add(&mut self, path: &Path) {
        self.lead(path);
    }

    /// The same. Returns where the path leads to, without links; nothing if they go round.
    fn lead(&mut self, path: &Path) -> Option<PathBuf> {
        // From the end; the next component is the last.
        let mut left: Vec<OsString> = Vec::new();
        push(&mut left, &absolute(path));
        let mut at = PathBuf::from("/");
        let mut links = 0;
        while let Some(name) = left.pop() {
            match name.to_str() {
                Some("/") => at = PathBuf::from("/"),
                // All links on the way here were followed, but a relative path may lead out of where we are.
                Some("..") => at.push(".."),
                _ => {
                    self.entries.entry(at.clone()).or_default().insert(name.clone());
                    let entry = at.join(&name);
                    match fs::read_link(&entry) {
                        Ok(_) if links == LINKS_MAX => return None,
                        Ok(target) => {
                            links += 1;
                            push(&mut left, &target);
                        }
                        Err(_) => at = entry,
                    }
                }
            }
        }
        Some(at)
    }

    /// The same, and if it is a directory all files of a configuration in it, also those that come later.
    pub(super) fn add_whole(&mut self, path: &Path) {
        let Some(directory) = self.lead(path) else { return };
        let Ok(entries) = fs::read_dir(&directory) else { return };
        for entry in entries.flatten() {
            // What is no link matters as a part of the directory.
            let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            if is_link && is_configuration(&entry.path()) {
                self.add(&entry.path());
            }
        }
        self.whole.insert(directory);
    }

    /// The directories.
    pub(super) fn directories(&self) -> impl Iterator<Item = &Path> {
        self.entries.keys().chain(&self.whole).map(PathBuf::as_path)
    }

    /// Whether a change of this entry of a watched directory matters.
    pub(super) fn matters(&self, path: &Path) -> bool {
        // A change of a directory itself, such as its end.
        if self.entries.contains_key(path) || self.whole.contains(path) {
            return true;
        }
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else { return true };
        let is_new = self.whole.contains(directory) && is_configuration(path);
        is_new || self.entries.get(directory).is_some_and(|names| names.contains(name))
    }
}

/// Whether the name is one of a configuration's file. Others in its directory may change all the time, as a log does.
pub(super) fn is_configuration(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// As changes are told: from the root. Where nobody knows the present directory there is nothing to watch.
fn absolute(path: &Path) -> PathBuf {
    path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn push(left: &mut Vec<OsString>, path: &Path) {
    let names = path.components().filter(|component| *component != Component::CurDir);
    left.extend(names.rev().map(|component| OsStr::to_owned(component.as_os_str())));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::testing::Folder;
    use std::os::unix::fs::symlink;

    fn entries(path: &Path) -> Vec<PathBuf> {
        let mut interest = Interest::default();
        interest.add(path);
        let all = interest.entries.iter();
        all.flat_map(|(directory, names)| names.iter().map(|name| directory.join(name))).collect()
    }

    #[test]
    fn a_volume_of_kubernetes() {
        let folder = Folder::new();
        let at = folder.path();
        fs::create_dir(at.join("..1")).unwrap();
        fs::write(at.join("..1/tls.crt"), "").unwrap();
        symlink("..1", at.join("..data")).unwrap();
        symlink("..data/tls.crt", at.join("tls.crt")).unwrap();
        let found = entries(&at.join("tls.crt"));
        for name in ["tls.crt", "..data", "..1", "..1/tls.crt"] {
            assert!(found.contains(&at.join(name)), "{name}: {found:?}");
        }
        assert!(found.contains(&at.to_owned()), "the folder itself may be replaced");
        let mut interest = Interest::default();
        interest.add(&at.join("tls.crt"));
        assert!(interest.matters(&at.join("..data")) && interest.matters(at));
        assert!(!interest.matters(&at.join("other")));
    }

    #[test]
    fn what_is_missing_and_what_goes_round() {
        let folder = Folder::new();
        let at = folder.path();
        assert!(entries(&at.join("none/x")).contains(&at.join("none")));
        symlink("b", at.join("a")).unwrap();
        symlink("a", at.join("b")).unwrap();
        let found = entries(&at.join("a"));
        assert!(found.contains(&at.join("a")) && found.contains(&at.join("b")));
    }

    #[test]
    fn paths_from_where_the_process_is() {
        let here = std::env::current_dir().unwrap();
        let mut interest = Interest::default();
        interest.add(Path::new("src/main.rs"));
        interest.add_whole(Path::new("./src"));
        assert!(interest.matters(&here.join("src")) && interest.matters(&here.join("src/other.yaml")));
        assert!(interest.entries[&here.join("src")].contains(OsStr::new("main.rs")));
        assert!(interest.directories().all(Path::is_absolute));
        assert!(!interest.matters(&here.join("src/access.log")));
    }

    #[test]
    fn absolute_links_and_those_that_lead_up() {
        let folder = Folder::new();
        let at = folder.path();
        fs::create_dir_all(at.join("x/y")).unwrap();
        fs::write(at.join("f"), "").unwrap();
        symlink("../../f", at.join("x/y/up")).unwrap();
        symlink(at.join("x/y/up"), at.join("g")).unwrap();
        let mut interest = Interest::default();
        interest.add(&at.join("g"));
        let found = entries(&at.join("g"));
        assert!(found.iter().any(|path| path.ends_with("x/y/../../f")), "{found:?}");
        assert!(found.contains(&at.join("x/y/up")));
    }
}

//! The files in which the kernel says what it allows.

use std::{fs, path::PathBuf};

/// A capability's number in the masks of `/proc/self/status` (capabilities(7)): ports below 1024.
const CAP_NET_BIND_SERVICE: u32 = 10;

/// A host, by the root of its files.
pub(super) struct Host {
    root: PathBuf,
}

impl Host {
    /// The one that this process runs on.
    pub(super) fn this() -> Host {
        Host { root: "/".into() }
    }

    /// What is in a file, without the blanks around it; nothing if it can't be read.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        let text = fs::read_to_string(self.path(path)).ok()?;
        Some(text.trim().to_owned())
    }

    /// The number in a file.
    pub(super) fn number(&self, path: &str) -> Option<u64> {
        self.text(path)?.parse().ok()
    }

    /// Whether there is such a file or directory.
    pub(super) fn has(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// A line of `/proc/self/status`: what stands behind `Name:`.
    pub(super) fn of_process(&self, name: &str) -> Option<String> {
        let status = self.text("/proc/self/status")?;
        let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        Some(value.trim().to_owned())
    }

    /// A limit of this process, as it is and as it may be raised to; nothing where there is none.
    pub(super) fn limit(&self, name: &str) -> [Option<u64>; 2] {
        let limits = self.text("/proc/self/limits").unwrap_or_default();
        let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        let mut words = line.split_whitespace().map(|word| word.parse().ok());
        [words.next().flatten(), words.next().flatten()]
    }

    /// Whether this process may listen on ports below [`Host::first_free_port`].
    pub(super) fn may_bind_low_ports(&self) -> bool {
        let mask = self.of_process("CapEff").and_then(|mask| u64::from_str_radix(&mask, 16).ok());
        mask.is_some_and(|mask| mask & (1 << CAP_NET_BIND_SERVICE) != 0)
    }

    /// Ports from this one on need no capability.
    pub(super) fn first_free_port(&self) -> u64 {
        self.number("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap_or(1024)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    static NEXT: AtomicU32 = AtomicU32::new(0);

    /// A host of these files, for one test.
    pub(in super::super) struct Made(pub(in super::super) Host);

    impl Made {
        pub(in super::super) fn of(files: &[(&str, &str)]) -> Made {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let root = std::env::temp_dir().join(format!("doctor-{}-{number}", std::process::id()));
            fs::create_dir_all(&root).unwrap();
            let host = Host { root };
            for (path, text) in files {
                let path = host.path(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            Made(host)
        }
    }

    impl Drop for Made {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0.root).unwrap();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::Made;

    #[test]
    fn limits() {
        let text = "Limit  Soft Limit  Hard Limit  Units\nMax open files   1024   4096   files\nMax locked memory   8388608   \
                    unlimited   bytes\n";
        let made = Made::of(&[("/proc/self/limits", text)]);
        assert_eq!(made.0.limit("Max open files"), [Some(1024), Some(4096)]);
        assert_eq!(made.0.limit("Max locked memory"), [Some(8_388_608), None]);
    }

    #[test]
    fn capabilities_and_ports() {
        let made = Made::of(&[("/proc/self/status", "Name:\tx\nCapEff:\t0000000000000400\nSeccomp:\t2\n")]);
        assert!(made.0.may_bind_low_ports());
        assert_eq!((made.0.of_process("Seccomp").as_deref(), made.0.first_free_port()), (Some("2"), 1024));
        let other = Made::of(&[
            ("/proc/self/status", "CapEff:\t0000000000000200\n"),
            ("/proc/sys/net/ipv4/ip_unprivileged_port_start", "80\n"),
        ]);
        assert!(!other.0.may_bind_low_ports());
        assert_eq!(other.0.first_free_port(), 80);
    }
}

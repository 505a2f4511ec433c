//! `benches/baseline.json`, and what counts depend on beside the code.

use serde_json::{Value, json};
use std::{collections::BTreeMap, env, fs, path::Path, process::Command};

/// Instructions of one round of each case.
pub(crate) type Counts = BTreeMap<String, f64>;

/// What is committed.
pub(crate) struct Baseline {
    pub(crate) made_with: MadeWith,
    pub(crate) instructions: Counts,
}

/// What the same code has other counts with.
pub(crate) struct MadeWith {
    /// Compilers, library and flags, by name.
    tools: BTreeMap<String, String>,
    /// What valgrind's CPU has: libraries choose their code by it. `None`: not known before the cases have run.
    pub(crate) cpu: Option<String>,
}

impl MadeWith {
    /// What is here, without the CPU.
    pub(crate) fn here() -> MadeWith {
        let rustc = said(&env::var("RUSTC").unwrap_or("rustc".to_owned()), &["-vV"]);
        let after =
            |key: &str| rustc.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("?").to_owned();
        let flags = ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS"].into_iter().find_map(|name| env::var(name).ok());
        let cc = env::var("CC").unwrap_or("cc".to_owned());
        let tools = [
            ("rustc", format!("{} ({})", after("release: "), after("commit-hash: "))),
            ("target", after("host: ")),
            ("rustflags", flags.unwrap_or_default()),
            // The allocator and the ciphers are C.
            ("cc", format!("{} {}", said(&cc, &["-dumpmachine"]), said(&cc, &["-dumpfullversion"]))),
            // `memcpy` and the like are the library's.
            ("libc", said("getconf", &["GNU_LIBC_VERSION"])),
        ];
        MadeWith { tools: tools.map(|(name, value)| (name.to_owned(), value)).into(), cpu: None }
    }

    /// What is not as it is here, and that no comparison is honest for that. A CPU that is not known yet is passed over.
    pub(crate) fn differs(&self, here: &MadeWith) -> Option<String> {
        let both = |name: &str, then: &str, now: &str| {
            format!("the baseline of instructions was made with {name} {then:?}, here it is {now:?}")
        };
        let tool = here.tools.iter().find_map(|(name, now)| {
            let then = self.tools.get(name).map_or("", String::as_str);
            (then != now).then(|| both(name, then, now))
        });
        let cpu = || {
            let (then, now) = (self.cpu.as_deref().unwrap_or_default(), here.cpu.as_deref()?);
            (then != now).then(|| both("a CPU that has", then, now))
        };
        tool.or_else(cpu)
    }
}

impl Baseline {
    /// Reads what is committed. A file that cannot be read is a failure: to skip would be to pass for ever.
    pub(crate) fn read(path: &Path) -> Baseline {
        let text = fs::read_to_string(path);
        let text = text.unwrap_or_else(|error| panic!("{}: {error}: benches/renew makes it", path.display()));
        Baseline::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub(crate) fn parse(text: &str) -> Result<Baseline, String> {
        let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let table = |name: &str| value[name].as_object().ok_or(format!("no object {name:?}"));
        let mut tools = BTreeMap::new();
        for (name, value) in table("made_with")? {
            let value = value.as_str().ok_or(format!("made_with.{name} is no text"))?;
            tools.insert(name.clone(), value.to_owned());
        }
        let cpu = tools.remove("cpu");
        let mut instructions = Counts::new();
        for (name, value) in table("instructions")? {
            let count = value.as_f64().ok_or(format!("instructions.{name} is no number"))?;
            instructions.insert(name.clone(), count);
        }
        Ok(Baseline { made_with: MadeWith { tools, cpu }, instructions })
    }

    pub(crate) fn write(&self, path: &Path) {
        let mut made_with = self.made_with.tools.clone();
        made_with.extend(self.made_with.cpu.clone().map(|cpu| ("cpu".to_owned(), cpu)));
        let value = json!({"made_with": made_with, "instructions": self.instructions});
        let text = serde_json::to_string_pretty(&value).unwrap_or_default();
        if let Err(error) = fs::write(path, text + "\n") {
            panic!("{}: {error}", path.display());
        }
    }
}

/// The output of a short program, `?` if there is none.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success());
    output.map_or("?".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made_with(rustc: &str, cpu: Option<&str>) -> MadeWith {
        let tools = [("rustc".to_owned(), rustc.to_owned())].into();
        MadeWith { tools, cpu: cpu.map(str::to_owned) }
    }

    #[test]
    fn what_is_written_is_read() {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("baseline.json");
        let instructions = Counts::from([("a.b".to_owned(), 12.5), ("c".to_owned(), 100_000.0)]);
        Baseline { made_with: made_with("1.2.3", Some("avx2")), instructions: instructions.clone() }
            .write(&path);
        let read = Baseline::read(&path);
        assert_eq!(read.instructions, instructions);
        assert_eq!(read.made_with.differs(&made_with("1.2.3", Some("avx2"))), None);
    }

    #[test]
    fn another_compiler_or_another_cpu_is_told() {
        let then = made_with("1.2.3", Some("avx2"));
        assert_eq!(then.differs(&made_with("1.2.3", None)), None);
        let compiler = then.differs(&made_with("1.2.4", Some("avx2"))).unwrap();
        assert!(compiler.contains("rustc \"1.2.3\", here it is \"1.2.4\""), "{compiler}");
        let cpu = then.differs(&made_with("1.2.3", Some(""))).unwrap();
        assert!(cpu.contains("has \"avx2\", here it is \"\""), "{cpu}");
    }

    #[test]
    fn a_broken_file_is_no_baseline() {
        for (text, why) in [
            ("", "EOF"),
            (r#"{"made_with": {}}"#, "no object \"instructions\""),
            (r#"{"made_with": {}, "instructions": {"a": "1"}}"#, "instructions.a is no number"),
        ] {
            let error = Baseline::parse(text).err().unwrap();
            assert!(error.contains(why), "{error}");
        }
    }
}

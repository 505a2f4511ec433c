//! Programs that are started here and stopped here, whatever happens in between.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::error::{During, Error, Result};
use crate::procfs::{self, Cpu};

/// How long a program may take to end when asked. A gateway that drains is not given more: nothing is in flight.
const STOP_MAX: Duration = Duration::from_secs(3);
/// Often enough for the rate of a run of a second to be right to a hundredth, seldom enough to disturb nobody.
pub(crate) const POLL: Duration = Duration::from_millis(10);
/// How much of a log an error shows.
const LOG_LINES_SHOWN: usize = 12;

/// The person's wish to stop, noticed between and during all steps.
#[derive(Clone)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Catches SIGINT, SIGTERM and SIGHUP. The second of them ends the tool at once; the kernel then stops what it started.
    pub(crate) fn catch() -> Result<Interrupt> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // In this order: the first signal finds the flag unset, and sets it.
            signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&flag))
                .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&flag)))
                .during(|| "catching signals".to_owned())?;
        }
        Ok(Interrupt(flag))
    }

    /// An error once the person wants to stop.
    pub(crate) fn check(&self) -> Result<()> {
        if self.0.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(()) }
    }

    /// Sleeps, and wakes early with an error when the person wants to stop.
    pub(crate) fn sleep(&self, duration: Duration) -> Result<()> {
        let end = Instant::now() + duration;
        loop {
            self.check()?;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            sleep(left.min(POLL));
        }
    }

    #[cfg(test)]
    pub(crate) fn never() -> Interrupt {
        Interrupt(Arc::new(AtomicBool::new(false)))
    }

    #[cfg(test)]
    pub(crate) fn wish(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What to start.
#[derive(Debug, Clone)]
pub(crate) struct Invocation {
    words: Vec<OsString>,
    /// Whether it will be paused at times.
    pausable: bool,
}

impl Invocation {
    /// The program, on whatever core the system chooses.
    pub(crate) fn of(program: &Path) -> Invocation {
        Invocation { words: vec![program.into()], pausable: false }
    }

    /// The program on one core only.
    pub(crate) fn pinned(program: &Path, core: usize) -> Invocation {
        let words = vec!["taskset".into(), "-c".into(), core.to_string().into(), program.into()];
        Invocation { words, pausable: false }
    }

    /// For a program that will be paused at times. Should this tool vanish meanwhile, it is killed instead of asked to end: a
    /// paused process does nothing about any other signal until somebody lets it go on, and nobody would.
    pub(crate) fn pausable(self) -> Invocation {
        Invocation { pausable: true, ..self }
    }

    /// With one more argument.
    pub(crate) fn arg(mut self, word: impl Into<OsString>) -> Invocation {
        self.words.push(word.into());
        self
    }

    /// With more arguments.
    pub(crate) fn args<W: Into<OsString>>(mut self, words: impl IntoIterator<Item = W>) -> Invocation {
        self.words.extend(words.into_iter().map(Into::into));
        self
    }

    /// As a person would type it.
    pub(crate) fn line(&self) -> String {
        quoted(self.words.iter().map(|word| word.to_string_lossy()))
    }

    /// In a process group of its own, so that a Ctrl-C reaches this tool alone, which then stops everything in order;
    /// and told by the kernel to end should this tool vanish without having done so.
    fn command(&self) -> Command {
        let mut command = Command::new("setpriv");
        let signal = if self.pausable { "KILL" } else { "TERM" };
        command.args(["--pdeathsig", signal, "--"]).args(&self.words);
        command.process_group(0).stdin(Stdio::null());
        command
    }

    /// The program's name, without its folder.
    pub(crate) fn name(&self) -> String {
        let skipped = if self.words.first().is_some_and(|word| word == "taskset") { 3 } else { 0 };
        let program = self.words.get(skipped).map(Path::new).and_then(Path::file_name);
        program.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

/// Words as a person would type them: one with a space in it is quoted.
pub(crate) fn quoted(words: impl IntoIterator<Item: AsRef<str>>) -> String {
    let quote = |word: &str| if word.contains(' ') { format!("'{word}'") } else { word.to_owned() };
    words.into_iter().map(|word| quote(word.as_ref())).collect::<Vec<_>>().join(" ")
}

/// A program that runs until it is stopped; dropping it stops it.
pub(crate) struct Process {
    child: Child,
    name: String,
    log: PathBuf,
}

impl Process {
    /// Starts it, all it says going to `log`.
    pub(crate) fn start(name: &str, what: &Invocation, log: &Path) -> Result<Process> {
        let child = spawn(what, log)?;
        Ok(Process { child, name: name.to_owned(), log: log.to_owned() })
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// An error with the end of its log if it has ended.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        match self.child.try_wait().during(|| format!("waiting for {}", self.name))? {
            None => Ok(()),
            Some(status) => Err(Error::Failed(format!(
                "{} ended by itself ({status}); its last words:\n{}",
                self.name,
                last_lines(&self.log)
            ))),
        }
    }

    /// Pauses it: it does nothing until it is let go on. One that has ended stays as it is.
    pub(crate) fn pause(&self) {
        signal(&self.child, Signal::STOP);
    }

    /// Lets it go on after a pause.
    pub(crate) fn go_on(&self) {
        signal(&self.child, Signal::CONT);
    }

    /// Whether it has ended; what it spent can still be told, until [`Process::finish`].
    pub(crate) fn has_ended(&self) -> Result<bool> {
        let pid = i32::try_from(self.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| Error::Failed(format!("{} has no process id", self.name)))?;
        // Looked at before it is waited for: its times vanish with it.
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        Ok(waitid(WaitId::Pid(pid), ended).during(|| format!("waiting for {}", self.name))?.is_some())
    }

    /// What became of it, once it has ended; it took so long, pauses not counted.
    pub(crate) fn finish(mut self, wall: Duration) -> Result<Finished> {
        let cpu = procfs::cpu_alone(self.id());
        let status = self.child.wait().during(|| format!("waiting for {}", self.name))?;
        let said = fs::read(&self.log).during(|| format!("reading {}", self.log.display()))?;
        Ok(Finished { status, output: String::from_utf8_lossy(&said).into_owned(), wall, cpu })
    }

    fn stop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        let family = procfs::family(self.child.id());
        signal(&self.child, Signal::TERM);
        // A paused one sees the first signal only when it goes on.
        signal(&self.child, Signal::CONT);
        let end = Instant::now() + STOP_MAX;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < end {
            sleep(Duration::from_millis(10));
        }
        // Children first, so that no parent starts another.
        family.iter().rev().for_each(|member| member.kill());
        let _reaped = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What became of a program that ends by itself.
#[derive(Debug)]
pub(crate) struct Finished {
    /// How it ended.
    pub(crate) status: ExitStatus,
    /// All it said, on both channels.
    pub(crate) output: String,
    /// From start to end, without pauses.
    pub(crate) wall: Duration,
    /// What it alone spent.
    pub(crate) cpu: Option<Cpu>,
}

impl Finished {
    /// The output of a success; a failure with the end of the output otherwise.
    pub(crate) fn success(self, name: &str) -> Result<Finished> {
        if self.status.success() {
            return Ok(self);
        }
        Err(Error::Failed(format!("{name} failed ({}):\n{}", self.status, tail(&self.output))))
    }
}

/// Runs a program to its end, which must come within `longest`; its output goes through the file `log`.
pub(crate) fn run(
    what: &Invocation,
    log: &Path,
    longest: Duration,
    interrupt: &Interrupt,
) -> Result<Finished> {
    let name = what.name();
    let begin = Instant::now();
    let process = Process::start(&name, what, log)?;
    while !process.has_ended()? {
        if begin.elapsed() > longest {
            return Err(Error::Failed(format!("{name} did not end within {} s", longest.as_secs())));
        }
        interrupt.sleep(POLL.min(longest))?;
    }
    process.finish(begin.elapsed())
}

fn spawn(what: &Invocation, log: &Path) -> Result<Child> {
    let file = File::create(log).during(|| format!("creating {}", log.display()))?;
    let same = file.try_clone().during(|| format!("opening {}", log.display()))?;
    let mut command = what.command();
    command.stdout(file).stderr(same).spawn().during(|| format!("starting {}", what.name()))
}

fn signal(child: &Child, signal: Signal) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // A failure means that it has gone by itself.
        let _gone = kill_process(pid, signal);
    }
}

fn last_lines(log: &Path) -> String {
    tail(&String::from_utf8_lossy(&fs::read(log).unwrap_or_default()))
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let shown = lines.iter().skip(lines.len().saturating_sub(LOG_LINES_SHOWN));
    let shown: Vec<String> = shown.map(|line| format!("    {line}")).collect();
    if shown.is_empty() { "    (none)".to_owned() } else { shown.join("\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("loadtest-{}-{name}", std::process::id()))
    }

    #[test]
    fn runs_to_the_end_and_tells_status_output_and_cost() {
        let log = log("run");
        let what = Invocation::of(Path::new("sh")).args(["-c", "echo said; echo complained >&2; exit 3"]);
        let finished = run(&what, &log, Duration::from_secs(60), &Interrupt::never()).unwrap();
        fs::remove_file(&log).unwrap();
        assert_eq!(finished.status.code(), Some(3));
        assert_eq!(finished.output, "said\ncomplained\n");
        assert!(finished.cpu.is_some());
        let sentence = finished.success("sh").unwrap_err().to_string();
        assert!(sentence.contains("sh failed") && sentence.contains("complained"), "{sentence}");
    }

    #[test]
    fn what_does_not_end_is_stopped() {
        let log = log("endless");
        let what = Invocation::of(Path::new("sleep")).arg("1000");
        let error = run(&what, &log, Duration::ZERO, &Interrupt::never()).unwrap_err();
        fs::remove_file(&log).unwrap();
        assert_eq!(error, Error::failed("sleep did not end within 0 s"));
    }

    #[test]
    fn dropping_stops_the_whole_family() {
        let log = log("family");
        let what = Invocation::of(Path::new("sh")).args(["-c", "sleep 1000 & echo ready; wait"]);
        let process = Process::start("sh", &what, &log).unwrap();
        while !fs::read_to_string(&log).unwrap().contains("ready") {
            std::thread::yield_now();
        }
        let id = process.id();
        assert_eq!(procfs::family(id).len(), 2);
        drop(process);
        fs::remove_file(&log).unwrap();
        assert!(procfs::family(id).is_empty());
    }

    #[test]
    fn a_paused_one_does_nothing_until_it_goes_on_and_is_stopped_all_the_same() {
        let log = log("paused");
        let what = Invocation::of(Path::new("sh")).args(["-c", "echo ready; exec sleep 1000"]).pausable();
        let process = Process::start("sh", &what, &log).unwrap();
        while !fs::read_to_string(&log).unwrap().contains("ready") {
            std::thread::yield_now();
        }
        let state = || {
            let stat = fs::read_to_string(format!("/proc/{}/stat", process.id())).unwrap();
            stat.rsplit_once(") ").unwrap().1.chars().next().unwrap()
        };
        process.pause();
        while state() != 'T' {
            std::thread::yield_now();
        }
        assert!(!process.has_ended().unwrap());
        process.go_on();
        while state() == 'T' {
            std::thread::yield_now();
        }
        process.pause();
        let id = process.id();
        drop(process);
        fs::remove_file(&log).unwrap();
        assert!(procfs::family(id).is_empty());
    }

    #[test]
    fn the_tail_of_a_log_is_short() {
        let text: String = (0..100).map(|n| format!("line {n}\n")).collect();
        assert_eq!(tail(&text).lines().count(), LOG_LINES_SHOWN);
        assert_eq!(tail("").trim(), "(none)");
    }
}

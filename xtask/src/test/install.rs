//! Puts in place what the tests need and the machine lacks.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::workspace::cargo;

/// A cargo subcommand: its name, and the arguments of `cargo install` that bring it fastest.
const CARGO_TOOLS: &[(&str, &[&str])] = &[
    ("nextest", &["cargo-nextest", "--locked"]),
    // Unoptimized and without fetching advisories it builds in about a minute, and is still quick enough.
    (
        "deny",
        &["cargo-deny", "--locked", "--debug", "--no-default-features"],
    ),
];

/// A rustup component and the cargo subcommand that comes with it.
const COMPONENTS: &[(&str, &str)] = &[("fmt", "rustfmt"), ("clippy", "clippy")];

/// A program, and the Debian package that brings it.
const PROGRAMS: &[(&str, &str)] = &[
    ("curl", "curl"),
    ("dig", "bind9-dnsutils"),
    ("h2load", "nghttp2-client"),
    ("ip", "iproute2"),
    ("nginx", "nginx"),
    ("nft", "nftables"),
    ("npm", "npm"),
    ("openssl", "openssl"),
    ("pebble", "pebble"),
    ("pip3", "python3-pip"),
    ("python3", "python3"),
    ("redis-server", "redis-server"),
    ("testssl", "testssl.sh"),
    ("unshare", "util-linux"),
    ("valgrind", "valgrind"),
];

/// A module of Python, and the package that brings it into a folder of this workspace's, which tests name.
const PYTHON_MODULES: &[(&str, &str)] = &[
    ("aioquic", "aioquic"),
    ("grpc", "grpcio"),
    ("hypercorn", "hypercorn"),
    ("websockets", "websockets"),
];

/// A package of Node's that brings a file that tests read.
const NODE_PACKAGES: &[&str] = &["@ip-location-db/geo-whois-asn-country-mmdb"];

/// Fails with what is missing where it may not or cannot install it.
pub(crate) fn prepare(may_install: bool) -> Result<()> {
    for (subcommand, component) in COMPONENTS {
        if !answers(cargo(&[subcommand, "--version"])) {
            ensure!(
                may_install,
                "cargo {subcommand} is missing: rustup component add {component}"
            );
            install(Command::new("rustup").args(["component", "add", component]))?;
        }
    }
    for (subcommand, arguments) in CARGO_TOOLS {
        if !answers(cargo(&[subcommand, "--version"])) {
            ensure!(
                may_install,
                "cargo {subcommand} is missing: cargo install {}",
                arguments.join(" ")
            );
            install(cargo(&["install"]).args(*arguments))?;
        }
    }
    let missing: Vec<_> = PROGRAMS
        .iter()
        .filter(|(program, _)| !is_installed(program))
        .collect();
    let packages: Vec<_> = missing.iter().map(|(_, package)| *package).collect();
    if packages.is_empty() {
        return prepare_modules(may_install);
    }
    let by_hand = format!(
        "missing: install the packages {} and try again",
        packages.join(", ")
    );
    if !may_install || !is_root() || !is_installed("apt-get") {
        bail!(by_hand);
    }
    install(Command::new("apt-get").args(["update", "--quiet"])).context(by_hand.clone())?;
    let mut apt = Command::new("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive").args([
        "install",
        "--yes",
        "--no-install-recommends",
        "--quiet",
    ]);
    install(apt.args(&packages)).context(by_hand)?;
    prepare_modules(may_install)
}

fn prepare_modules(may_install: bool) -> Result<()> {
    prepare_python(may_install)?;
    prepare_node(may_install)
}

fn prepare_node(may_install: bool) -> Result<()> {
    let folder = crate::workspace::root().join("target/node");
    for package in NODE_PACKAGES {
        if folder.join("node_modules").join(package).is_dir() {
            continue;
        }
        ensure!(
            may_install,
            "Node's {package} is missing: npm install --prefix target/node {package}"
        );
        let mut npm = Command::new("npm");
        npm.args([
            "install",
            "--no-save",
            "--no-audit",
            "--no-fund",
            "--prefix",
        ]);
        install(npm.arg(&folder).arg(package))?;
    }
    Ok(())
}

fn prepare_python(may_install: bool) -> Result<()> {
    let folder = crate::workspace::root().join("target/python");
    for (module, package) in PYTHON_MODULES {
        let mut import = Command::new("python3");
        import
            .args(["-c", &format!("import {module}")])
            .env("PYTHONPATH", &folder);
        if answers(import) {
            continue;
        }
        ensure!(
            may_install,
            "Python's {module} is missing: pip3 install {package}"
        );
        let mut pip = Command::new("pip3");
        pip.args([
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--target",
        ]);
        install(pip.arg(&folder).arg(package))?;
    }
    Ok(())
}

fn install(command: &mut Command) -> Result<()> {
    println!("── installing: {command:?}");
    let status = command
        .status()
        .with_context(|| format!("starting {command:?}"))?;
    ensure!(status.success(), "{command:?} failed");
    Ok(())
}

fn answers(mut command: Command) -> bool {
    let quiet = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

fn is_installed(program: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| folder.join(program).is_file())
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_on_the_path_and_only_there() {
        assert!(is_installed("sh"));
        assert!(!is_installed("no-such-program"));
    }

    #[test]
    fn an_absent_subcommand_does_not_answer() {
        assert!(answers(cargo(&["--version"])));
        assert!(!answers(cargo(&["no-such-subcommand"])));
    }

    #[test]
    fn a_failed_installation_is_an_error() {
        assert!(install(&mut Command::new("false")).is_err());
        assert!(install(&mut Command::new("no-such-program")).is_err());
    }
}

//! aioquic as a client of HTTP/3: the parts of `http3_aioquic.py`.

use std::net::SocketAddr;
use std::path::Path;

/// Runs a part of the script; its output.
#[track_caller]
pub(crate) fn aioquic(address: SocketAddr, ca: &Path, part: &str) -> String {
    aioquic_with(address, ca, part, &[])
}

/// The same for a part that needs `more`.
#[track_caller]
pub(crate) fn aioquic_with(address: SocketAddr, ca: &Path, part: &str, more: &[&str]) -> String {
    let port = address.port().to_string();
    let ca = ca.to_str().expect("UTF-8");
    let path = python_path();
    let script = script("http3_aioquic.py");
    let arguments = [&path, "python3", &script, &port, ca, part];
    let finished = testkit::run("env", &[&arguments, more].concat());
    assert_eq!(finished.code(), 0, "{}", finished.stderr);
    finished.stdout
}

/// A script beside the tests.
pub(crate) fn script(name: &str) -> String {
    format!("{}/tests/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Where Python finds what the tests need, for `env`.
pub(crate) fn python_path() -> String {
    format!(
        "PYTHONPATH={}/../../target/python",
        env!("CARGO_MANIFEST_DIR")
    )
}

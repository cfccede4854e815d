//! Running other programs to their end, with a deadline.

use std::ffi::OsStr;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;

use crate::wait::{DEADLINE, poll};

/// What a program left behind.
#[derive(Clone, Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Finished {
    /// The exit code; panics when a signal ended it.
    pub fn code(&self) -> i32 {
        self.status
            .code()
            .unwrap_or_else(|| panic!("ended by a signal: {self:?}"))
    }
}

/// Runs a program to its end. It is killed, and the test fails, when it takes longer than [`DEADLINE`].
#[track_caller]
pub fn run(program: impl AsRef<OsStr>, arguments: &[&str]) -> Finished {
    let mut command = Command::new(program.as_ref());
    command.args(arguments).stdin(Stdio::null());
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("starting {}: {error}", program.as_ref().display()));
    let stdout = collect(child.stdout.take().expect("a pipe"));
    let stderr = collect(child.stderr.take().expect("a pipe"));
    let Some(status) = wait_exit(&mut child) else {
        child.kill().expect("killing what took too long");
        panic!("{command:?} did not end within {DEADLINE:?}");
    };
    let text = |bytes: JoinHandle<Vec<u8>>| {
        String::from_utf8_lossy(&bytes.join().expect("the reading thread")).into_owned()
    };
    Finished {
        status,
        stdout: text(stdout),
        stderr: text(stderr),
    }
}

/// Runs curl, silent but for errors, without its user's settings.
#[track_caller]
pub fn curl(arguments: &[&str]) -> Finished {
    run(
        "curl",
        &[
            &["--disable", "--silent", "--show-error", "--noproxy", "*"],
            arguments,
        ]
        .concat(),
    )
}

/// A binary of this workspace, built beside the running test.
#[track_caller]
pub fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the path of the running test");
    let found = test
        .ancestors()
        .skip(1)
        .take(3)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("`{name}` is not built beside {}", test.display()))
}

/// `None` when it does not end within [`DEADLINE`].
pub(crate) fn wait_exit(child: &mut Child) -> Option<ExitStatus> {
    poll(DEADLINE, || child.try_wait().expect("waiting for a child"))
}

fn collect(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // A pipe ends with an error only when the program is gone, and then its end is reported anyway.
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::echo::{EchoReply, EchoServer};

    #[test]
    fn output_and_code_are_kept() {
        let finished = run("sh", &["-c", "echo out; echo err >&2; exit 3"]);
        assert_eq!(
            (
                finished.code(),
                finished.stdout.as_str(),
                finished.stderr.as_str()
            ),
            (3, "out\n", "err\n")
        );
    }

    #[test]
    fn curl_speaks_to_a_server() {
        let server = EchoServer::start("a");
        let url = format!("http://{}/x", server.address());
        let finished = curl(&[&url, "--header", "x-a: b"]);
        let reply: EchoReply = serde_json::from_str(&finished.stdout).expect("an echo");
        assert_eq!(
            (reply.target.as_str(), reply.fields("x-a")),
            ("/x", vec!["b"])
        );
    }

    #[test]
    #[should_panic(expected = "is not built beside")]
    fn an_absent_binary_is_named() {
        binary("no-such-binary");
    }
}

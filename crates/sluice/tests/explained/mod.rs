//! What `sluice explain` says of a request.

use std::path::Path;

/// By this file; `words` are a method, a URL and what else the command takes. It goes well.
#[track_caller]
pub(crate) fn explained(file: &Path, words: &[&str]) -> String {
    let file = file.to_str().expect("UTF-8");
    let arguments = [&["explain", "-c", file], words].concat();
    let finished = testkit::run(env!("CARGO_BIN_EXE_sluice"), &arguments);
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""));
    finished.stdout
}

//! A network of a test's own, where it may set what the kernel has one of for a whole machine.

use std::process::{Command, Stdio};

/// Runs `test` in a new network namespace that has nothing but loopback: this program again, with the name of the one
/// test. `settings` are set first, by their paths below `/proc/sys`; one that the kernel does not have, or does not take,
/// fails the test. The namespace ends with its processes.
pub fn in_private_network(name: &str, settings: &[(&str, &str)], test: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return test();
    }
    let set: String = settings
        .iter()
        .flat_map(|(setting, value)| ["echo ", value, " > /proc/sys/", setting, " && "])
        .collect();
    let set_up = format!("ip link set lo up && {set}exec \"$0\" \"$@\"");
    let inside = Command::new("unshare")
        .args(["--map-root-user", "--net", "sh", "-c", &set_up])
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1")
        .stderr(Stdio::inherit())
        .output()
        .expect("unshare, of util-linux");
    let said = String::from_utf8_lossy(&inside.stdout);
    assert!(inside.status.success(), "inside: {}\n{said}", inside.status);
    // A name that no test has would pass, too.
    assert!(said.contains("1 passed"), "inside, `{name}`:\n{said}");
}

/// Says to the test's second process that it stands inside.
const INSIDE: &str = "TESTKIT_IN_PRIVATE_NETWORK";

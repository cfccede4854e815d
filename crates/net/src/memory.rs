//! What the kernel says of memory: how much the process takes, and how much there is for it.

use std::fs;
use std::path::Path;

/// Bytes of memory that the process takes now (RSS); `None` where there is no `/proc`.
pub fn resident() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// Bytes of memory that the process can have: the least of the machine's, and of the limits of the control groups (version 2) that it is
/// in.
pub fn available() -> Option<u64> {
    let machine = machine(&fs::read_to_string("/proc/meminfo").ok()?);
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let group = limit_of_groups(Path::new("/sys/fs/cgroup"), &groups);
    machine.into_iter().chain(group).min()
}

/// Has the allocator give back to the kernel what nobody holds any more: of small pieces between others it keeps it.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "the allocator is the C library's")]
pub fn give_back() {
    // SAFETY: it takes no pointers, and may be called at any time by any thread.
    unsafe { libc::malloc_trim(0) };
}

/// There is nothing to be done: this C library gives it back by itself.
#[cfg(not(target_env = "gnu"))]
pub fn give_back() {}

/// `proc_meminfo(5)`: `MemTotal:  16384 kB`
fn machine(meminfo: &str) -> Option<u64> {
    let total = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = total.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

/// The least `memory.max` of a group and of those around it. Where the process sees its own group as the root, that is all.
fn limit_of_groups(root: &Path, membership: &str) -> Option<u64> {
    // cgroups(7): of version 2 there is one line, `0::/a/b`.
    let group = membership
        .lines()
        .find_map(|line| line.strip_prefix("0::/"))?;
    let group = root.join(group);
    let around = group.ancestors().take_while(|one| one.starts_with(root));
    let limits = around.filter_map(|one| {
        let text = fs::read_to_string(one.join("memory.max")).ok()?;
        // Or `max`: none.
        text.trim().parse().ok()
    });
    limits.min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_takes_less_than_there_is() {
        let (resident, available) = (resident().expect("proc"), available().expect("proc"));
        assert!(
            (100_000..available).contains(&resident),
            "{resident} of {available}"
        );
    }

    #[test]
    fn what_is_taken_is_seen_and_goes_back() {
        let before = resident().expect("proc");
        let size = 1 << 14;
        let mut pieces: Vec<Vec<u8>> = (0..4096).map(|_| vec![1; size]).collect();
        let taken = resident().expect("proc");
        assert!(taken > before + (32 << 20), "{before}, then {taken}");
        // One in 64 stays, so that nothing large is free at the end of what was taken.
        let mut number = 0;
        pieces.retain(|_| {
            number += 1;
            number % 64 == 0
        });
        give_back();
        let left = resident().expect("proc");
        assert!(left < before + (24 << 20), "{before}, {taken}, then {left}");
        drop(pieces);
    }

    #[test]
    fn meminfo_is_in_kilobytes() {
        assert_eq!(
            machine("MemFree: 1 kB\nMemTotal:       16 kB\n"),
            Some(16 << 10)
        );
        assert_eq!(machine("MemFree: 1 kB\n"), None);
    }

    #[test]
    fn the_narrowest_group_counts() {
        let root = std::env::temp_dir().join(format!("sluice-groups-{}", std::process::id()));
        fs::create_dir_all(root.join("a/b")).expect("folders");
        let write = |path: &str, text: &str| fs::write(root.join(path), text).expect("a file");
        assert_eq!(limit_of_groups(&root, "0::/a/b\n"), None);
        write("a/memory.max", "1000\n");
        write("a/b/memory.max", "max\n");
        assert_eq!(limit_of_groups(&root, "1:cpu:/x\n0::/a/b\n"), Some(1000));
        write("a/b/memory.max", "500\n");
        assert_eq!(limit_of_groups(&root, "0::/a/b\n"), Some(500));
        assert_eq!(limit_of_groups(&root, "0::/a\n"), Some(1000));
        assert_eq!(limit_of_groups(&root, "1:memory:/a\n"), None);
        fs::remove_dir_all(&root).expect("to clean up");
    }
}

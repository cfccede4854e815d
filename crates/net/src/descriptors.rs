//! The limit on open files.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit on open files to the hard limit and returns what holds now; `None` is no limit.
pub fn raise_limit() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => raised.current,
        Err(_) => limit.current,
    }
}

/// The limit on open files as it is; `None` is no limit.
pub fn limit() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// How many descriptors this process has open.
pub fn open_now() -> Option<usize> {
    // The listing holds one descriptor itself.
    std::fs::read_dir("/proc/self/fd")
        .ok()
        .map(|entries| entries.count().saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raised_to_the_hard_limit() {
        let now = raise_limit();
        assert_eq!(now, getrlimit(Resource::Nofile).maximum);
        assert_eq!(now, limit());
    }

    #[test]
    fn counting_sees_a_new_one() {
        let before = open_now().expect("proc");
        let files: Vec<_> = (0..50)
            .map(|_| std::fs::File::open("/dev/null").expect("open"))
            .collect();
        assert!(open_now().expect("proc") >= before + files.len() - 10);
    }
}

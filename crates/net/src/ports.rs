//! How many local ports there are to connect from.

use std::fs;

/// The number of ports in `net.ipv4.ip_local_port_range`: how many connections one source address can have to one
/// destination at a time, those in `TIME_WAIT` included.
pub fn ephemeral_ports() -> Option<u32> {
    parse_range(&fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?)
}

fn parse_range(text: &str) -> Option<u32> {
    let mut numbers = text.split_whitespace().map(str::parse::<u32>);
    let (first, last) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    Some(last.checked_sub(first)? + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn range() {
        assert_eq!(parse_range("32768\t60999\n"), Some(28_232));
        assert_eq!(parse_range("9 8"), None);
        assert_eq!(parse_range(""), None);
        assert!(ephemeral_ports().is_some_and(|count| count > 0));
    }
}

//! An error in one line.

use std::error::Error;
use std::fmt::Write as _;

/// An error with all that led to it: the last is mostly what one wants to know.
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.ends_with(&words) {
            // Writing to a text cannot fail.
            let _ = write!(text, ": {words}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_led_to_an_error_is_told_once() {
        let cause = std::io::Error::other("refused");
        let outer = std::io::Error::other(cause);
        assert_eq!(with_causes(&outer), "refused");
    }
}

//! How much a request matters when not all can be served.

use std::fmt;

/// `priority` of a request, from the least to the most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// `low`: the first to be refused.
    Low,
    /// `normal`
    #[default]
    Normal,
    /// `high`
    High,
    /// `critical`: the last to be refused.
    Critical,
}

impl Priority {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// All of them, from the least to the most.
    pub const ALL: [Self; 4] = [Self::Low, Self::Normal, Self::High, Self::Critical];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The one that a word stands for, in whatever case.
    pub fn of_word(word: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|one| word.eq_ignore_ascii_case(one.as_str().as_bytes()))
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_written() {
        for priority in Priority::ALL {
            let word = priority.to_string();
            assert_eq!(Priority::of_word(word.as_bytes()), Some(priority));
            assert_eq!(
                Priority::of_word(word.to_uppercase().as_bytes()),
                Some(priority)
            );
        }
        for wrong in ["", "urgent", " low", "low, high", "lo"] {
            assert_eq!(Priority::of_word(wrong.as_bytes()), None, "{wrong:?}");
        }
        assert!(Priority::ALL.is_sorted());
        assert_eq!(Priority::default(), Priority::Normal);
    }
}

//! Fixed sets of words: the values a label or a log field may take when the set is closed.
//!
//! A label whose values come from traffic would let a client fill the memory of whoever stores the metrics, so every
//! label is either a name out of the configuration or a word out of one of these sets.

/// One word of a closed set. Made by the macro below.
pub trait Word: Copy + 'static {
    /// Every word of the set, in the order of their positions.
    const ALL: &'static [Self];

    /// The word as it is written in metrics and logs: lower case, joined by hyphens.
    fn as_str(self) -> &'static str;

    /// What the word means, in one sentence.
    fn help(self) -> &'static str;

    /// Where the word stands in [`Word::ALL`].
    fn position(self) -> usize;
}

/// A set of words as a Markdown table.
pub fn markdown<W: Word>() -> String {
    let head = ["| word | means |\n|---|---|\n".to_owned()];
    let rows = W::ALL
        .iter()
        .map(|word| format!("| `{}` | {} |\n", word.as_str(), word.help()));
    head.into_iter().chain(rows).collect()
}

/// Defines an enum whose variants are words.
macro_rules! words {
    (
        $(#[$outer:meta])*
        pub enum $name:ident { $( $(#[doc = $help:literal])+ $variant:ident = $word:literal, )+ }
    ) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $( $(#[doc = $help])+ $variant, )+ }

        impl $name {
            /// How many words the set has.
            pub const COUNT: usize = [$( Self::$variant ),+].len();

            /// The word as it is written in metrics and logs.
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $word, )+ }
            }
        }

        impl $crate::word::Word for $name {
            const ALL: &'static [Self] = &[$( Self::$variant ),+];

            fn as_str(self) -> &'static str {
                self.as_str()
            }

            fn help(self) -> &'static str {
                match self { $( Self::$variant => concat!($($help),+).trim_ascii_start(), )+ }
            }

            fn position(self) -> usize {
                self as usize
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

pub(crate) use words;

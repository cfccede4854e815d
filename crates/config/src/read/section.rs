//! A table that has been read: the values of its keys, by name and type.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use sluice_limit::Rate;
use sluice_model::{BindAddress, Country, ServerAddress, Share, Weight};
use sluice_route::{HostPattern, Origin, PathPattern, Pattern};

use super::{Read, Typed};
use crate::diagnostic::Span;
use crate::plan::{
    FailureKind, HashKey, HedgeAfter, KeyPart, LoadReport, LogTarget, RedisAddress, Secret,
};
use crate::schema::{Key, Shape};

/// The values of one table.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    pub(crate) shape: &'static Shape,
    /// The table's header, or its braces.
    pub(crate) span: Span,
    /// What the table is called in messages: `[listeners.web]`.
    pub(crate) place: String,
    /// The name the user gave, `web`; empty where there is none.
    pub(crate) name: String,
    /// Where the name stands.
    pub(crate) name_span: Span,
    slots: Vec<Slot>,
}

#[derive(Clone, Debug)]
struct Slot {
    key: &'static Key,
    /// `None` for a default.
    key_span: Option<Span>,
    /// `None` where the value was reported.
    read: Option<Read>,
}

impl Section {
    pub(super) fn new(shape: &'static Shape, span: Span, place: String) -> Self {
        Self {
            shape,
            name_span: span.clone(),
            span,
            place,
            name: String::new(),
            slots: Vec::new(),
        }
    }

    pub(super) fn named(mut self, name: &str, span: &Span) -> Self {
        name.clone_into(&mut self.name);
        self.name_span = span.clone();
        self
    }

    pub(super) fn insert(&mut self, key: &'static Key, key_span: &Span, read: Option<Read>) {
        self.slots.push(Slot {
            key,
            key_span: Some(key_span.clone()),
            read,
        });
    }

    pub(super) fn insert_default(&mut self, key: &'static Key, read: Option<Read>) {
        self.slots.push(Slot {
            key,
            key_span: None,
            read,
        });
    }

    /// Where the file sets the key, be the value right or wrong.
    pub(crate) fn set_at(&self, key: &str) -> Option<&Span> {
        self.slot(key).and_then(|slot| slot.key_span.as_ref())
    }

    /// The value of a key, its default where it is not set; `None` where it has none or a wrong one.
    pub(crate) fn value<T: FromTyped>(&self, key: &str) -> Option<T> {
        self.with_span(key).map(|(value, _)| value)
    }

    /// [`Self::value`] and where it stands.
    pub(crate) fn with_span<T: FromTyped>(&self, key: &str) -> Option<(T, &Span)> {
        let read = self.read(key)?;
        let value = T::from_typed(&read.typed);
        debug_assert!(value.is_some(), "`{key}` is of another type: {read:?}");
        value.map(|value| (value, &read.span))
    }

    /// The items of a list, each with its place.
    pub(crate) fn items<T: FromTyped>(&self, key: &str) -> Option<Vec<(T, Span)>> {
        let Typed::List(items) = &self.read(key)?.typed else {
            debug_assert!(false, "`{key}` is no list");
            return None;
        };
        let items = items
            .iter()
            .filter_map(|item| Some((T::from_typed(&item.typed)?, item.span.clone())))
            .collect();
        Some(items)
    }

    /// What was read, for values of more than one type.
    pub(crate) fn read(&self, key: &str) -> Option<&Read> {
        debug_assert!(
            self.shape.key(key).is_some(),
            "there is no key `{key}` in {}",
            self.place
        );
        self.slot(key)?.read.as_ref()
    }

    /// A table within this one.
    pub(crate) fn table(&self, key: &str) -> Option<&Self> {
        match &self.read(key)?.typed {
            Typed::Table(section) => Some(section),
            _ => None,
        }
    }

    /// The tables under a key that holds several, in the order of the file.
    pub(crate) fn tables(&self, key: &str) -> &[Self] {
        match self.read(key).map(|read| &read.typed) {
            Some(Typed::Tables(sections)) => sections,
            _ => &[],
        }
    }

    fn slot(&self, key: &str) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.key.name == key)
    }
}

/// What a value can be taken as.
pub(crate) trait FromTyped: Sized {
    /// `None` if it is of another type.
    fn from_typed(typed: &Typed) -> Option<Self>;
}

macro_rules! from_typed {
    ($($type:ty: $pattern:pat => $value:expr;)*) => {
        $(impl FromTyped for $type {
            fn from_typed(typed: &Typed) -> Option<Self> {
                match typed {
                    $pattern => $value,
                    _ => None,
                }
            }
        })*
    };
}

from_typed! {
    String: Typed::Text(text) => Some(text.clone());
    Box<str>: Typed::Text(text) => Some(text.as_str().into());
    Arc<str>: Typed::Text(text) => Some(text.as_str().into());
    bool: Typed::Flag(flag) => Some(*flag);
    u16: Typed::Number(number) => Self::try_from(*number).ok();
    u32: Typed::Number(number) => Self::try_from(*number).ok();
    Weight: Typed::Number(number) => Self::try_from(*number).ok();
    Duration: Typed::Duration(duration) => Some(*duration);
    u64: Typed::Size(bytes) => Some(*bytes);
    NonZeroU32: Typed::Rate(rate) => u32::try_from(*rate).ok().and_then(Self::new);
    &'static str: Typed::Word(word) => Some(*word);
    BindAddress: Typed::Bind(address) => Some(address.clone());
    ServerAddress: Typed::Server(address) => Some(address.clone());
    IpAddr: Typed::Ip(address) => Some(*address);
    IpNet: Typed::Network(net) => Some(*net);
    Country: Typed::Country(country) => Some(*country);
    Origin: Typed::Origin(origin) => Some(*origin);
    Secret: Typed::Secret(secret) => Some(secret.clone());
    HostPattern: Typed::Host(pattern) => Some(pattern.clone());
    PathPattern: Typed::Path(pattern) => Some(pattern.clone());
    LogTarget: Typed::LogTarget(target) => Some(target.clone());
    HashKey: Typed::HashKey(key) => Some(key.clone());
    LoadReport: Typed::LoadReport(report) => Some(report.clone());
    FailureKind: Typed::Failure(kind) => Some(*kind);
    HedgeAfter: Typed::HedgeAfter(after) => Some(*after);
    u8: Typed::Number(number) => Self::try_from(*number).ok();
    Vec<u8>: Typed::Datagram(bytes) => Some(bytes.clone());
    Pattern: Typed::Pattern(pattern) => Some(pattern.clone());
    Rate: Typed::RequestRate(rate) => Some(*rate);
    KeyPart: Typed::LimitKey(part) => Some(part.clone());
    RedisAddress: Typed::Redis(address) => Some(address.clone());
}

/// Sizes of buffers and counts of things in memory.
impl FromTyped for usize {
    fn from_typed(typed: &Typed) -> Option<Self> {
        match typed {
            Typed::Number(number) => Self::try_from(*number).ok(),
            Typed::Size(bytes) => Self::try_from(*bytes).ok(),
            _ => None,
        }
    }
}

/// Numbers with a fraction, and shares, of which all is 1.
impl FromTyped for f32 {
    fn from_typed(typed: &Typed) -> Option<Self> {
        match typed {
            Typed::Decimal(number) => Some(*number),
            Typed::Share(percent) => Some(Self::from(*percent) / 100.0),
            _ => None,
        }
    }
}

/// Shares as they are compared with counts.
impl FromTyped for Share {
    fn from_typed(typed: &Typed) -> Option<Self> {
        match typed {
            Typed::Share(percent) => Self::try_from(*percent).ok(),
            _ => None,
        }
    }
}

/// `"off"` or a number.
impl FromTyped for Option<u32> {
    fn from_typed(typed: &Typed) -> Option<Self> {
        match typed {
            Typed::Word("off") => Some(None),
            typed => u32::from_typed(typed).map(Some),
        }
    }
}

/// `"off"` or a share.
impl FromTyped for Option<Share> {
    fn from_typed(typed: &Typed) -> Option<Self> {
        match typed {
            Typed::Word("off") => Some(None),
            typed => Share::from_typed(typed).map(Some),
        }
    }
}

/// `"off"` or a duration.
impl FromTyped for Option<Duration> {
    fn from_typed(typed: &Typed) -> Option<Self> {
        match typed {
            Typed::Word("off") => Some(None),
            Typed::Duration(duration) => Some(Some(*duration)),
            _ => None,
        }
    }
}

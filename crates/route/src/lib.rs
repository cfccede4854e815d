//! Matching requests to routes: hosts, paths, patterns, captures, and the texts built from what was captured.
//!
//! [`Conditions`] flow in when a plan is built; the [`Facts`] of a request flow in for each request; the index of the
//! first rule whose every condition holds flows out. Pure: no I/O, no clock. What is compiled here cannot fail later,
//! and nothing a client sends can make matching take more than linear time or panic.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod captures;
mod conditions;
mod cookies;
mod covers;
mod escape;
mod explain;
mod facts;
mod field_names;
mod glob;
mod host;
mod host_map;
mod index;
mod location;
mod normalise;
mod origins;
mod path;
mod pattern;
mod regular;
mod rewrite;
mod router;
mod split;
mod template;

pub use captures::Captures;
pub use conditions::{
    ClaimCondition, Conditions, CookieCondition, FieldCondition, JsonCondition, ParameterCondition,
};
pub use cookies::{cookie_pairs, cookie_value};
pub use explain::{Aspect, Mismatch, Verdict};
pub use facts::{CountryLookup, Facts, FieldLookup, IdentityLookup, NoFields, Scheme};
pub use field_names::{FieldNames, is_taken_for};
pub use host::{HostError, HostPattern, host_name};
pub use host_map::HostMap;
pub use location::Location;
pub use normalise::{PathError, normalise_path};
pub use origins::{Origin, Origins};
pub use path::{PathPattern, PathPatternError};
pub use pattern::{Pattern, PatternError};
pub use regular::RegexError;
pub use rewrite::{LeadsElsewhere, NewTarget, PathRewrite, Requested};
pub use router::Router;
pub use split::{Side, side_by_chance, side_id, side_of};
pub use template::{Template, TemplateError, Variable, blank_line_ends};

//! The tests of the whole way from text to plan. One program, so that the crate is linked once.

mod corpus;
mod files;
mod hostile;
mod invariants;
mod plans;
mod reports;
mod schema;
mod world;

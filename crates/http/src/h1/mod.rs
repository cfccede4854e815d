//! HTTP/1: composing heads and relaying bodies (RFC 9110, RFC 9112).
//!
//! ```text
//! client ── head ──► parse (wire) ── decided above ──► request::compose ──► server
//! client ◄── response::compose ◄── parse (wire) ◄── head ── server
//!        ◄─────────────── relay (body) ───────────────►
//! ```

mod cookies;
pub mod edits;
pub mod relay;
pub mod request;
pub mod response;

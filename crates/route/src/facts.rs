//! What of a request the conditions look at.

/// What is known of a request when its route is looked for. Nothing is copied into it.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// The host as received, with or without a port, in any case; empty where there is none (HTTP/1.0).
    pub host: &'a str,
    /// The path as [`normalise_path`](crate::normalise_path) returned it; captures are positions in it.
    pub path: &'a str,
    /// What follows the `?`, as received.
    pub query: Option<&'a str>,
    /// The method; methods are case-sensitive (RFC 9110 §9.1).
    pub method: &'a str,
    /// The header fields.
    pub fields: &'a dyn FieldLookup,
}

/// Looks into the header fields of a request wherever they lie, without building a map.
pub trait FieldLookup {
    /// Calls `holds` with the value of each field line called `name`, in order, until it returns true; returns
    /// whether it did. `name` is in lower case, while fields are found in any case.
    fn any(&self, name: &str, holds: &mut dyn FnMut(&[u8]) -> bool) -> bool;
}

/// No header fields at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFields;

impl FieldLookup for NoFields {
    fn any(&self, _name: &str, _holds: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        false
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>> FieldLookup for Vec<(N, V)> {
    fn any(&self, name: &str, holds: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.iter()
            .filter(|(field, _)| field.as_ref().eq_ignore_ascii_case(name))
            .any(|(_, value)| holds(value.as_ref()))
    }
}

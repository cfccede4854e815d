//! The HTTP message model and the HTTP/1 engine: protocol only, no decisions.

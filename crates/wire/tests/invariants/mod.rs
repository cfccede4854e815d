//! What must hold for any bytes at all. The property tests, the corpora and the fuzz targets all check these.

pub(crate) mod chunked;
pub(crate) mod client_hello;
pub(crate) mod h1_request;
pub(crate) mod h1_response;
pub(crate) mod proxy_protocol;
pub(crate) mod qpack_section;

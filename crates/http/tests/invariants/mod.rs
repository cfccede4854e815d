//! What must hold for any bytes at all. The corpora and the fuzz targets all check these.

pub(crate) mod exchange_answer;
pub(crate) mod exchange_request;
pub(crate) mod h2_frames;
pub(crate) mod h3_control;
pub(crate) mod h3_frames;

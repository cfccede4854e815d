//! What came from clients.

use quinn_udp::RecvMeta;

use super::flow::Flow;
use super::{BATCH, STRIDE};

/// What one call received.
#[derive(Debug)]
pub struct Arrivals {
    /// Places for [`BATCH`] arrivals. What is never used costs no memory.
    pub(super) buffer: Vec<u8>,
    pub(super) metas: [RecvMeta; BATCH],
    pub(super) count: usize,
}

impl Default for Arrivals {
    fn default() -> Self {
        Self {
            buffer: vec![0; BATCH * STRIDE],
            metas: [RecvMeta::default(); BATCH],
            count: 0,
        }
    }
}

/// One or more datagrams of a flow, all of one length but for the last, which may be shorter.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// Between whom.
    pub flow: Flow,
    bytes: &'a [u8],
    length: usize,
}

impl<'a> Arrival<'a> {
    /// The datagrams, in the order in which they came. There is at least one, which may be empty.
    pub fn datagrams(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let empty: Option<&[u8]> = self.bytes.is_empty().then_some(&[]);
        empty
            .into_iter()
            .chain(self.bytes.chunks(self.length.max(1)))
    }
}

impl Arrivals {
    /// The batch, by arrival.
    pub fn iter(&self) -> impl Iterator<Item = Arrival<'_>> {
        let areas = self.buffer.chunks(STRIDE);
        areas.zip(&self.metas).take(self.count).map(|(area, meta)| {
            let flow = Flow {
                peer: meta.addr,
                local: meta.dst_ip,
            };
            Arrival {
                flow,
                bytes: area.get(..meta.len).unwrap_or(area),
                length: meta.stride,
            }
        })
    }
}

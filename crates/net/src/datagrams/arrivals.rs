//! What came from clients.

use std::io::IoSliceMut;

use quinn_udp::RecvMeta;

use super::flow::Flow;
use super::runs::{Offload, Run, Shape};
use super::{BATCH, STRIDE};

/// What one call received.
#[derive(Debug)]
pub struct Arrivals {
    /// Places for [`BATCH`] arrivals. What is never used costs no memory.
    buffer: Vec<u8>,
    metas: [RecvMeta; BATCH],
    list: Vec<Arrival>,
}

/// A run of datagrams of one flow, at the beginning of a place.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    place: usize,
    flow: Flow,
    shape: Shape,
}

impl Default for Arrivals {
    fn default() -> Self {
        Self {
            buffer: vec![0; BATCH * STRIDE],
            metas: [RecvMeta::default(); BATCH],
            list: Vec::with_capacity(BATCH),
        }
    }
}

impl Arrivals {
    /// The batch: between whom, and what.
    pub fn iter(&self) -> impl Iterator<Item = (Flow, Run<'_>)> {
        self.list.iter().map(|arrival| {
            let start = arrival.place * STRIDE;
            let bytes = self.buffer.get(start..start + arrival.shape.bytes);
            let run = Run::new(bytes.unwrap_or_default(), arrival.shape.length);
            (arrival.flow, run)
        })
    }

    /// Joins what came from one client in a row, so that it goes on as one.
    pub fn join(&mut self, offload: &Offload) {
        let most = offload.most();
        let buffer = &mut self.buffer;
        self.list.dedup_by(|next, run| {
            let joins = run.flow == next.flow && run.shape.takes(next.shape, most);
            if joins {
                let start = next.place * STRIDE;
                let end = run.place * STRIDE + run.shape.bytes;
                buffer.copy_within(start..start + next.shape.bytes, end);
                run.shape.bytes += next.shape.bytes;
            }
            joins
        });
    }

    /// Receives by `receive`, which is given the places and says how many it used.
    pub(super) fn fill<E>(
        &mut self,
        receive: impl FnOnce(&mut [IoSliceMut<'_>], &mut [RecvMeta]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        let mut areas = self.buffer.chunks_mut(STRIDE).map(IoSliceMut::new);
        let mut places: [IoSliceMut<'_>; BATCH] =
            std::array::from_fn(|_| areas.next().unwrap_or_else(|| IoSliceMut::new(&mut [])));
        let count = receive(&mut places, &mut self.metas)?;
        self.list.clear();
        let metas = self.metas.iter().take(count).enumerate();
        self.list.extend(metas.map(|(place, meta)| Arrival {
            place,
            flow: Flow {
                peer: meta.addr,
                local: meta.dst_ip,
            },
            shape: Shape::received(meta),
        }));
        Ok(count)
    }
}

//! How near the process is to its memory's ceiling, as everybody may ask at any time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use sluice_health::Strain;

/// Said by the control plane, asked by workers: one byte between them.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<AtomicU8>);

impl Memory {
    /// From now on it is so.
    pub fn set(&self, strain: Strain) {
        let byte = match strain {
            Strain::Calm => 0,
            Strain::Near => 1,
            Strain::Full => 2,
        };
        self.0.store(byte, Ordering::Relaxed);
    }

    /// As it is now.
    pub fn strain(&self) -> Strain {
        match self.0.load(Ordering::Relaxed) {
            0 => Strain::Calm,
            1 => Strain::Near,
            _ => Strain::Full,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_heard() {
        let memory = Memory::default();
        assert_eq!(memory.strain(), Strain::Calm);
        for strain in [Strain::Near, Strain::Full, Strain::Calm] {
            memory.clone().set(strain);
            assert_eq!(memory.strain(), strain);
        }
    }
}

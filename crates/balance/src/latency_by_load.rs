//! How long a server takes by how many requests it works on: what one more would take cannot be told from an average over
//! idle and busy moments.

use sluice_model::Moment;

use crate::decaying::{Decay, Decaying, EXPLORED};

/// Average latencies by requests in flight, in steps of powers of two: 1, 2, 3 to 4, 5 to 8, …, above 64.
#[derive(Debug, Default)]
pub(crate) struct LatencyByLoad([Decaying; STEPS]);

impl LatencyByLoad {
    /// One of `in_flight` requests took so many seconds.
    pub(crate) fn add(&self, now: Moment, decay: Decay, in_flight: f32, seconds: f32) {
        if let Some(step) = self.0.get(step(in_flight)) {
            step.average(now, decay, seconds);
        }
    }

    /// Seconds that one of `in_flight` requests takes; `None` where too little is known. From what is known of fewer in
    /// flight it is told as if they shared the server evenly, from more as if it were as busy then.
    pub(crate) fn at(&self, now: Moment, decay: Decay, in_flight: f32) -> Option<f32> {
        let own = step(in_flight);
        let below = (0..=own).rev();
        let above = own + 1..STEPS;
        let (found, seconds) = below.chain(above).find_map(|step| {
            let known = self.0.get(step)?.at(now);
            (known.mass * known.kept(decay) >= EXPLORED).then_some((step, known.value))
        })?;
        Some(if found < own {
            seconds * in_flight / most(found)
        } else {
            seconds
        })
    }

    /// Seconds that a request takes by itself; `None` where too little is known.
    pub(crate) fn alone(&self, now: Moment, decay: Decay) -> Option<f32> {
        let known = self.0.first()?.at(now);
        (known.mass * known.kept(decay) >= EXPLORED).then_some(known.value)
    }
}

const STEPS: usize = 8;

/// The step that so many in flight belong to.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float becomes the nearest integer that there is"
)]
fn step(in_flight: f32) -> usize {
    let more = (in_flight as u32).saturating_sub(1);
    let step = u32::BITS - more.leading_zeros();
    usize::try_from(step).map_or(STEPS - 1, |step| step.min(STEPS - 1))
}

/// The most requests in flight that belong to a step.
fn most(step: usize) -> f32 {
    (1_u16 << step.min(STEPS)).into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const DECAY: Decay = Decay::over(Duration::from_secs(10));

    #[test]
    fn steps_are_powers_of_two() {
        let steps: Vec<usize> = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 8.0, 9.0, 64.0, 65.0, 1e9]
            .into_iter()
            .map(step)
            .collect();
        assert_eq!(steps, [0, 0, 1, 2, 2, 3, 3, 4, 6, 7, 7]);
    }

    #[test]
    fn what_is_not_known_is_told_from_what_is() {
        let now = Moment::from_nanos(1);
        let table = LatencyByLoad::default();
        assert_eq!(table.at(now, DECAY, 1.0), None);
        (0..3).for_each(|_| table.add(now, DECAY, 2.0, 0.010));
        let seconds = |in_flight| table.at(now, DECAY, in_flight).expect("known");
        assert!((seconds(2.0) - 0.010).abs() < 1e-4);
        assert!((seconds(20.0) - 0.100).abs() < 1e-3, "ten times as many");
        assert!((seconds(1.0) - 0.010).abs() < 1e-4, "no more than with two");
    }

    #[test]
    fn one_slow_answer_is_not_believed() {
        let now = Moment::from_nanos(1);
        let table = LatencyByLoad::default();
        table.add(now, DECAY, 1.0, 30.0);
        assert_eq!(table.at(now, DECAY, 1.0), None);
    }
}

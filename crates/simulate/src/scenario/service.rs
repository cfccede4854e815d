//! How long requests take on an idle server: distributions, their means, and draws from them.

use std::f64::consts::TAU;

use fastrand::Rng;

use super::units::{Nanos, nanos_of};

/// A distribution of service times.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Service {
    /// Always the same.
    Constant(Nanos),
    /// Without memory, of this mean in nanoseconds.
    Exponential(f64),
    /// The logarithm is normal; of nanoseconds.
    LogNormal { mu: f64, sigma: f64 },
    /// At least `least` nanoseconds, and more than x in (least / x)^shape of all cases.
    Pareto { least: f64, shape: f64 },
    /// Normal, without what is below zero; in nanoseconds.
    TruncatedNormal { mean: f64, deviation: f64 },
    /// One of these, each as likely.
    Empirical(Box<[Nanos]>),
    /// As long as the recorded request took.
    Recorded,
}

impl Service {
    /// A log-normal distribution of the mean `mean`, in nanoseconds.
    pub(crate) fn log_normal(mean: f64, sigma: f64) -> Self {
        Self::LogNormal {
            mu: mean.ln() - sigma * sigma / 2.0,
            sigma,
        }
    }

    /// A Pareto distribution of the mean `mean`, in nanoseconds; `shape` above 1.
    pub(crate) fn pareto(mean: f64, shape: f64) -> Self {
        Self::Pareto {
            least: mean * (shape - 1.0) / shape,
            shape,
        }
    }

    /// The mean in nanoseconds; `None` where only the recording knows.
    pub(crate) fn mean(&self) -> Option<f64> {
        Some(match self {
            Self::Constant(nanos) => wide(*nanos),
            Self::Exponential(mean) => *mean,
            Self::LogNormal { mu, sigma } => (mu + sigma * sigma / 2.0).exp(),
            Self::Pareto { least, shape } => least * shape / (shape - 1.0),
            Self::TruncatedNormal { mean, deviation } => truncated_mean(*mean, *deviation),
            Self::Empirical(samples) => {
                samples.iter().map(|&nanos| wide(nanos)).sum::<f64>() / wide(samples.len() as u64)
            }
            Self::Recorded => return None,
        })
    }

    /// The time that the request with this `lot` takes, in nanoseconds. The same lot always takes the same time, so that
    /// every policy is given the same work. Of a recorded request the lot is its time.
    pub(crate) fn draw(&self, lot: u64) -> f64 {
        match self {
            Self::Constant(nanos) => wide(*nanos),
            Self::Exponential(mean) => -mean * open_unit(&mut Rng::with_seed(lot)).ln(),
            Self::LogNormal { mu, sigma } => (mu + sigma * normal(&mut Rng::with_seed(lot))).exp(),
            Self::Pareto { least, shape } => {
                least * open_unit(&mut Rng::with_seed(lot)).powf(-1.0 / shape)
            }
            Self::TruncatedNormal { mean, deviation } => {
                let mut rng = Rng::with_seed(lot);
                (0..REDRAWS)
                    .map(|_| mean + deviation * normal(&mut rng))
                    .find(|&drawn| drawn >= 0.0)
                    .unwrap_or(*mean)
            }
            Self::Empirical(samples) => wide(samples[Rng::with_seed(lot).usize(..samples.len())]),
            Self::Recorded => wide(lot),
        }
    }
}

/// A number above 0 and up to 1.
fn open_unit(rng: &mut Rng) -> f64 {
    1.0 - rng.f64()
}

/// The time until the next of events that come without memory, `mean` nanoseconds apart.
pub(crate) fn exponential(rng: &mut Rng, mean: f64) -> Nanos {
    nanos_of(-mean * open_unit(rng).ln())
}

/// At least half of the draws are good, as the mean is not negative.
const REDRAWS: u32 = 64;

/// A standard normal number (Box and Muller, 1958).
fn normal(rng: &mut Rng) -> f64 {
    (-2.0 * open_unit(rng).ln()).sqrt() * (TAU * rng.f64()).cos()
}

/// The mean of a normal distribution without what is below zero, by Simpson's rule.
fn truncated_mean(mean: f64, deviation: f64) -> f64 {
    if deviation == 0.0 {
        return mean;
    }
    let density = |x: f64| (-((x - mean) / deviation).powi(2) / 2.0).exp();
    let step = (mean + 12.0 * deviation) / f64::from(STEPS);
    let (mut mass, mut moment) = (0.0, 0.0);
    for index in 0..=STEPS {
        let x = f64::from(index) * step;
        let factor = match index {
            0 | STEPS => 1.0,
            _ if index % 2 == 1 => 4.0,
            _ => 2.0,
        };
        mass += factor * density(x);
        moment += factor * x * density(x);
    }
    moment / mass
}

const STEPS: u32 = 2_000;

#[expect(
    clippy::cast_precision_loss,
    reason = "nanoseconds of days fit 53 bits"
)]
fn wide(nanos: Nanos) -> f64 {
    nanos as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_have_the_mean_that_is_told() {
        for service in [
            Service::Constant(5_000),
            Service::Exponential(5_000.0),
            Service::log_normal(5_000.0, 1.0),
            Service::pareto(5_000.0, 3.5),
            Service::TruncatedNormal {
                mean: 5_000.0,
                deviation: 5_000.0,
            },
            Service::Empirical([1_000, 2_000, 12_000].into()),
        ] {
            let mut rng = Rng::with_seed(7);
            let drawn: Vec<f64> = (0..200_000).map(|_| service.draw(rng.u64(..))).collect();
            let mean = drawn.iter().sum::<f64>() / 200_000.0;
            let variance = drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 200_000.0;
            let told = service.mean().expect("a mean");
            let bound = 4.5 * (variance / 200_000.0).sqrt() + 1e-6;
            assert!(
                (mean - told).abs() < bound,
                "{service:?}: {mean}, not {told}"
            );
        }
    }

    #[test]
    fn parameters_are_means() {
        for service in [
            Service::log_normal(5_000.0, 1.5),
            Service::pareto(5_000.0, 1.2),
        ] {
            assert!((service.mean().expect("a mean") - 5_000.0).abs() < 1e-6);
        }
        // φ(−1) / (1 − Φ(−1)) = 0.2876: what truncation at one deviation below the mean adds.
        let service = Service::TruncatedNormal {
            mean: 1_000.0,
            deviation: 1_000.0,
        };
        assert!((service.mean().expect("a mean") - 1_287.6).abs() < 0.1);
    }

    #[test]
    fn a_lot_always_takes_the_same_time() {
        let service = Service::log_normal(5_000.0, 1.0);
        assert_eq!(service.draw(9).to_bits(), service.draw(9).to_bits());
        assert!((Service::Recorded.draw(9) - 9.0).abs() < 1e-9);
    }
}

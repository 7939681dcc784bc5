//! Seeded random streams: one ChaCha8 stream per purpose, so that drawing more for one purpose
//! (say, twice as many quotes) leaves every other (the price path) as it was.
//!
//! Only integer draws come from the generator; floating-point samples are made here from them with
//! `libm`, so the same seed gives the same bits on every machine.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What a stream is for. The numbers are part of the definition of a seed's session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub(super) enum Purpose {
    /// Daily history before the session.
    History = 1,
    /// Brownian increments of the underlying.
    Path = 2,
    /// Increments of the variance factors independent of the underlying.
    Variance = 3,
    /// Arrival, size and sign of jumps.
    Jumps = 4,
    /// The independent skew factor.
    Skew = 5,
    /// Quotes of the underlying.
    Underlying = 6,
    /// Which option quotes change when, and their delays.
    OptionQuotes = 7,
    /// Displayed sizes.
    Sizes = 8,
    /// Prints.
    Trades = 9,
    /// Open interest.
    OpenInterest = 10,
    /// Imperfections and faults.
    Faults = 11,
    /// Sampling inside the acceptance suite.
    Acceptance = 12,
}

/// One random stream.
#[derive(Debug, Clone)]
pub(super) struct Stream {
    rng: ChaCha8Rng,
    spare: Option<f64>,
}

impl Stream {
    /// The stream of a purpose under a seed.
    pub(super) fn new(seed: u64, purpose: Purpose) -> Stream {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(purpose as u64);
        Stream { rng, spare: None }
    }

    /// Uniform on [0, 1) with 53 bits.
    pub(super) fn uniform(&mut self) -> f64 {
        (self.rng.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Whether an event of this probability happens.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }

    /// Uniform integer in `0..bound`; 0 when the bound is 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        // Multiply-shift; the bias (< bound/2^64) is far below anything observable.
        ((u128::from(self.rng.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// Standard normal (Marsaglia's polar method).
    pub(super) fn normal(&mut self) -> f64 {
        if let Some(value) = self.spare.take() {
            return value;
        }
        loop {
            let (x, y) = (2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0);
            let square = x * x + y * y;
            if square > 0.0 && square < 1.0 {
                let scale = (-2.0 * libm::log(square) / square).sqrt();
                self.spare = Some(y * scale);
                return x * scale;
            }
        }
    }

    /// Exponential with mean 1.
    pub(super) fn exponential(&mut self) -> f64 {
        -libm::log(1.0 - self.uniform())
    }

    /// Poisson count; the mean is small (below ~30) wherever it is used.
    pub(super) fn poisson(&mut self, mean: f64) -> u64 {
        if mean <= 0.0 {
            return 0;
        }
        if mean > 30.0 {
            let approx = mean + mean.sqrt() * self.normal();
            return if approx > 0.0 { libm::rint(approx) as u64 } else { 0 };
        }
        let limit = libm::exp(-mean);
        let (mut count, mut product) = (0, self.uniform());
        while product > limit {
            count += 1;
            product *= self.uniform();
        }
        count
    }

    /// A heavy-tailed positive size: lognormal body, Pareto tail of index 1.7 in one draw of thirty.
    pub(super) fn heavy_size(&mut self, median: f64) -> i64 {
        let body = median * libm::exp(0.85 * self.normal());
        let value =
            if self.chance(1.0 / 30.0) { body * libm::exp(self.exponential() / 1.7).min(80.0) } else { body };
        (libm::ceil(value) as i64).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_independent_and_reproducible() {
        let draw = |purpose| {
            let mut stream = Stream::new(7, purpose);
            (0..4).map(|_| stream.below(1000)).collect::<Vec<_>>()
        };
        assert_eq!(draw(Purpose::Path), draw(Purpose::Path));
        assert_ne!(draw(Purpose::Path), draw(Purpose::Jumps));
    }

    #[test]
    fn samples_have_their_moments() {
        let mut stream = Stream::new(1, Purpose::Acceptance);
        let n = 100_000;
        let (mut mean, mut square, mut rare) = (0.0, 0.0, 0);
        for _ in 0..n {
            let x = stream.normal();
            mean += x / f64::from(n);
            square += x * x / f64::from(n);
            rare += stream.poisson(0.3);
        }
        assert!(mean.abs() < 0.015, "{mean}");
        assert!((square - 1.0).abs() < 0.02, "{square}");
        assert!((rare as f64 / f64::from(n) - 0.3).abs() < 0.01);
    }
}

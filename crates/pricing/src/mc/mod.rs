//! Monte Carlo simulation.
//!
//! A [`model::PathModel`] turns standard normals into prices of one path, a
//! [`payoff::Payoff`] turns the path into a present value, and a [`Simulation`] adds
//! them up in blocks of [`BLOCK_PATHS`] paths. Block `n` draws from a stream keyed by
//! (seed, n) alone, so blocks may be computed anywhere and in any order; merging their
//! [`Sums`] in block order gives the same bits for every number of threads. This crate
//! starts no thread: [`Simulation::run`] is the sequential loop, and a caller with
//! threads maps [`Simulation::block`] over them.
//!
//! | module | what |
//! |---|---|
//! | [`random`] | normals from ChaCha8 streams |
//! | [`sobol`] | Sobol points, digital shifts, Brownian bridge |
//! | [`model`] | geometric Brownian motion, Heston (QE), Merton jumps, local volatility, baskets |
//! | [`payoff`] | European, Asian, barrier, look-back, basket |
//! | [`lsm`] | early exercise by Longstaff & Schwartz |
//! | [`risk`] | loss distribution of a position at a horizon |

pub mod lsm;
pub mod model;
pub mod payoff;
pub mod random;
pub mod risk;
pub mod sobol;

use crate::model_error::{ModelError, positive};
use model::PathModel;
use payoff::Payoff;
use random::NormalStream;
use sobol::SobolNormals;

/// Paths (antithetic pairs count as one) in a block.
pub const BLOCK_PATHS: usize = 1024;
/// Most paths of a simulation.
pub const PATHS_MAX: u64 = 100_000_000;
/// Most monitoring dates; a block holds its paths' random numbers of all dates.
pub const DATES_MAX: usize = 4_000;
/// Most random numbers (paths times dates times factors): about a minute on one core.
pub const NUMBERS_MAX: f64 = 4e9;

/// Where the normals come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampling {
    /// Independent pseudo-random paths.
    Independent,
    /// Each path together with its mirror image; a pair is one sample of the error.
    Antithetic,
    /// Sobol points through a Brownian bridge, randomised by a digital shift in each of
    /// [`SOBOL_REPLICATES`] replicates, which also give the error.
    Sobol,
}

/// Independent shifts of a Sobol run.
pub const SOBOL_REPLICATES: u64 = 16;

/// A mean with its standard error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Present value.
    pub mean: f64,
    /// Standard error of the mean; asymptotic for independent samples.
    pub standard_error: f64,
    /// Paths simulated, mirror images included.
    pub paths: u64,
}

/// Sums of a block: samples `y` and control `x`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sums {
    count: f64,
    y: f64,
    x: f64,
    yy: f64,
    xx: f64,
    xy: f64,
    paths: u64,
}

impl Sums {
    fn add(&mut self, y: f64, x: f64, paths: u64) {
        self.count += 1.0;
        self.y += y;
        self.x += x;
        self.yy += y * y;
        self.xx += x * x;
        self.xy += x * y;
        self.paths += paths;
    }

    /// Adds the sums of the next block.
    pub fn merge(&mut self, next: &Self) {
        self.count += next.count;
        self.y += next.y;
        self.x += next.x;
        self.yy += next.yy;
        self.xx += next.xx;
        self.xy += next.xy;
        self.paths += next.paths;
    }
}

/// A pay-off whose expectation is known, subtracted with the optimal coefficient.
pub struct Control<'a> {
    /// The pay-off.
    pub payoff: &'a dyn Payoff,
    /// Its exact present value under the simulated (time-discrete) model.
    pub value: f64,
}

/// A simulation: model, dates, pay-off and how to sample.
pub struct Simulation<'a, M: PathModel + ?Sized> {
    /// The model.
    pub model: &'a M,
    /// Monitoring dates in years, ascending, the last is the pay date.
    pub times: &'a [f64],
    /// The pay-off (present value).
    pub payoff: &'a dyn Payoff,
    /// Optional control variate.
    pub control: Option<Control<'a>>,
    /// Sampling scheme.
    pub sampling: Sampling,
    /// Seed of all streams.
    pub seed: u64,
    /// Paths to simulate, rounded up to whole blocks.
    pub paths: u64,
}

impl<M: PathModel + ?Sized> Simulation<'_, M> {
    /// Checks the model, the dates and the dimension.
    ///
    /// # Errors
    /// [`ModelError`] naming what is out of range.
    pub fn validate(&self) -> Result<(), ModelError> {
        self.model.validate()?;
        let mut last = 0.0;
        for &t in self.times {
            crate::model_error::in_range("monitoring date", t, "ascending and greater than 0", |t| t > last)?;
            last = t;
        }
        if self.times.is_empty() || self.paths == 0 {
            return Err(ModelError::TooFew { what: "simulation (dates and paths)", needed: 1, found: 0 });
        }
        let limits = [
            ("paths", self.paths as f64, PATHS_MAX as f64, "at most 100,000,000"),
            ("monitoring dates", self.times.len() as f64, DATES_MAX as f64, "at most 4,000"),
            (
                "paths times dates times factors",
                self.paths as f64 * self.dimensions() as f64,
                NUMBERS_MAX,
                "at most 4e9",
            ),
        ];
        for (what, value, most, expected) in limits {
            crate::model_error::in_range(what, value, expected, |value| value <= most)?;
        }
        if self.sampling == Sampling::Sobol && self.dimensions() > sobol::DIMENSIONS_MAX {
            return Err(ModelError::OutOfRange {
                what: "Sobol dimensions",
                expected: "at most 256",
                value: self.dimensions() as f64,
            });
        }
        Ok(())
    }

    fn dimensions(&self) -> usize {
        self.model.normals_per_step() * self.times.len()
    }

    /// Number of blocks of the run.
    #[must_use]
    pub fn block_count(&self) -> u64 {
        let per_block = BLOCK_PATHS as u64 * if self.sampling == Sampling::Antithetic { 2 } else { 1 };
        let blocks = self.paths.div_ceil(per_block);
        if self.sampling == Sampling::Sobol {
            blocks.div_ceil(SOBOL_REPLICATES) * SOBOL_REPLICATES
        } else {
            blocks
        }
    }

    /// The sums of one block; depends on (self, block) only. Empty when the simulation is
    /// not valid, which [`Simulation::estimate`] reports.
    #[must_use]
    pub fn block(&self, block: u64) -> Sums {
        if self.validate().is_err() {
            return Sums::default();
        }
        match self.sampling {
            Sampling::Independent | Sampling::Antithetic => self.random_block(block),
            Sampling::Sobol => self.sobol_block(block),
        }
    }

    fn random_block(&self, block: u64) -> Sums {
        let mut workspace = Workspace::new(self);
        let n = workspace.dimensions;
        let mut normals = vec![0.0; n * BLOCK_PATHS];
        NormalStream::new(self.seed, block).fill(&mut normals);
        let is_paired = self.sampling == Sampling::Antithetic;
        let (share, copies) = if is_paired { (0.5, 2) } else { (1.0, 1) };
        let mut samples = [(0.0, 0.0); BLOCK_PATHS];
        for copy in 0..copies {
            if copy == 1 {
                for z in &mut normals {
                    *z = -*z;
                }
            }
            for (sample, path) in samples.iter_mut().zip(normals.chunks_exact(n)) {
                let (y, x) = workspace.evaluate(self, path);
                sample.0 += share * y;
                sample.1 += share * x;
            }
        }
        let mut sums = Sums::default();
        for (y, x) in samples {
            sums.add(y, x, copies);
        }
        sums
    }

    /// Replicate `block % 16` covers points `(block / 16) * 1024 ..` of its shifted sequence.
    fn sobol_block(&self, block: u64) -> Sums {
        let mut workspace = Workspace::new(self);
        let mut points =
            SobolNormals::new(self.seed, block % SOBOL_REPLICATES, self.model.normals_per_step(), self.times);
        points.skip_to(block / SOBOL_REPLICATES * BLOCK_PATHS as u64);
        let n = workspace.dimensions;
        let mut normals = vec![0.0; n * BLOCK_PATHS];
        points.fill(&mut normals);
        let mut sums = Sums::default();
        for path in normals.chunks_exact(n) {
            let (y, x) = workspace.evaluate(self, path);
            sums.add(y, x, 1);
        }
        sums
    }

    /// The estimate from all blocks' sums in block order.
    ///
    /// # Errors
    /// [`ModelError`] when the sums are not those of a valid run.
    pub fn estimate(&self, blocks: &[Sums]) -> Result<Estimate, ModelError> {
        self.validate()?;
        let mut total = Sums::default();
        for block in blocks {
            total.merge(block);
        }
        positive("samples", total.count)?;
        let beta = self.coefficient(&total);
        let known = self.control.as_ref().map_or(0.0, |c| c.value);
        let mean_of = |s: &Sums| s.y / s.count - beta * (s.x / s.count - known);
        let mean = crate::model_error::finite("simulated mean", mean_of(&total))?;
        let standard_error = if self.sampling == Sampling::Sobol {
            // Replicates are independent estimates of the same integral.
            let mut replicates = [Sums::default(); SOBOL_REPLICATES as usize];
            for (i, block) in blocks.iter().enumerate() {
                replicates[i % SOBOL_REPLICATES as usize].merge(block);
            }
            let r = SOBOL_REPLICATES as f64;
            let squares: f64 = replicates.iter().map(|s| (mean_of(s) - mean) * (mean_of(s) - mean)).sum();
            (squares / (r * (r - 1.0))).sqrt()
        } else {
            let n = total.count;
            let variance = |a: f64, b: f64, ab: f64| (ab - a * b / n) / (n - 1.0);
            let own = variance(total.y, total.y, total.yy);
            let shared = variance(total.x, total.y, total.xy);
            ((own - beta * shared).max(0.0) / n).sqrt()
        };
        Ok(Estimate { mean, standard_error, paths: total.paths })
    }

    /// All blocks one after the other.
    ///
    /// # Errors
    /// [`ModelError`] when the simulation is not valid or its mean is not finite.
    pub fn run(&self) -> Result<Estimate, ModelError> {
        self.validate()?;
        let blocks: Vec<Sums> = (0..self.block_count()).map(|b| self.block(b)).collect();
        self.estimate(&blocks)
    }

    fn coefficient(&self, total: &Sums) -> f64 {
        let spread = total.xx - total.x * total.x / total.count;
        if self.control.is_some() && spread > 0.0 {
            (total.xy - total.x * total.y / total.count) / spread
        } else {
            0.0
        }
    }
}

/// Buffers of one block.
struct Workspace {
    dimensions: usize,
    prices: Vec<f64>,
    prepared: Vec<model::Step>,
}

impl Workspace {
    fn new<M: PathModel + ?Sized>(simulation: &Simulation<'_, M>) -> Self {
        let steps = simulation.times.len();
        let mut last = 0.0;
        let prepared = simulation
            .times
            .iter()
            .map(|&t| {
                let dt = t - last;
                let step = model::Step { start: last, dt, root_dt: dt.sqrt() };
                last = t;
                step
            })
            .collect();
        Self {
            dimensions: simulation.dimensions(),
            prices: vec![0.0; steps * simulation.model.assets()],
            prepared,
        }
    }

    fn evaluate<M: PathModel + ?Sized>(
        &mut self,
        simulation: &Simulation<'_, M>,
        normals: &[f64],
    ) -> (f64, f64) {
        simulation.model.path(&self.prepared, normals, &mut self.prices);
        let x = simulation.control.as_ref().map_or(0.0, |c| c.payoff.value(&self.prices));
        (simulation.payoff.value(&self.prices), x)
    }
}

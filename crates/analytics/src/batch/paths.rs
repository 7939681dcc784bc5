//! Simulated prices of each row, with standard errors.
//!
//! The paths of a row are drawn in blocks whose streams depend on (seed, block) alone and summed in
//! block order, so neither the number of threads nor the other rows change a bit.

use super::european::{RATE, SPOT, STRIKE, TYPE, VOL, YEARS, YIELD};
use super::exotic::{BARRIER, KIND, REBATE, kind};
use super::smile::{Slices, heston_columns, heston_model};
use super::{Column, Formula, Row, RowError, Value};
use onetape_pricing::ModelError;
use onetape_pricing::Right;
use onetape_pricing::heston::Market;
use onetape_pricing::mc::model::{BasketPaths, Gbm, HestonPaths, LocalVolPaths, MertonPaths, PathModel};
use onetape_pricing::mc::payoff::{
    Asian, Average, Barrier, Basket, ContinuousBarrier, European, Knock, Lookback, Payoff,
    geometric_asian_value,
};
use onetape_pricing::mc::{self, Control, Estimate, Sampling, Simulation, Sums, lsm};
use onetape_pricing::surface::local::SviSurface;
use rayon::prelude::*;
use std::sync::Arc;

/// Names of [`Sampling`] as schemes.
pub(super) const SAMPLING: [(&str, Sampling); 3] = [
    ("sobol", Sampling::Sobol),
    ("antithetic", Sampling::Antithetic),
    ("independent", Sampling::Independent),
];

const PATHS: Column = Column::new("paths", "paths to simulate");
const SEED: Column = Column::new("seed", "seed of the random streams");
const PAYOFF: Column = Column::new("payoff", WORDS);
const DATES: Column = Column::new("dates", "equally spaced monitoring dates, the last at expiry");
const WORDS: &str =
    "european, asian, asian-geometric, barrier, barrier-continuous, lookback-fixed or lookback-floating";
const RESULTS: [&str; 3] = ["price", "standard_error", "paths_used"];

/// Steps of models that are simulated in steps, where the file names no dates.
const STEPS_PER_YEAR: f64 = 32.0;
const STEPS_LEAST: f64 = 12.0;

/// What moves the underlying.
pub(super) enum Dynamics {
    Gbm,
    Heston,
    Merton,
    /// Dupire's local volatility of the slices' surface.
    Local(Arc<Slices>),
}

/// One underlying.
pub(super) struct Paths {
    pub(super) dynamics: Dynamics,
    pub(super) sampling: Sampling,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    European,
    Asian(Average),
    Barrier,
    ContinuousBarrier,
    LookbackFixed,
    LookbackFloating,
}

fn payoff_kind(row: &Row<'_>) -> Result<Kind, RowError> {
    let words = [
        ("european", Kind::European),
        ("asian", Kind::Asian(Average::Arithmetic)),
        ("asian-geometric", Kind::Asian(Average::Geometric)),
        ("barrier", Kind::Barrier),
        ("barrier-continuous", Kind::ContinuousBarrier),
        ("lookback-fixed", Kind::LookbackFixed),
        ("lookback-floating", Kind::LookbackFloating),
    ];
    row.word("payoff", WORDS, &words)
}

const TAIL: [Column; 7] = [
    PAYOFF.or("european"),
    DATES.or(""),
    PATHS.or("131072"),
    SEED.or("1"),
    KIND.or("DownOut"),
    BARRIER.or(""),
    REBATE.or("0"),
];

macro_rules! with_tail {
    ($head:expr) => {{
        const HEAD: &[Column] = &$head;
        const ALL: [Column; HEAD.len() + TAIL.len()] = {
            let mut all = [TAIL[0]; HEAD.len() + TAIL.len()];
            let mut n = 0;
            while n < all.len() {
                all[n] = if n < HEAD.len() { HEAD[n] } else { TAIL[n - HEAD.len()] };
                n += 1;
            }
            all
        };
        &ALL
    }};
}

/// What every simulation of a row needs.
struct Run {
    market: Market,
    years: f64,
    times: Vec<f64>,
    sampling: Sampling,
    seed: u64,
    paths: u64,
}

impl Run {
    /// All blocks over the threads at hand, summed in block order.
    fn estimate<M: PathModel + Sync>(
        &self,
        model: &M,
        payoff: &dyn Payoff,
        control: Option<(&dyn Payoff, f64)>,
    ) -> Result<Estimate, ModelError> {
        let simulation = Simulation {
            model,
            times: &self.times,
            payoff,
            control: control.map(|(payoff, value)| Control { payoff, value }),
            sampling: self.sampling,
            seed: self.seed,
            paths: self.paths,
        };
        simulation.validate()?;
        let sums: Vec<Sums> =
            (0..simulation.block_count()).into_par_iter().map(|block| simulation.block(block)).collect();
        simulation.estimate(&sums)
    }
}

impl Formula for Paths {
    fn columns(&self) -> &[Column] {
        const JUMPS: [Column; 3] = [
            Column::new("intensity", "expected jumps per year"),
            Column::new("jump_mean", "mean of the jump of the logarithm"),
            Column::new("jump_vol", "standard deviation of the jump of the logarithm"),
        ];
        const H: [Column; 11] = heston_columns();
        match self.dynamics {
            Dynamics::Gbm => with_tail!([TYPE, SPOT, STRIKE, YEARS, RATE, YIELD.or("0"), VOL]),
            Dynamics::Heston => {
                with_tail!([H[0], H[1], H[2], H[3], H[4], H[5], H[6], H[7], H[8], H[9], H[10]])
            }
            Dynamics::Merton => with_tail!([
                TYPE,
                SPOT,
                STRIKE,
                YEARS,
                RATE,
                YIELD.or("0"),
                VOL,
                JUMPS[0],
                JUMPS[1],
                JUMPS[2]
            ]),
            Dynamics::Local(_) => with_tail!([TYPE, SPOT, STRIKE, YEARS, RATE, YIELD.or("0")]),
        }
    }

    fn results(&self) -> &[&'static str] {
        &RESULTS
    }

    fn evaluate(&self, row: &Row<'_>, out: &mut Vec<Value>) -> Result<(), RowError> {
        let kind = payoff_kind(row)?;
        let run = self.run(row, kind)?;
        let market = run.market;
        let estimate = match &self.dynamics {
            Dynamics::Gbm => {
                let model = Gbm { market, vol: row.non_negative("sigma")? };
                simulate(row, &run, kind, &model, Some(&model))?
            }
            Dynamics::Heston => {
                simulate(row, &run, kind, &HestonPaths { market, model: heston_model(row)? }, None)?
            }
            Dynamics::Merton => {
                let model = MertonPaths {
                    market,
                    vol: row.non_negative("sigma")?,
                    intensity: row.non_negative("intensity")?,
                    jump_mean: row.finite("jump_mean")?,
                    jump_vol: row.non_negative("jump_vol")?,
                };
                simulate(row, &run, kind, &model, None)?
            }
            Dynamics::Local(slices) => {
                let surface = SviSurface::new(&slices.by_time())?;
                // Where the surface admits arbitrage there is no local volatility, and no price.
                let vol = |t: f64, k: f64| surface.local_vol(k, t).unwrap_or(f64::NAN);
                simulate(row, &run, kind, &LocalVolPaths { market, vol, substeps: 1 }, None)?
            }
        };
        push(&estimate, out);
        Ok(())
    }
}

fn push(estimate: &Estimate, out: &mut Vec<Value>) {
    out.extend([estimate.mean, estimate.standard_error, estimate.paths as f64].map(Value::Number));
}

fn seed(row: &Row<'_>) -> Result<u64, RowError> {
    Ok(row.count("seed", u32::MAX, "a whole number from 1 to 4294967295")? as u64)
}

fn paths(row: &Row<'_>) -> Result<u64, RowError> {
    Ok(row.count("paths", mc::PATHS_MAX as u32, "a whole number from 1 to 100000000")? as u64)
}

impl Paths {
    fn run(&self, row: &Row<'_>, kind: Kind) -> Result<Run, RowError> {
        let market =
            Market { spot: row.positive("S")?, rate: row.finite("r")?, dividend_yield: row.finite("q")? };
        let (years, paths) = (row.positive("T")?, paths(row)?);
        let normals = match self.dynamics {
            Dynamics::Heston => 2.0,
            Dynamics::Merton => 3.0,
            _ => 1.0,
        };
        let is_exact = matches!(self.dynamics, Dynamics::Gbm | Dynamics::Merton);
        let dates = match row.optional("dates")? {
            Some(_) => row.count("dates", mc::DATES_MAX as u32, "a whole number from 1 to 4000")?,
            None if is_exact && kind == Kind::European => 1,
            None if is_exact => STEPS_LEAST as usize,
            // Sobol points have 256 dimensions.
            None => (STEPS_PER_YEAR * years).clamp(STEPS_LEAST, 256.0 / normals).ceil() as usize,
        };
        if dates as f64 * paths as f64 * normals > mc::NUMBERS_MAX {
            let expected = "fewer: paths times dates times the model's factors may be 4e9";
            return Err(RowError::OutOfRange { column: "paths", expected, value: paths as f64 });
        }
        let times = (1..=dates).map(|n| years * n as f64 / dates as f64).collect();
        Ok(Run { market, years, times, sampling: self.sampling, seed: seed(row)?, paths })
    }
}

/// The pay-off of the row under `model`; `gbm` is the model where closed forms of it help.
///
/// Control variates: the geometric mean under an arithmetic one (Kemna & Vorst 1990), else the asset
/// itself, whose value is known.
fn simulate<M: PathModel + Sync>(
    row: &Row<'_>,
    run: &Run,
    kind: Kind,
    model: &M,
    gbm: Option<&Gbm>,
) -> Result<Estimate, RowError> {
    let (right, strike) = (row.right()?, row.non_negative("K")?);
    let (spot, discount) = (run.market.spot, run.market.discount(run.years));
    let asset = European { right: Right::Call, strike: 0.0, discount };
    let value = discount * run.market.forward(run.years);
    let control: Option<(&dyn Payoff, f64)> = Some((&asset, value));
    let option = European { right, strike, discount };
    Ok(match kind {
        Kind::European => run.estimate(model, &option, control)?,
        Kind::Asian(average) => {
            let asian = Asian { right, strike, average, discount };
            let geometric = Asian { average: Average::Geometric, ..asian };
            let known = gbm.filter(|_| average == Average::Arithmetic && strike > 0.0);
            let known = known.and_then(|gbm| geometric_asian_value(gbm, &run.times, &geometric).ok());
            let control = known.map_or(control, |value| Some((&geometric, value)));
            run.estimate(model, &asian, control)?
        }
        Kind::Barrier => run.estimate(model, &barrier(row, option)?, control)?,
        Kind::ContinuousBarrier => {
            let Some(gbm) = gbm else {
                let expected = "barrier: continuous observation needs a constant volatility";
                return Err(RowError::Word { column: "payoff", expected, text: "barrier-continuous".into() });
            };
            let mut last = 0.0;
            let variances = run.times.iter().map(|t| {
                let dt = t - last;
                last = *t;
                gbm.vol * gbm.vol * dt
            });
            let payoff =
                ContinuousBarrier { barrier: barrier(row, option)?, spot, variances: variances.collect() };
            run.estimate(model, &payoff, control)?
        }
        Kind::LookbackFixed => {
            run.estimate(model, &Lookback { right, strike: Some(strike), spot, discount }, control)?
        }
        Kind::LookbackFloating => {
            run.estimate(model, &Lookback { right, strike: None, spot, discount }, control)?
        }
    })
}

fn barrier(row: &Row<'_>, option: European) -> Result<Barrier, RowError> {
    let (is_up, knock): (bool, Knock) = kind(row)?;
    let level = row.positive("barrier")?;
    Ok(Barrier { option, knock, level, is_up, rebate: row.non_negative("rebate")? })
}

/// Options on a weighted sum of correlated assets.
pub(super) struct BasketOption {
    pub(super) sampling: Sampling,
}

const ASSETS_MAX: usize = 64;

impl Formula for BasketOption {
    fn columns(&self) -> &[Column] {
        const ALL: [Column; 11] = [
            TYPE,
            Column::new("S", "prices of the assets, separated by semicolons").also(&["spot"]),
            STRIKE,
            YEARS,
            RATE,
            Column::new("q", "dividend yields, one or one per asset, separated by semicolons").or("0"),
            Column::new("sigma", "volatilities, one or one per asset, separated by semicolons"),
            Column::new("weights", "weights, one or one per asset, separated by semicolons"),
            Column::new(
                "correlation",
                "one number, or the triangle above the diagonal row by row, separated by semicolons",
            ),
            PATHS.or("131072"),
            SEED.or("1"),
        ];
        &ALL
    }

    fn results(&self) -> &[&'static str] {
        &RESULTS
    }

    fn evaluate(&self, row: &Row<'_>, out: &mut Vec<Value>) -> Result<(), RowError> {
        let spots = row.list("S")?;
        let count = spots.len();
        if count > ASSETS_MAX {
            let expected = "at most 64 assets";
            return Err(RowError::OutOfRange { column: "S", expected, value: count as f64 });
        }
        let per_asset = |column| {
            let list = row.list(column)?;
            match list.len() {
                1 => Ok(vec![list[0]; count]),
                n if n == count => Ok(list),
                n => {
                    let expected = "one number, or one per asset in S";
                    Err(RowError::OutOfRange { column, expected, value: n as f64 })
                }
            }
        };
        let (yields, vols, weights) = (per_asset("q")?, per_asset("sigma")?, per_asset("weights")?);
        let correlations = correlations(row, count)?;
        let (rate, years) = (row.finite("r")?, row.positive("T")?);
        let model = BasketPaths::new(&spots, &yields, &vols, &correlations, rate)?;
        let market = Market { spot: 1.0, rate, dividend_yield: 0.0 };
        let discount = market.discount(years);
        let payoff =
            Basket { weights: weights.clone(), right: row.right()?, strike: row.finite("K")?, discount };
        let asset = Basket { right: Right::Call, strike: 0.0, ..payoff.clone() };
        let parts = spots.iter().zip(&yields).zip(&weights);
        let value = parts.map(|((spot, q), weight)| weight * spot * libm::exp(-q * years)).sum();
        // With a negative weight the sum may be negative, and a call at strike zero is not the sum.
        let control = weights.iter().all(|w| *w >= 0.0).then_some((&asset as &dyn Payoff, value));
        let run = Run {
            market,
            years,
            times: vec![years],
            sampling: self.sampling,
            seed: seed(row)?,
            paths: paths(row)?,
        };
        push(&run.estimate(&model, &payoff, control)?, out);
        Ok(())
    }
}

/// The whole matrix row by row.
fn correlations(row: &Row<'_>, count: usize) -> Result<Vec<f64>, RowError> {
    let list = if count == 1 { vec![0.0] } else { row.list("correlation")? };
    if list.len() != 1 && list.len() != count * (count - 1) / 2 {
        let expected = "one number, or n(n-1)/2 of them for n assets";
        return Err(RowError::OutOfRange { column: "correlation", expected, value: list.len() as f64 });
    }
    let mut next = 0;
    let mut matrix = vec![1.0; count * count];
    for i in 0..count {
        for j in i + 1..count {
            let value = if list.len() == 1 { list[0] } else { list[next] };
            next += 1;
            (matrix[i * count + j], matrix[j * count + i]) = (value, value);
        }
    }
    Ok(matrix)
}

/// Early exercise by least-squares Monte Carlo.
pub(super) struct LeastSquares;

pub(super) const EXERCISES: Column =
    Column::new("n_exercises", "equally spaced exercise dates, the last at expiry");
pub(super) const EXERCISES_PER_YEAR: Column =
    Column::new("exercises_per_year", "exercise dates per year, where n_exercises is empty");

/// Exercise dates from `n_exercises`, or from `exercises_per_year` and the years.
pub(super) fn exercises(
    row: &Row<'_>,
    years: f64,
    most: u32,
    expected: &'static str,
) -> Result<usize, RowError> {
    let Some(per_year) = row.optional("exercises_per_year")? else {
        return row.count("n_exercises", most, expected);
    };
    if row.optional("n_exercises")?.is_some() {
        return row.count("n_exercises", most, expected);
    }
    let dates = (per_year * years).round();
    if dates >= 1.0 && dates <= f64::from(most) {
        Ok(dates as usize)
    } else {
        Err(RowError::OutOfRange { column: "exercises_per_year", expected, value: per_year })
    }
}

impl Formula for LeastSquares {
    fn columns(&self) -> &[Column] {
        const ALL: [Column; 12] = [
            SPOT,
            STRIKE,
            VOL,
            YEARS,
            RATE,
            YIELD.or("0"),
            EXERCISES.or(""),
            EXERCISES_PER_YEAR.or(""),
            TYPE.or("p"),
            PATHS.or("100000"),
            SEED.or("1"),
            Column::new("terms", "powers of the price in the regression, 2 to 6").or("4"),
        ];
        &ALL
    }

    fn results(&self) -> &[&'static str] {
        &["price", "standard_error", "european"]
    }

    fn evaluate(&self, row: &Row<'_>, out: &mut Vec<Value>) -> Result<(), RowError> {
        let market =
            Market { spot: row.positive("S")?, rate: row.finite("r")?, dividend_yield: row.finite("q")? };
        let years = row.positive("T")?;
        let dates = exercises(row, years, lsm::DATES_MAX as u32, "a whole number from 1 to 10000")?;
        let paths = row.count("paths", lsm::PATHS_MAX as u32, "a whole number from 1 to 4194304")?;
        if dates as f64 * paths as f64 > lsm::PATH_DATES_MAX {
            let expected = "fewer: paths times dates may be 2e9";
            return Err(RowError::OutOfRange { column: "paths", expected, value: paths as f64 });
        }
        let terms = row.count("terms", lsm::BASIS_MAX as u32, "a whole number from 2 to 6")?;
        let exercise = lsm::Exercise { right: row.right()?, strike: row.positive("K")?, terms };
        let settings = lsm::LsmSettings { paths, dates, seed: seed(row)? };
        let found = lsm::american_gbm(&market, row.non_negative("sigma")?, years, &exercise, &settings)?;
        out.extend([found.estimate.mean, found.estimate.standard_error, found.european].map(Value::Number));
        Ok(())
    }
}

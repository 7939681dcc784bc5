//! Early exercise by least-squares Monte Carlo.
//!
//! Longstaff & Schwartz, "Valuing American options by simulation", Review of Financial
//! Studies 14(1), 2001. Backward in time, the cash flow of paths in the money is
//! regressed on powers of the price; a path exercises where its pay-off exceeds the
//! fitted continuation value. The estimate is exact for the fitted policy up to noise
//! and a small foresight bias (it shares paths between fit and valuation); against the
//! true value the policy biases it low.

use super::Estimate;
use super::random::NormalStream;
use crate::Right;
use crate::heston::Market;
use crate::math::kernel::exp;
use crate::model_error::{ModelError, in_range, non_negative, positive};

/// Largest number of basis functions.
pub const BASIS_MAX: usize = 6;
/// Most paths: 100 MB of them are held at once.
pub const PATHS_MAX: usize = 1 << 22;
/// Most exercise dates.
pub const DATES_MAX: usize = 10_000;
/// Most paths times dates: about a minute.
pub const PATH_DATES_MAX: f64 = 2e9;

/// An option that may be exercised at equally spaced dates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exercise {
    /// Call or put.
    pub right: Right,
    /// Strike.
    pub strike: f64,
    /// Powers of the price in the regression: 1, X, …, X^(terms - 1) with X = S/K.
    pub terms: usize,
}

/// The regression at one exercise date in powers of `S/K`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Continuation {
    /// Coefficients, constant first, in price units; unused places zero.
    pub coefficients: [f64; BASIS_MAX],
    /// Paths in the money that took part; below `terms` nothing was fitted.
    pub paths: usize,
}

/// Backward induction over dates: state shared by stored and generated paths.
struct Induction<'a> {
    exercise: &'a Exercise,
    cash: Vec<f64>,
    continuations: Vec<Continuation>,
}

impl<'a> Induction<'a> {
    fn at_expiry(exercise: &'a Exercise, prices: &[f64]) -> Self {
        let cash = prices.iter().map(|&s| exercise.right.intrinsic(s, exercise.strike)).collect();
        Self { exercise, cash, continuations: Vec::new() }
    }

    /// Moves one date back: discounts, fits, exercises.
    fn step(&mut self, prices: &[f64], discount: f64) {
        let (right, strike, terms) = (self.exercise.right, self.exercise.strike, self.exercise.terms);
        let inverse = 1.0 / strike;
        let mut fit = PowerFit::new(terms);
        for (&s, cash) in prices.iter().zip(self.cash.iter_mut()) {
            *cash *= discount;
            if right.intrinsic(s, strike) > 0.0 {
                fit.add(s * inverse, *cash);
            }
        }
        let continuation = fit.solve();
        if continuation.paths >= terms {
            for (&s, cash) in prices.iter().zip(self.cash.iter_mut()) {
                let now = right.intrinsic(s, strike);
                if now > 0.0 && now >= continuation.value(s * inverse) {
                    *cash = now;
                }
            }
        }
        self.continuations.push(continuation);
    }
}

impl Continuation {
    /// Fitted continuation value at `x = S/K`.
    #[must_use]
    pub fn value(&self, x: f64) -> f64 {
        self.coefficients.iter().rev().fold(0.0, |sum, c| sum * x + c)
    }
}

/// Least squares on powers of `x - 1`: centring at the strike keeps the normal
/// equations well conditioned.
struct PowerFit {
    terms: usize,
    moments: [f64; 2 * BASIS_MAX - 1],
    products: [f64; BASIS_MAX],
    count: usize,
}

impl PowerFit {
    fn new(terms: usize) -> Self {
        Self { terms, moments: [0.0; 2 * BASIS_MAX - 1], products: [0.0; BASIS_MAX], count: 0 }
    }

    #[inline]
    fn add(&mut self, x: f64, y: f64) {
        let centred = x - 1.0;
        let mut power = 1.0;
        for i in 0..2 * self.terms - 1 {
            self.moments[i] += power;
            if i < self.terms {
                self.products[i] += power * y;
            }
            power *= centred;
        }
        self.count += 1;
    }

    fn solve(&self) -> Continuation {
        let mut found = Continuation { coefficients: [0.0; BASIS_MAX], paths: self.count };
        if self.count < self.terms {
            return found;
        }
        let n = self.terms;
        let mut a = [[0.0; BASIS_MAX]; BASIS_MAX];
        let mut b = self.products;
        for (i, row) in a.iter_mut().enumerate().take(n) {
            for (j, x) in row.iter_mut().enumerate().take(n) {
                *x = self.moments[i + j];
            }
        }
        // Gaussian elimination; the matrix is symmetric positive (semi-)definite. A pivot
        // lost to rounding means the power adds nothing: its coefficient stays zero.
        let scale: [f64; BASIS_MAX] = core::array::from_fn(|i| a[i][i]);
        for i in 0..n {
            if a[i][i] <= 1e-12 * scale[i] {
                a[i] = [0.0; BASIS_MAX];
                (a[i][i], b[i]) = (1.0, 0.0);
                continue;
            }
            let (pivot, value) = (a[i], b[i]);
            for (row, b) in a[i + 1..n].iter_mut().zip(&mut b[i + 1..n]) {
                let factor = row[i] / pivot[i];
                for (x, p) in row[i..n].iter_mut().zip(&pivot[i..n]) {
                    *x -= factor * p;
                }
                *b -= factor * value;
            }
        }
        for i in (0..n).rev() {
            let rest: f64 = (i + 1..n).map(|c| a[i][c] * b[c]).sum();
            b[i] = (b[i] - rest) / a[i][i];
        }
        found.coefficients = uncentred(&b, n);
        found
    }
}

/// Powers of `x - 1` rewritten in powers of `x` (synthetic division).
fn uncentred(b: &[f64; BASIS_MAX], n: usize) -> [f64; BASIS_MAX] {
    let mut c = *b;
    for i in 0..n {
        for j in (i..n - 1).rev() {
            c[j] -= c[j + 1];
        }
    }
    c
}

/// An LSM run.
#[derive(Debug, Clone, PartialEq)]
pub struct LsmResult {
    /// Value with early exercise (at least immediate exercise), and its standard error.
    pub estimate: Estimate,
    /// Value of the same paths held to expiry.
    pub european: f64,
    /// Regressions from the last exercise date before expiry back to the first.
    pub continuations: Vec<Continuation>,
}

/// LSM on given paths. `prices[d]` holds all paths' prices at exercise date `d`
/// (ascending, the last is the expiry), `discounts[d]` the factor from date `d` back to
/// the date before it (date -1 is today).
///
/// # Errors
/// [`ModelError`] when the exercise is out of range or the dates' lengths differ.
pub fn on_paths(
    exercise: &Exercise,
    prices: &[Vec<f64>],
    discounts: &[f64],
) -> Result<LsmResult, ModelError> {
    exercise.validate()?;
    crate::model_error::same_length("exercise dates and discounts", prices.len(), discounts.len())?;
    let (Some(last), Some(&first_discount)) = (prices.last(), discounts.first()) else {
        return Err(ModelError::TooFew { what: "exercise dates", needed: 1, found: 0 });
    };
    if last.is_empty() {
        return Err(ModelError::TooFew { what: "paths", needed: 1, found: 0 });
    }
    for date in prices {
        crate::model_error::same_length("paths at each date", last.len(), date.len())?;
    }
    let mut induction = Induction::at_expiry(exercise, last);
    let european = mean(&induction.cash) * discounts.iter().product::<f64>();
    for d in (0..prices.len() - 1).rev() {
        induction.step(&prices[d], discounts[d + 1]);
    }
    Ok(finish(induction, first_discount, european, f64::NEG_INFINITY))
}

/// LSM settings of [`american_gbm`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LsmSettings {
    /// Paths, rounded up to whole antithetic blocks of 2,048.
    pub paths: usize,
    /// Exercise dates, the last at expiry.
    pub dates: usize,
    /// Seed of all streams.
    pub seed: u64,
}

/// American (Bermudan with `dates` dates) option under geometric Brownian motion.
///
/// Paths are drawn *backwards* by the Brownian bridge: the motion at one date given the
/// next one is `W(t) = W(u) t/u + sqrt(t (u - t)/u) Z`. Only one date is in memory, so
/// the run stays in cache for any number of dates. Antithetic pairs give the error.
///
/// # Errors
/// [`ModelError`] for arguments out of range.
pub fn american_gbm(
    market: &Market,
    vol: f64,
    years: f64,
    exercise: &Exercise,
    settings: &LsmSettings,
) -> Result<LsmResult, ModelError> {
    market.validate()?;
    exercise.validate()?;
    non_negative("volatility", vol)?;
    positive("T", years)?;
    positive("exercise dates", settings.dates as f64)?;
    positive("paths", settings.paths as f64)?;
    let (paths, dates) = (settings.paths as f64, settings.dates as f64);
    in_range("paths", paths, "at most 4,194,304", |n| n <= PATHS_MAX as f64)?;
    in_range("exercise dates", dates, "at most 10,000", |n| n <= DATES_MAX as f64)?;
    in_range("paths times exercise dates", paths * dates, "at most 2e9", |n| n <= PATH_DATES_MAX)?;
    const HALF: usize = super::BLOCK_PATHS;
    let blocks = settings.paths.div_ceil(2 * HALF);
    let drift = market.rate - market.dividend_yield - 0.5 * vol * vol;
    let dt = years / settings.dates as f64;
    let mut motion = vec![0.0; blocks * HALF];
    let mut prices = vec![0.0; blocks * 2 * HALF];
    let mut normals = [0.0; HALF];
    let mut draw = |date: usize, motion: &mut [f64], prices: &mut [f64]| {
        let t = dt * (date + 1) as f64;
        let (keep, spread) = if date + 1 == settings.dates {
            (0.0, t.sqrt())
        } else {
            (t / (t + dt), (t * dt / (t + dt)).sqrt())
        };
        let level = market.spot * exp(drift * t);
        for (block, (motion, prices)) in
            motion.chunks_exact_mut(HALF).zip(prices.chunks_exact_mut(2 * HALF)).enumerate()
        {
            // One stream per (date, block).
            NormalStream::new(settings.seed, ((date as u64) << 32) | block as u64).fill(&mut normals);
            for ((w, z), pair) in motion.iter_mut().zip(&normals).zip(prices.as_chunks_mut::<2>().0) {
                *w = keep * *w + spread * z;
                let shock = exp(vol * *w);
                pair[0] = level * shock;
                pair[1] = level / shock;
            }
        }
    };
    draw(settings.dates - 1, &mut motion, &mut prices);
    let discount = exp(-market.rate * dt);
    let mut induction = Induction::at_expiry(exercise, &prices);
    let european = mean(&induction.cash) * exp(-market.rate * years);
    for date in (0..settings.dates - 1).rev() {
        draw(date, &mut motion, &mut prices);
        induction.step(&prices, discount);
    }
    let now = exercise.right.intrinsic(market.spot, exercise.strike);
    Ok(finish(induction, discount, european, now))
}

/// Discounts to today; neighbours are treated as one sample (antithetic pairs).
fn finish(induction: Induction<'_>, discount: f64, european: f64, now: f64) -> LsmResult {
    let cash = &induction.cash;
    let centre = mean(cash);
    let group = if cash.len().is_multiple_of(2) { 2 } else { 1 };
    let squares: f64 = cash
        .chunks_exact(group)
        .map(|g| {
            let x = g.iter().sum::<f64>() / group as f64 - centre;
            x * x
        })
        .sum();
    let n = (cash.len() / group) as f64;
    let standard_error = discount * (squares / (n * (n - 1.0).max(1.0))).sqrt();
    let estimate = Estimate { mean: (discount * centre).max(now), standard_error, paths: cash.len() as u64 };
    LsmResult { estimate, european, continuations: induction.continuations }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

impl Exercise {
    fn validate(&self) -> Result<(), ModelError> {
        positive("strike", self.strike)?;
        in_range("regression terms", self.terms as f64, "in 2..=6", |n| (2.0..=6.0).contains(&n))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_papers_eight_paths() {
        // Longstaff & Schwartz (2001), section 1: K = 1.10, r = 6 %, dates 1, 2, 3.
        let prices = vec![
            vec![1.09, 1.16, 1.22, 0.93, 1.11, 0.76, 0.92, 0.88],
            vec![1.08, 1.26, 1.07, 0.97, 1.56, 0.77, 0.84, 1.22],
            vec![1.34, 1.54, 1.03, 0.92, 1.52, 0.90, 1.01, 1.34],
        ];
        let exercise = Exercise { right: Right::Put, strike: 1.10, terms: 3 };
        let found = on_paths(&exercise, &prices, &[libm::exp(-0.06); 3]).unwrap();
        assert!((found.estimate.mean - 0.114_434_330_045_056_96).abs() < 1e-14);
        assert!((found.european - 0.056_380_739_270_260_89).abs() < 1e-15);
        // -1.070 + 2.983 X - 1.813 X^2 and 2.038 - 3.335 X + 1.356 X^2 with X = S.
        let c: Vec<[f64; 3]> = found
            .continuations
            .iter()
            .map(|c| [c.coefficients[0], c.coefficients[1] / 1.1, c.coefficients[2] / 1.21])
            .collect();
        for (found, paper) in c.iter().zip([[-1.070, 2.983, -1.814], [2.038, -3.335, 1.356]]) {
            for (f, p) in found.iter().zip(paper) {
                assert!((f - p).abs() < 6e-4, "{f} {p}");
            }
        }
    }

    #[test]
    fn bad_arguments_are_refused() {
        let exercise = Exercise { right: Right::Put, strike: 1.0, terms: 9 };
        assert!(on_paths(&exercise, &[vec![1.0]], &[1.0]).is_err());
        let exercise = Exercise { terms: 3, ..exercise };
        assert!(on_paths(&exercise, &[], &[]).is_err());
        assert!(on_paths(&exercise, &[vec![]], &[1.0]).is_err());
        let market = Market { spot: 1.0, rate: 0.05, dividend_yield: 0.0 };
        for (paths, dates) in [(PATHS_MAX + 1, 2), (usize::MAX, 2), (10, usize::MAX), (1 << 20, 9_999)] {
            let settings = LsmSettings { paths, dates, seed: 1 };
            let refused = american_gbm(&market, 0.2, 1.0, &exercise, &settings).unwrap_err();
            assert!(refused.to_string().contains("at most"), "{refused}");
        }
    }
}

//! Fits of SVI slices and surfaces to quoted volatilities, with arbitrage checks and repair.
//!
//! **Fit.** Weighted squares of volatility errors, minimised by Levenberg–Marquardt in
//! variables in which every point is an admissible slice: the logarithm of the minimum
//! variance, both wing slopes on (0, 2) (Lee's bound), the centre and the logarithm of
//! the curvature radius. Starts come from the linear problem in `a`, `b`, `b rho` on a
//! coarse grid of (m, sigma) (Zeliade Systems, "Quasi-explicit calibration of Gatheral's
//! SVI model", 2009).
//!
//! **Arbitrage.** Negative Durrleman function and total variance below the nearer
//! expiry's enter as penalties. If a butterfly remains, the call wing and the minimum
//! variance move towards the slice that Gatheral & Jacquier (2014, section 5.1) show to
//! be free, just as far as needed. If a calendar crossing remains on the checked
//! range, the level `a` is raised by the largest gap. Every step is reported.
//!
//! **Limits.** Absence of arbitrage is checked on a finite range of log-moneyness, at
//! least five standard deviations and twice the quotes' range; slopes settle the wings.

use super::Smile;
use super::svi::{ButterflyReport, JumpWings, RawSvi, one_minus_square};
use crate::math::kernel::{exp, ln};
use crate::model_error::{ModelError, finite, non_negative, positive};
use crate::numeric::least_squares::{Parameters, Stop, minimise_by_differences};

/// A quoted volatility of one strike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SmileQuote {
    /// Log-moneyness `ln(K/F)`.
    pub k: f64,
    /// Black implied volatility.
    pub vol: f64,
    /// Weight of the squared volatility error, >= 0; the inverse square of the half
    /// bid–ask width in volatility is the natural choice.
    pub weight: f64,
}

/// A fitted slice with its evidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SviFit {
    /// The slice.
    pub slice: RawSvi,
    /// Years to expiry.
    pub years: f64,
    /// Root of the weighted mean square volatility error.
    pub rmse_vol: f64,
    /// Largest absolute volatility error of a quote with weight.
    pub worst_vol: f64,
    /// Durrleman's function on the checked range.
    pub butterfly: ButterflyReport,
    /// Smallest difference of total variance to the nearer slice on the checked range;
    /// infinite without a nearer slice.
    pub calendar_gap: f64,
    /// Whether parameters were moved after the fit to remove arbitrage.
    pub was_repaired: bool,
}

impl SviFit {
    /// No butterfly and no calendar arbitrage on the checked range.
    #[must_use]
    pub fn is_arbitrage_free(&self) -> bool {
        self.butterfly.is_free && self.calendar_gap >= -CALENDAR_ROUNDING
    }
}

/// Crossings below this total variance are rounding.
const CALENDAR_ROUNDING: f64 = 1e-12;
/// Points of each penalty grid.
const PENALTY_POINTS: usize = 33;

/// Fits one expiry; `nearer` is the slice of the expiry before it, if any.
///
/// # Errors
/// [`ModelError`] for fewer than five quotes with weight or a number out of range.
pub fn fit_svi(quotes: &[SmileQuote], years: f64, nearer: Option<&RawSvi>) -> Result<SviFit, ModelError> {
    positive("T", years)?;
    let used = usable(quotes)?;
    if used.len() < 5 {
        return Err(ModelError::TooFew {
            what: "SVI fit (quotes with weight)",
            needed: 5,
            found: used.len(),
        });
    }
    let range = checked_range(&used, years);
    let grid: Vec<f64> = penalty_grid(range);
    let mut best: Option<(RawSvi, f64)> = None;
    for start in starts(&used, years) {
        let fitted = polish(&used, years, &start, None, &[], 0.0);
        if let Some((slice, cost)) = fitted
            && best.as_ref().is_none_or(|b| cost < b.1)
        {
            best = Some((slice, cost));
        }
    }
    let (mut slice, _) = best.ok_or(ModelError::NoConvergence { what: "SVI fit", residual: f64::NAN })?;
    for penalty in [1.0, 30.0, 1000.0] {
        if slice.butterfly(range.0, range.1).is_free && calendar_gap(&slice, nearer, range) >= 0.0 {
            break;
        }
        if let Some((next, _)) = polish(&used, years, &slice, nearer, &grid, penalty) {
            slice = next;
        }
    }
    let (slice, was_repaired) = repair(slice, years, nearer, range);
    Ok(report(slice, &used, years, nearer, range, was_repaired))
}

/// One expiry of a surface to fit.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpiryQuotes {
    /// Years to expiry.
    pub years: f64,
    /// Quotes.
    pub quotes: Vec<SmileQuote>,
}

/// Fits expiries in ascending time, each on or above the one before.
///
/// # Errors
/// As [`fit_svi`], and when the times are not ascending.
pub fn fit_surface(expiries: &[ExpiryQuotes]) -> Result<Vec<SviFit>, ModelError> {
    let mut fits: Vec<SviFit> = Vec::with_capacity(expiries.len());
    for expiry in expiries {
        let last = fits.last().map_or(0.0, |f| f.years);
        crate::model_error::in_range("T", expiry.years, "ascending and greater than 0", |t| t > last)?;
        let fit = fit_svi(&expiry.quotes, expiry.years, fits.last().map(|f| &f.slice))?;
        fits.push(fit);
    }
    Ok(fits)
}

pub(super) fn usable(quotes: &[SmileQuote]) -> Result<Vec<SmileQuote>, ModelError> {
    let mut used = Vec::with_capacity(quotes.len());
    for quote in quotes {
        finite("log-moneyness", quote.k)?;
        positive("volatility", quote.vol)?;
        if non_negative("weight", quote.weight)? > 0.0 {
            used.push(*quote);
        }
    }
    used.sort_by(|a, b| a.k.total_cmp(&b.k));
    Ok(used)
}

/// Weighted root mean square and largest volatility error of a smile.
pub(super) fn errors<S: Smile + ?Sized>(smile: &S, quotes: &[SmileQuote], years: f64) -> (f64, f64) {
    let (mut squares, mut weights, mut worst) = (0.0, 0.0, 0.0f64);
    for q in quotes {
        let error = smile.implied_vol(q.k, years) - q.vol;
        squares += q.weight * error * error;
        weights += q.weight;
        worst = worst.max(error.abs());
    }
    ((squares / weights).sqrt(), worst)
}

/// Five standard deviations at the money or twice the quotes' range.
fn checked_range(quotes: &[SmileQuote], years: f64) -> (f64, f64) {
    let money = quotes.iter().min_by(|a, b| a.k.abs().total_cmp(&b.k.abs())).map_or(0.2, |q| q.vol);
    let reach = 5.0 * money * years.sqrt();
    let (first, last) = (quotes.first().map_or(0.0, |q| q.k), quotes.last().map_or(0.0, |q| q.k));
    ((2.0 * first).min(-reach), (2.0 * last).max(reach))
}

fn penalty_grid(range: (f64, f64)) -> Vec<f64> {
    (0..PENALTY_POINTS)
        .map(|i| range.0 + (range.1 - range.0) * i as f64 / (PENALTY_POINTS - 1) as f64)
        .collect()
}

fn encode(slice: &RawSvi) -> Parameters {
    let (left, right) = slice.wing_slopes();
    let logit = |s: f64| {
        let share = (0.5 * s).clamp(1e-4, 0.999);
        ln(share / (1.0 - share))
    };
    let mut x = [0.0; 8];
    x[0] = ln(slice.minimum_variance().max(1e-8));
    (x[1], x[2], x[3]) = (logit(left), logit(right), slice.m);
    x[4] = ln(slice.sigma.max(1e-4));
    x
}

fn decode(x: &Parameters) -> RawSvi {
    let slope = |y: f64| 2.0 / (1.0 + exp(-y.clamp(-30.0, 30.0)));
    let (left, right) = (slope(x[1]), slope(x[2]));
    let b = 0.5 * (left + right);
    let rho = (right - left) / (right + left);
    let sigma = exp(x[4].clamp(-12.0, 5.0));
    let a = exp(x[0].clamp(-30.0, 5.0)) - b * sigma * one_minus_square(rho).sqrt();
    RawSvi { a, b, rho, m: x[3], sigma }
}

/// Local minimum from `start`, with penalties on `grid` when `penalty` > 0.
fn polish(
    quotes: &[SmileQuote],
    years: f64,
    start: &RawSvi,
    nearer: Option<&RawSvi>,
    grid: &[f64],
    penalty: f64,
) -> Option<(RawSvi, f64)> {
    let total: f64 = quotes.iter().map(|q| q.weight).sum();
    let scale: Vec<f64> = quotes.iter().map(|q| (q.weight / total).sqrt()).collect();
    let count = quotes.len() + 2 * grid.len() + 1;
    let stop = Stop { evaluations: 80, relative_decrease: 1e-10 };
    let level = quotes.iter().map(|q| q.vol).fold(0.0, f64::max);
    let fitted = minimise_by_differences(5, count, encode(start), stop, |x, r| {
        let slice = decode(x);
        for ((r, q), s) in r.iter_mut().zip(quotes).zip(&scale) {
            *r = s * (slice.implied_vol(q.k, years) - q.vol);
        }
        let penalties = &mut r[quotes.len()..];
        for (i, &k) in grid.iter().enumerate() {
            let jet = slice.jet(k);
            // A margin of 0.002 in g keeps the minimum between grid points non-negative.
            penalties[2 * i] = 0.01 * penalty * (0.002 - jet.durrleman(k)).max(0.0);
            let below = nearer.map_or(0.0, |n| (n.total_variance(k) - jet.w).max(0.0));
            penalties[2 * i + 1] = penalty * below / (years * level);
        }
        // A centre far outside the quotes is not determined by them: hold it weakly.
        penalties[2 * grid.len()] = 1e-6 * slice.m;
        r.iter().all(|x| x.is_finite())
    })?;
    Some((decode(&fitted.x), fitted.cost))
}

/// Linear fits of total variance on a coarse grid of (m, sigma): the three best.
fn starts(quotes: &[SmileQuote], years: f64) -> Vec<RawSvi> {
    let (first, last) = (quotes[0].k, quotes[quotes.len() - 1].k);
    let width = (last - first).max(1e-3);
    let mut found: Vec<(f64, RawSvi)> = Vec::new();
    for i in 0..7 {
        let m = first + width * f64::from(i) / 6.0;
        for share in [0.05, 0.15, 0.4, 1.0] {
            let sigma = share * width;
            if let Some((cost, slice)) = linear_fit(quotes, years, m, sigma) {
                found.push((cost, slice));
            }
        }
    }
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut chosen: Vec<RawSvi> = found.into_iter().take(3).map(|f| f.1).collect();
    // A flat slice always works as a last resort.
    let level = quotes.iter().map(|q| q.vol * q.vol).sum::<f64>() / quotes.len() as f64 * years;
    chosen.push(RawSvi { a: 0.8 * level, b: 0.1 * level / width, rho: -0.2, m: 0.0, sigma: width });
    chosen
}

/// `w = a + d y + c sqrt(y^2 + 1)` with `y = (k - m)/sigma`, clamped into the domain.
fn linear_fit(quotes: &[SmileQuote], years: f64, m: f64, sigma: f64) -> Option<(f64, RawSvi)> {
    let mut equations = crate::numeric::least_squares::NormalEquations::new();
    for q in quotes {
        let y = (q.k - m) / sigma;
        let weight = (q.weight.sqrt() / q.vol).min(1e12);
        let row = [weight, weight * y, weight * (y * y + 1.0).sqrt()];
        equations.add(-weight * q.vol * q.vol * years, &row);
    }
    let x = equations.step(3, 1e-12)?;
    // min and max, not clamp: they accept any number and drop NaN.
    let c = x[2].max(1e-3 * sigma).min(1.99 * sigma);
    let d = x[1].max(-0.98 * c).min(0.98 * c);
    let (b, rho) = (c / sigma, d / c);
    let a = x[0].max(1e-8 - b * sigma * one_minus_square(rho).sqrt());
    let slice = RawSvi { a, b, rho, m, sigma };
    let (rmse, _) = errors(&slice, quotes, years);
    rmse.is_finite().then_some((rmse, slice))
}

/// Smallest total variance above the nearer slice on the range; wings by their slopes.
fn calendar_gap(slice: &RawSvi, nearer: Option<&RawSvi>, range: (f64, f64)) -> f64 {
    let Some(near) = nearer else { return f64::INFINITY };
    (0..=400)
        .map(|i| range.0 + (range.1 - range.0) * f64::from(i) / 400.0)
        .map(|k| slice.total_variance(k) - near.total_variance(k))
        .fold(f64::INFINITY, f64::min)
}

/// Removes remaining arbitrage; the flag says whether anything moved.
fn repair(slice: RawSvi, years: f64, nearer: Option<&RawSvi>, range: (f64, f64)) -> (RawSvi, bool) {
    let mut fixed = slice;
    if !fixed.butterfly(range.0, range.1).is_free
        && let Some(free) = without_butterfly(&fixed, years, range)
    {
        fixed = free;
    }
    let gap = calendar_gap(&fixed, nearer, range);
    if gap < 0.0 {
        // Raising the level keeps every derivative and only enlarges w.
        fixed.a -= gap * (1.0 + 1e-9);
    }
    (fixed, fixed != slice)
}

/// The slice moved towards Gatheral & Jacquier's butterfly-free one, by bisection on the
/// distance.
///
/// Section 5.1 keeps (v, psi, p) and sets `c = p + 2 psi`,
/// `v_tilde = 4 v p c/(p + c)^2`; theorem 4.2 then asks `sqrt(vT) max(p, c) < 2` and
/// `(p + c) max(p, c) <= 2`, for which both wings are capped.
#[must_use]
pub fn without_butterfly(slice: &RawSvi, years: f64, range: (f64, f64)) -> Option<RawSvi> {
    let wings = slice.jump_wings(years).ok()?;
    let root = (wings.v * years).sqrt();
    let cap = (1.9 / root).min(0.99);
    if cap.is_nan() || cap < 0.01 {
        return None;
    }
    // An increasing skew that outruns the put wing has no free neighbour with this psi.
    let p = wings.p.clamp(1e-3, cap).max(-2.0 * wings.psi + 1e-3).min(cap);
    let c = (p + 2.0 * wings.psi).clamp(1e-3, cap);
    let psi = 0.5 * (c - p);
    let anchor = JumpWings { v: wings.v, psi, p, c, v_tilde: 4.0 * wings.v * p * c / ((p + c) * (p + c)) };
    let blend = |share: f64| {
        let mix = |from: f64, to: f64| from + (to - from) * share;
        let mixed = JumpWings {
            v: wings.v,
            psi: mix(wings.psi, anchor.psi),
            p: mix(wings.p, anchor.p),
            c: mix(wings.c, anchor.c),
            v_tilde: mix(wings.v_tilde, anchor.v_tilde),
        };
        let raw = mixed.raw(years).ok()?;
        raw.butterfly(range.0, range.1).is_free.then_some(raw)
    };
    // The anchor itself sits where the jump-wing map degenerates: stop just short of it.
    let mut free_share = [1.0, 0.999, 0.99, 0.95, 0.9].into_iter().find(|&s| blend(s).is_some())?;
    let mut free = blend(free_share)?;
    let mut bad = 0.0;
    for _ in 0..30 {
        let middle = 0.5 * (bad + free_share);
        match blend(middle) {
            Some(slice) => (free, free_share) = (slice, middle),
            None => bad = middle,
        }
    }
    Some(free)
}

fn report(
    slice: RawSvi,
    quotes: &[SmileQuote],
    years: f64,
    nearer: Option<&RawSvi>,
    range: (f64, f64),
    was_repaired: bool,
) -> SviFit {
    let (rmse_vol, worst_vol) = errors(&slice, quotes, years);
    SviFit {
        slice,
        years,
        rmse_vol,
        worst_vol,
        butterfly: slice.butterfly(range.0, range.1),
        calendar_gap: calendar_gap(&slice, nearer, range),
        was_repaired,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn quotes_of(slice: &RawSvi, years: f64, noise: f64) -> Vec<SmileQuote> {
        (-12..=12)
            .map(|i| {
                let k = f64::from(i) * 0.12 * (0.2 * years.sqrt());
                let wobble = noise * libm::sin(f64::from(i) * 12.9898);
                SmileQuote { k, vol: slice.implied_vol(k, years) + wobble, weight: 1e4 }
            })
            .collect()
    }

    #[test]
    fn a_slice_is_recovered_from_its_own_quotes() {
        let truth = RawSvi { a: 0.004, b: 0.07, rho: -0.55, m: 0.01, sigma: 0.09 };
        let fit = fit_svi(&quotes_of(&truth, 0.25, 0.0), 0.25, None).unwrap();
        assert!(fit.rmse_vol < 1e-7 && fit.is_arbitrage_free() && !fit.was_repaired, "{fit:?}");
    }

    #[test]
    fn vogts_butterfly_is_repaired_with_little_loss() {
        let vogt = RawSvi { a: -0.0410, b: 0.1331, rho: 0.3060, m: 0.3586, sigma: 0.4153 };
        let range = (-1.5, 1.5);
        let free = without_butterfly(&vogt, 1.0, range).unwrap();
        assert!(free.butterfly(range.0, range.1).is_free);
        // At the money nothing moves: v, psi and p are kept.
        assert!((free.total_variance(0.0) - vogt.total_variance(0.0)).abs() < 1e-10);
        let quotes: Vec<SmileQuote> = (-15..=15)
            .map(|i| f64::from(i) * 0.1)
            .map(|k| SmileQuote { k, vol: vogt.implied_vol(k, 1.0), weight: 1.0 })
            .collect();
        let fit = fit_svi(&quotes, 1.0, None).unwrap();
        assert!(fit.is_arbitrage_free(), "{fit:?}");
        assert!(fit.rmse_vol < 0.01, "{fit:?}");
    }

    #[test]
    fn crossing_expiries_are_separated() {
        let near = RawSvi { a: 0.02, b: 0.1, rho: -0.5, m: 0.0, sigma: 0.1 };
        let far = RawSvi { a: 0.015, b: 0.1, rho: -0.5, m: 0.0, sigma: 0.1 };
        let expiries = [
            ExpiryQuotes { years: 0.25, quotes: quotes_of(&near, 0.25, 0.0) },
            ExpiryQuotes { years: 0.3, quotes: quotes_of(&far, 0.3, 0.0) },
        ];
        let fits = fit_surface(&expiries).unwrap();
        assert!(fits.iter().all(SviFit::is_arbitrage_free), "{fits:?}");
    }

    #[test]
    fn too_few_quotes_are_refused() {
        let quote = SmileQuote { k: 0.0, vol: 0.2, weight: 1.0 };
        assert!(fit_svi(&[quote; 4], 0.5, None).is_err());
        assert!(fit_svi(&[SmileQuote { vol: f64::NAN, ..quote }; 9], 0.5, None).is_err());
        assert!(fit_svi(&[quote; 9], 0.0, None).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn noisy_quotes_give_free_slices(
            a in 0.0..0.02f64, b in 0.02..0.3f64, rho in -0.9..0.6f64, m in -0.1..0.1f64, sigma in 0.03..0.3f64,
            years in 0.02..2.0f64, noise in 0.0..0.01f64,
        ) {
            let truth = RawSvi { a: a + 0.001, b, rho, m, sigma };
            let fit = fit_svi(&quotes_of(&truth, years, noise), years, None).unwrap();
            prop_assert!(fit.is_arbitrage_free(), "{:?}", fit);
        }
    }
}

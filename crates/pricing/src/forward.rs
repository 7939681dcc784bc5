//! Forwards, discount factors and carry from option prices.
//!
//! Put–call parity of European options, `C - P = D (F - K)`, is linear in the strike.
//! [`implied_forward`] fits it to near-the-money pairs weighted by inverse squared
//! spread and down-weights outliers (Tukey's bisquare on residuals over half-spreads).
//! American prices obey parity only after their early-exercise premium has been taken
//! off: [`without_exercise_premium`] applies the caller's American model first, and
//! [`american`] finds forward and premium together.

pub mod american;

use crate::model_error::{ModelError, finite, in_range, is_positive, positive};

/// Both sides of a call and a put of one strike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ParityPair {
    /// Strike.
    pub strike: f64,
    /// Call bid and ask.
    pub call: (f64, f64),
    /// Put bid and ask.
    pub put: (f64, f64),
}

/// How a forward was obtained, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ForwardSource {
    /// Forward and discount factor from the regression of parity.
    ParityRegression,
    /// Forward from parity with a given discount factor.
    ParityGivenDiscount,
    /// Forward from spot, rates, dividends and borrow.
    Carry,
}

/// A forward with its evidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ImpliedForward {
    /// Forward price of the underlying.
    pub forward: f64,
    /// Discount factor to the expiry.
    pub discount: f64,
    /// Standard error of the forward from the fit; 0 for [`ForwardSource::Carry`].
    pub standard_error: f64,
    /// Pairs with non-zero weight.
    pub pairs: usize,
    /// Where it comes from.
    pub source: ForwardSource,
}

/// What the fit may use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ParitySettings {
    /// Pairs within this distance of the money, `|ln(K/F)|`, take part.
    pub moneyness_max: f64,
    /// Fewest pairs for a regression that also finds the discount factor.
    pub pairs_min: usize,
    /// Fallback: a discount factor from a curve, used when the pairs do not suffice or
    /// the fitted factor is not in (0, 1.2].
    pub discount: Option<f64>,
    /// Fallback: forward from carry.
    pub carry_forward: Option<f64>,
}

impl Default for ParitySettings {
    fn default() -> Self {
        Self { moneyness_max: 0.15, pairs_min: 5, discount: None, carry_forward: None }
    }
}

struct Point {
    strike: f64,
    gap: f64,
    half_spread: f64,
}

/// The forward implied by parity, with the fallback chain regression → given discount
/// → carry; the source says which one answered.
///
/// # Errors
/// [`ModelError`] when no link of the chain can answer.
pub fn implied_forward(
    pairs: &[ParityPair],
    settings: &ParitySettings,
) -> Result<ImpliedForward, ModelError> {
    let points = near_money(pairs, settings);
    if points.len() >= settings.pairs_min.max(3)
        && let Some(found) =
            regress(&points).filter(|f| f.discount > 0.0 && f.discount <= 1.2 && f.forward > 0.0)
    {
        return Ok(found);
    }
    if let Some(discount) = settings.discount.filter(|d| d.is_finite() && *d > 0.0)
        && let Some(found) = locate(&points, discount).filter(|f| f.forward > 0.0)
    {
        return Ok(found);
    }
    match (settings.carry_forward, settings.discount) {
        (Some(forward), Some(discount)) => Ok(ImpliedForward {
            forward: positive("carry forward", forward)?,
            discount: positive("discount factor", discount)?,
            standard_error: 0.0,
            pairs: 0,
            source: ForwardSource::Carry,
        }),
        _ => Err(ModelError::TooFew {
            what: "implied forward (two-sided pairs near the money)",
            needed: settings.pairs_min.max(3),
            found: points.len(),
        }),
    }
}

/// Two-sided pairs near the strike where call and put are closest.
fn near_money(pairs: &[ParityPair], settings: &ParitySettings) -> Vec<Point> {
    let is_live = |(bid, ask): (f64, f64)| bid > 0.0 && ask >= bid && ask.is_finite();
    let all: Vec<Point> = pairs
        .iter()
        .filter(|p| p.strike > 0.0 && p.strike.is_finite() && is_live(p.call) && is_live(p.put))
        .map(|p| Point {
            strike: p.strike,
            gap: 0.5 * (p.call.0 + p.call.1) - 0.5 * (p.put.0 + p.put.1),
            // A locked pair still carries half a cent of uncertainty relative to 100.
            half_spread: (0.5 * (p.call.1 - p.call.0) + 0.5 * (p.put.1 - p.put.0)).max(5e-5 * p.strike),
        })
        .collect();
    let Some(money) = all.iter().min_by(|a, b| a.gap.abs().total_cmp(&b.gap.abs())).map(|p| p.strike) else {
        return all;
    };
    all.into_iter().filter(|p| libm::log(p.strike / money).abs() <= settings.moneyness_max).collect()
}

/// Tukey's bisquare weight of a residual measured in half-spreads.
fn bisquare(residual: f64) -> f64 {
    // Half a spread is an honest error; four are an outlier.
    let x = residual / 4.0;
    if x.abs() >= 1.0 { 0.0 } else { (1.0 - x * x) * (1.0 - x * x) }
}

/// Fit of `gap = D F - D K`, strikes centred so that the normal equations are well scaled.
fn regress(points: &[Point]) -> Option<ImpliedForward> {
    let mut robust = vec![1.0; points.len()];
    let mut fit = None;
    for round in 0..20 {
        let weights: Vec<f64> =
            points.iter().zip(&robust).map(|(p, r)| r / (p.half_spread * p.half_spread)).collect();
        let total: f64 = weights.iter().sum();
        let mean = |f: &dyn Fn(&Point) -> f64| {
            points.iter().zip(&weights).map(|(p, w)| w * f(p)).sum::<f64>() / total
        };
        let (k0, y0) = (mean(&|p| p.strike), mean(&|p| p.gap));
        let spread = mean(&|p| (p.strike - k0) * (p.strike - k0));
        if !is_positive(spread) || !is_positive(total) {
            return None;
        }
        let discount = -mean(&|p| (p.strike - k0) * (p.gap - y0)) / spread;
        let residual = |p: &Point| p.gap - y0 + discount * (p.strike - k0);
        let used = robust.iter().filter(|r| **r > 0.0).count();
        if used < 3 || !is_positive(discount) {
            return None;
        }
        let variance = mean(&|p| residual(p) * residual(p)) / (used as f64 - 2.0);
        let forward = k0 + y0 / discount;
        let offset = forward - k0;
        let standard_error = (variance * (1.0 + offset * offset / spread)).sqrt() / discount;
        fit = Some(ImpliedForward {
            forward,
            discount,
            standard_error,
            pairs: used,
            source: ForwardSource::ParityRegression,
        });
        // The first rounds judge residuals by the median, so that a wild quote cannot hide.
        let scale = if round < 3 {
            median(points.iter().map(|p| (residual(p) / p.half_spread).abs())).max(0.25)
        } else {
            1.0
        };
        let next: Vec<f64> = points.iter().map(|p| bisquare(residual(p) / p.half_spread / scale)).collect();
        let moved = robust.iter().zip(&next).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        robust = next;
        if moved < 1e-12 {
            break;
        }
    }
    fit
}

/// Robust weighted mean of `K + gap/D`.
fn locate(points: &[Point], discount: f64) -> Option<ImpliedForward> {
    if points.is_empty() {
        return None;
    }
    let mut forward = median(points.iter().map(|p| p.strike + p.gap / discount));
    let (mut error, mut used) = (0.0, 0);
    for _ in 0..20 {
        let (mut sum, mut total, mut squares) = (0.0, 0.0, 0.0);
        used = 0;
        for p in points {
            let implied = p.strike + p.gap / discount;
            let robust = bisquare((implied - forward) * discount / p.half_spread);
            let weight = robust / (p.half_spread * p.half_spread);
            sum += weight * implied;
            total += weight;
            squares += weight * weight * (implied - forward) * (implied - forward);
            used += usize::from(robust > 0.0);
        }
        if !is_positive(total) {
            return None;
        }
        error = squares.sqrt() / total;
        let next = sum / total;
        if (next - forward).abs() <= 1e-14 * next.abs() {
            break;
        }
        forward = next;
    }
    Some(ImpliedForward {
        forward,
        discount,
        standard_error: error,
        pairs: used,
        source: ForwardSource::ParityGivenDiscount,
    })
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => 0.5 * (sorted[n / 2 - 1] + sorted[n / 2]),
    }
}

/// Takes the early-exercise premium off both sides of every quote: `premium(strike,
/// right, price)` is the caller's American minus European value at that price's implied
/// volatility. Pairs for which it has no answer are dropped.
#[must_use]
pub fn without_exercise_premium(
    pairs: &[ParityPair],
    mut premium: impl FnMut(f64, crate::Right, f64) -> Option<f64>,
) -> Vec<ParityPair> {
    let mut european = |strike: f64, right: crate::Right, (bid, ask): (f64, f64)| {
        // One premium at the mid: bid and ask keep their width.
        let premium = premium(strike, right, 0.5 * (bid + ask)).filter(|p| p.is_finite())?;
        Some(((bid - premium).max(0.0), ask - premium))
    };
    pairs
        .iter()
        .filter_map(|p| {
            let call = european(p.strike, crate::Right::Call, p.call)?;
            let put = european(p.strike, crate::Right::Put, p.put)?;
            Some(ParityPair { strike: p.strike, call, put })
        })
        .collect()
}

/// A cash dividend.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CashDividend {
    /// Years to the ex-date.
    pub years: f64,
    /// Amount per share, paid at the ex-date.
    pub amount: f64,
}

/// Spot and what it costs to carry it to an expiry.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Carry<'a> {
    /// Price of the underlying.
    pub spot: f64,
    /// Years to expiry.
    pub years: f64,
    /// Interest rate per year, continuously compounded.
    pub rate: f64,
    /// Cash dividends; those after the expiry are ignored.
    pub dividends: &'a [CashDividend],
    /// Borrow cost (a yield to the lender) per year.
    pub borrow: f64,
}

impl Carry<'_> {
    /// Present value of the dividends up to the expiry.
    #[must_use]
    pub fn dividend_value(&self) -> f64 {
        let until = self.years;
        self.dividends
            .iter()
            .filter(|d| d.years > 0.0 && d.years <= until)
            .map(|d| d.amount * libm::exp(-self.rate * d.years))
            .sum()
    }

    /// Forward `(S - PV(dividends)) e^{(r - borrow) T}` (escrowed dividends).
    ///
    /// # Errors
    /// [`ModelError`] when the spot does not exceed the dividends or a number is not finite.
    pub fn forward(&self) -> Result<f64, ModelError> {
        let clean = positive("spot less dividends", self.spot - self.dividend_value())?;
        finite("forward", clean * libm::exp((self.rate - self.borrow) * self.years))
    }

    /// The borrow cost that explains an implied forward, per year; `self.borrow` is ignored.
    ///
    /// # Errors
    /// [`ModelError`] when the spot does not exceed the dividends, or time or forward is not positive.
    pub fn implied_borrow(&self, forward: f64) -> Result<f64, ModelError> {
        let clean = positive("spot less dividends", self.spot - self.dividend_value())?;
        positive("T", self.years)?;
        let ratio = positive("forward", forward)? / clean;
        finite("implied borrow", self.rate - libm::log(ratio) / self.years)
    }
}

/// Discount factor from a box spread's price (long call and short put at `low`, the
/// reverse at `high`): `price/(high - low)`.
///
/// # Errors
/// [`ModelError`] when the strikes are not ascending or the price is not positive.
pub fn discount_from_box(low: f64, high: f64, price: f64) -> Result<f64, ModelError> {
    positive("lower strike", low)?;
    in_range("upper strike", high, "above the lower strike", |h| h > low)?;
    Ok(positive("box price", price)? / (high - low))
}

/// Discount factors at dates, log-linear between (constant forward rates).
#[derive(Debug, Clone, PartialEq)]
pub struct DiscountCurve {
    points: Vec<(f64, f64)>,
}

impl DiscountCurve {
    /// A curve through `(years, zero rate)` points in ascending time.
    ///
    /// # Errors
    /// [`ModelError`] for no points, times not ascending and positive, or rates not finite.
    pub fn from_zero_rates(points: &[(f64, f64)]) -> Result<Self, ModelError> {
        if points.is_empty() {
            return Err(ModelError::TooFew { what: "discount curve", needed: 1, found: 0 });
        }
        let mut last = 0.0;
        for &(years, rate) in points {
            in_range("curve time", years, "ascending and greater than 0", |t| t > last)?;
            finite("zero rate", rate)?;
            last = years;
        }
        Ok(Self { points: points.iter().map(|&(t, r)| (t, r * t)).collect() })
    }

    /// Discount factor at `years` (1 at or before zero; flat last forward rate beyond the end).
    #[must_use]
    pub fn discount(&self, years: f64) -> f64 {
        if !is_positive(years) {
            return if years.is_nan() { f64::NAN } else { 1.0 };
        }
        let after = self.points.partition_point(|p| p.0 < years).min(self.points.len() - 1);
        let (t1, x1) = self.points[after];
        let (t0, x0) = if after == 0 { (0.0, 0.0) } else { self.points[after - 1] };
        libm::exp(-(x0 + (x1 - x0) * (years - t0) / (t1 - t0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Right;
    use crate::bsm::{BsmInputs, price};
    use proptest::prelude::*;

    fn chain(rate: f64, dividend_yield: f64, half: f64) -> (Vec<ParityPair>, f64, f64) {
        let years = 0.25;
        let pairs = (-6..=6)
            .map(|i| {
                let strike = 100.0 + 2.5 * f64::from(i);
                let value = |right| {
                    price(&BsmInputs { spot: 100.0, strike, years, rate, dividend_yield, vol: 0.25 }, right)
                };
                let (c, p) = (value(Right::Call), value(Right::Put));
                ParityPair { strike, call: (c - half, c + half), put: (p - half, p + half) }
            })
            .collect();
        (pairs, 100.0 * libm::exp((rate - dividend_yield) * years), libm::exp(-rate * years))
    }

    #[test]
    fn one_wild_quote_does_not_move_the_forward() {
        let (mut pairs, forward, discount) = chain(0.04, 0.01, 0.02);
        pairs[4].call = (pairs[4].call.0 + 3.0, pairs[4].call.1 + 3.0);
        let found = implied_forward(&pairs, &ParitySettings::default()).unwrap();
        assert!((found.forward - forward).abs() < 1e-8, "{found:?}");
        assert!((found.discount - discount).abs() < 1e-9);
        assert_eq!((found.pairs, found.source), (11, ForwardSource::ParityRegression));
    }

    #[test]
    fn the_chain_of_fallbacks_is_named() {
        let (pairs, forward, discount) = chain(0.04, 0.01, 0.02);
        let given = ParitySettings {
            discount: Some(discount),
            carry_forward: Some(99.0),
            ..ParitySettings::default()
        };
        let few = implied_forward(&pairs[5..7], &given).unwrap();
        assert_eq!(few.source, ForwardSource::ParityGivenDiscount);
        assert!((few.forward - forward).abs() < 1e-9);
        let none = implied_forward(&[], &given).unwrap();
        assert_eq!((none.source, none.forward), (ForwardSource::Carry, 99.0));
        assert!(implied_forward(&[], &ParitySettings::default()).is_err());
    }

    #[test]
    fn carry_and_borrow_invert_each_other() {
        let dividends = [CashDividend { years: 0.1, amount: 0.5 }, CashDividend { years: 2.0, amount: 9.0 }];
        let carry = Carry { spot: 100.0, years: 0.5, rate: 0.05, dividends: &dividends, borrow: 0.013 };
        let forward = carry.forward().unwrap();
        assert!((carry.implied_borrow(forward).unwrap() - 0.013).abs() < 1e-14);
        assert!((carry.dividend_value() - 0.5 * libm::exp(-0.005)).abs() < 1e-15);
    }

    #[test]
    fn curve_and_box() {
        let curve = DiscountCurve::from_zero_rates(&[(0.25, 0.04), (1.0, 0.05)]).unwrap();
        assert!((curve.discount(1.0) - libm::exp(-0.05)).abs() < 1e-15);
        assert!((curve.discount(0.125) - libm::exp(-0.005)).abs() < 1e-15);
        assert_eq!(curve.discount(-1.0), 1.0);
        assert!((discount_from_box(90.0, 110.0, 19.6).unwrap() - 0.98).abs() < 1e-15);
    }

    proptest! {
        #[test]
        fn parity_is_recovered(rate in -0.02..0.1f64, dividend_yield in 0.0..0.05f64, half in 0.001..0.05f64) {
            let (pairs, forward, discount) = chain(rate, dividend_yield, half);
            let found = implied_forward(&pairs, &ParitySettings::default()).unwrap();
            prop_assert!((found.forward - forward).abs() < 1e-9 && (found.discount - discount).abs() < 1e-9);
        }

        #[test]
        fn any_number_is_survived(n in prop::array::uniform5(prop::num::f64::ANY), d in prop::num::f64::ANY) {
            let pair = ParityPair { strike: n[0], call: (n[1], n[2]), put: (n[3], n[4]) };
            let settings = ParitySettings { discount: Some(d), carry_forward: Some(n[0]), ..ParitySettings::default() };
            let _ = implied_forward(&[pair; 6], &settings);
        }
    }
}

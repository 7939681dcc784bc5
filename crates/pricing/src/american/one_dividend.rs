//! The American call with one cash dividend, exactly.
//!
//! With no yield and a rate that is not negative the only date on which early exercise can pay is the
//! moment before the ex-date t₁ (Merton 1973). The call is therefore one expectation over the lognormal
//! factor X at t₁,
//!
//! ```text
//! C = e^{−r t₁} E[max(exercise(X), BSM(hold(X), K, T − t₁))]
//! spot model:     exercise = X − K,      hold = X − D   (Haug, Haug & Lewis 2003, eq. 5–7)
//! escrowed model: exercise = X + D − K,  hold = X       (Roll 1977, Geske 1979, Whaley 1981)
//! ```
//!
//! In the spot model the spot itself is lognormal and falls by D: the jump condition that excludes the
//! arbitrage of the escrowed model between options of different expiry. In the escrowed model X is the
//! spot less the dividend's present value, and the expectation is the Roll–Geske–Whaley formula. Above the
//! critical price, where both branches are worth the same, the expectation is in closed form; below it is
//! an integral of a smooth function by Gauss–Legendre panels, exact to about 1e-12 of the strike.
use super::differences::{self, Steps};
use super::pricer::AmericanGreeks;
use super::tables::gauss_legendre;
use crate::Right;
use crate::bsm::{self, BsmInputs};
use crate::finite_difference::{Dividend, DividendModel};
use crate::math::kernel::{exp, ln};
use crate::math::normal::{cdf, pdf};

const POINTS: usize = 20;
/// Standard deviations of X that are integrated over.
const REACH: f64 = 9.0;

/// Present value of an American call on an underlying that pays one cash dividend.
///
/// A dividend outside (0, T) plays no part. NaN for inadmissible inputs, and where early exercise could pay
/// on other dates: a yield other than zero or a negative rate ([`crate::finite_difference::price`] covers
/// those).
///
/// ```
/// use onetape_pricing::american::one_dividend_call;
/// use onetape_pricing::bsm::BsmInputs;
/// use onetape_pricing::finite_difference::{Dividend, DividendModel};
/// // Haug (1998), table 1-7 (Roll–Geske–Whaley): 4.3860.
/// let inputs = BsmInputs { spot: 80.0, strike: 82.0, years: 1.0 / 3.0, rate: 0.06, dividend_yield: 0.0, vol: 0.3 };
/// let dividend = Dividend { years: 0.25, amount: 4.0 };
/// let call = one_dividend_call(&inputs, dividend, DividendModel::Escrowed);
/// assert!((call - 4.3860).abs() < 5e-5);
/// ```
#[must_use]
pub fn one_dividend_call(inputs: &BsmInputs, dividend: Dividend, model: DividendModel) -> f64 {
    let BsmInputs { spot, strike, years, rate, dividend_yield, vol } = *inputs;
    let positive = [spot, strike, years, vol].iter().all(|x| *x > 0.0 && x.is_finite());
    let valid = dividend.years.is_finite() && dividend.amount.is_finite() && dividend.amount >= 0.0;
    let exercised_once = rate.is_finite() && rate >= 0.0 && dividend_yield == 0.0;
    if !(positive && valid && exercised_once) {
        return f64::NAN;
    }
    if dividend.amount == 0.0 || dividend.years <= 0.0 || dividend.years >= years {
        return bsm::price(inputs, Right::Call);
    }
    let escrow = dividend.amount * exp(-rate * dividend.years);
    let start = if model == DividendModel::Escrowed { spot - escrow } else { spot };
    if start <= 0.0 {
        return f64::NAN;
    }
    let value = Expectation { inputs: *inputs, dividend, model, start }.value();
    if value < spot - strike { spot - strike } else { value }
}

/// Price and sensitivities, by differences of the exact price; units as in [`crate::bsm::Greeks`]. Phi is
/// zero: the formula holds without a yield.
#[must_use]
pub fn one_dividend_call_greeks(
    inputs: &BsmInputs,
    dividend: Dividend,
    model: DividendModel,
) -> AmericanGreeks {
    let mut g = differences::greeks(inputs, Right::Call, Steps::SMOOTH, |i| {
        // Only the yield's difference leaves the domain; it is not wanted.
        one_dividend_call(&BsmInputs { dividend_yield: 0.0, ..*i }, dividend, model)
    });
    g.phi = if g.price.is_nan() { f64::NAN } else { 0.0 };
    if model == DividendModel::Escrowed && g.gamma != 0.0 {
        // At a fixed spot the lognormal factor X = S − D e^{−r t₁} itself shrinks as time passes.
        let escrow = dividend.amount * exp(-inputs.rate * dividend.years);
        let factor = inputs.spot - escrow;
        g.theta = inputs.rate * g.price
            - inputs.rate * factor * g.delta
            - 0.5 * inputs.vol * inputs.vol * factor * factor * g.gamma
            - inputs.rate * escrow * g.delta;
    }
    g
}

struct Expectation {
    inputs: BsmInputs,
    dividend: Dividend,
    model: DividendModel,
    /// X today.
    start: f64,
}

impl Expectation {
    fn hold(&self, x: f64) -> f64 {
        let BsmInputs { strike, years, rate, vol, .. } = self.inputs;
        let spot = if self.model == DividendModel::Spot { x - self.dividend.amount } else { x };
        if spot <= 0.0 {
            return 0.0;
        }
        let rest = years - self.dividend.years;
        bsm::price(&BsmInputs { spot, strike, years: rest, rate, dividend_yield: 0.0, vol }, Right::Call)
    }

    /// What exercise adds to X.
    fn bonus(&self) -> f64 {
        let dividend = if self.model == DividendModel::Escrowed { self.dividend.amount } else { 0.0 };
        dividend - self.inputs.strike
    }

    /// X above which exercise beats holding, if there is one: the dividend must exceed what waiting earns on
    /// the strike.
    fn critical(&self) -> Option<f64> {
        let BsmInputs { strike, years, rate, .. } = self.inputs;
        let earned = strike * -libm::expm1(-rate * (years - self.dividend.years));
        if self.dividend.amount <= earned {
            return None;
        }
        let gap = |x: f64| x + self.bonus() - self.hold(x);
        let (mut low, mut high) = (0.0, 2.0 * strike + self.dividend.amount);
        while gap(high) <= 0.0 {
            (low, high) = (high, 2.0 * high);
            if high > 1e12 * strike {
                return None;
            }
        }
        for _ in 0..200 {
            let middle = 0.5 * (low + high);
            if gap(middle) > 0.0 {
                high = middle;
            } else {
                low = middle;
            }
            if high - low <= 1e-15 * high {
                break;
            }
        }
        Some(high)
    }

    fn value(&self) -> f64 {
        let BsmInputs { strike, years, rate, vol, .. } = self.inputs;
        let t = self.dividend.years;
        let deviation = vol * t.sqrt();
        let drift = rate * t - 0.5 * deviation * deviation;
        // X = start·exp(drift + deviation·z).
        let z_of = |x: f64| (ln(x / self.start) - drift) / deviation;
        let top = self.critical().map_or(REACH, |x| z_of(x).clamp(-REACH, REACH));
        if top.is_nan() || !drift.is_finite() {
            return f64::NAN;
        }
        let exercised = if top < REACH {
            // E[(X + bonus) 1{z > top}], discounted.
            self.start * cdf(deviation - top) + exp(-rate * t) * self.bonus() * cdf(-top)
        } else {
            0.0
        };
        // The held call bends around its strike over √(T − t₁)/√t₁ deviations.
        let paid = if self.model == DividendModel::Spot { self.dividend.amount } else { 0.0 };
        let knee = z_of(strike * exp(-rate * (years - t)) + paid);
        let knee = if knee.is_nan() { 0.0 } else { knee };
        let width = ((years - t) / t).sqrt().min(1.0);
        let mut ends = vec![-REACH, top];
        for k in [-8.0, -4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 4.0, 8.0] {
            ends.push((knee + k * width).clamp(-REACH, top));
        }
        ends.extend((-8..=8).map(|k| f64::from(k).clamp(-REACH, top)));
        ends.sort_by(f64::total_cmp);
        let (nodes, weights) = gauss_legendre(POINTS, 0.0, 1.0);
        let mut held = 0.0;
        for panel in ends.windows(2) {
            let length = panel[1] - panel[0];
            if length <= 0.0 {
                continue;
            }
            for (x, w) in nodes.iter().zip(&weights) {
                let z = panel[0] + length * x;
                held += length * w * pdf(z) * self.hold(self.start * exp(drift + deviation * z));
            }
        }
        exercised + exp(-rate * t) * held
    }
}

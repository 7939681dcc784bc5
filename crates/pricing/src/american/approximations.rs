//! Closed-form approximations: quick, and known for what they are.
//!
//! [`barone_adesi_whaley`] and [`bjerksund_stensland`] are kept for comparison with published tables and
//! other systems; their errors reach 1 % of the price. [`super::price`] is the accurate one.
use super::AmericanGreeks;
use super::differences::{self, Steps};
use crate::Right;
use crate::bsm::{self, BsmInputs, IvInputs};
use crate::iv::IvError;
use crate::math::kernel::{exp, ln};
use crate::math::normal::cdf;

/// Which approximation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Approximation {
    /// [`barone_adesi_whaley`].
    BaroneAdesiWhaley,
    /// [`bjerksund_stensland`], of 2002.
    BjerksundStensland,
    /// [`bjerksund_stensland_1993`].
    BjerksundStensland1993,
}

impl Approximation {
    /// Present value by this approximation.
    #[must_use]
    pub fn price(self, inputs: &BsmInputs, right: Right) -> f64 {
        match self {
            Self::BaroneAdesiWhaley => barone_adesi_whaley(inputs, right),
            Self::BjerksundStensland => bjerksund_stensland(inputs, right),
            Self::BjerksundStensland1993 => bjerksund_stensland_1993(inputs, right),
        }
    }

    /// Price and the sensitivities of this approximation (not of the true price), by central differences.
    #[must_use]
    pub fn greeks(self, inputs: &BsmInputs, right: Right) -> AmericanGreeks {
        differences::greeks(inputs, right, Steps { spot: 3e-3, vol: 1e-3, rate: 1e-4 }, |i| {
            self.price(i, right)
        })
    }

    /// The volatility at which this approximation gives `inputs.price`.
    ///
    /// # Errors
    /// [`IvError`] if an input is not finite or positive, or no volatility up to 4000 % gives the price.
    pub fn implied_vol(self, inputs: &IvInputs, right: Right) -> Result<f64, IvError> {
        differences::implied_vol(inputs, |i| self.price(i, right))
    }
}

/// The larger of value and intrinsic, NaN if the value is.
pub(crate) fn floor(value: f64, intrinsic: f64) -> f64 {
    if value < intrinsic { intrinsic } else { value }
}

/// The quadratic approximation of Barone-Adesi & Whaley, *Efficient analytic approximation of American
/// option values* (Journal of Finance, 1987), eq. 20 (call) and 25 (put).
///
/// Inputs as for a European price; NaN for inadmissible ones. With a rate ≤ 0 the approximation is not
/// defined and the European price (at least intrinsic value) is returned.
#[must_use]
pub fn barone_adesi_whaley(inputs: &BsmInputs, right: Right) -> f64 {
    let BsmInputs { spot, strike, years, rate, dividend_yield, vol } = *inputs;
    let european = bsm::price(inputs, right);
    let intrinsic = right.intrinsic(spot, strike);
    let sign = right.sign();
    let degenerate = vol * years.sqrt() < 1e-8 || spot == 0.0 || strike == 0.0 || rate <= 0.0;
    if european.is_nan() || degenerate || (right == Right::Call && dividend_yield <= 0.0) {
        return floor(european, intrinsic);
    }
    let variance = vol * vol;
    let m = 2.0 * rate / variance;
    let n = 2.0 * (rate - dividend_yield) / variance - 1.0;
    let q = 0.5 * (-n + sign * (n * n + 4.0 * m / (1.0 - exp(-rate * years))).sqrt());

    // Critical price: sign·(S − K) = V(S) + sign·(1 − e^{−qT} N(sign·d1)) S/Q, by Newton's method in ln S.
    let mut critical = strike;
    let mut share = 0.0;
    for _ in 0..100 {
        let at = bsm::greeks(&BsmInputs { spot: critical, ..*inputs }, right);
        share = sign * (1.0 - sign * at.delta);
        let gap = sign * (critical - strike) - at.price - share * critical / q;
        let slope = critical * (sign - at.delta - (share - critical * at.gamma) / q);
        let step = (gap / slope).clamp(-0.5, 0.5);
        critical *= exp(-step);
        if step.abs() < 1e-13 {
            break;
        }
    }
    if sign * (spot - critical) >= 0.0 {
        return intrinsic;
    }
    floor(european + critical * share / q * exp(q * ln(spot / critical)), intrinsic)
}

/// The two-step flat-boundary approximation of Bjerksund & Stensland, *Closed form valuation of American
/// options* (2002), eq. 7–14; a lower bound of the price. Puts by their symmetry (eq. 15).
#[must_use]
pub fn bjerksund_stensland(inputs: &BsmInputs, right: Right) -> f64 {
    flat_boundary(inputs, right, TwoStep::value)
}

/// The one-step flat-boundary approximation of Bjerksund & Stensland (1993), eq. 4, a lower bound that
/// [`bjerksund_stensland`] improves.
#[must_use]
pub fn bjerksund_stensland_1993(inputs: &BsmInputs, right: Right) -> f64 {
    flat_boundary(inputs, right, TwoStep::one_step_value)
}

fn flat_boundary(inputs: &BsmInputs, right: Right, formula: fn(&TwoStep) -> f64) -> f64 {
    let european = bsm::price(inputs, right);
    let intrinsic = right.intrinsic(inputs.spot, inputs.strike);
    let call = match right {
        Right::Call => *inputs,
        Right::Put => BsmInputs {
            spot: inputs.strike,
            strike: inputs.spot,
            rate: inputs.dividend_yield,
            dividend_yield: inputs.rate,
            ..*inputs
        },
    };
    let degenerate = call.vol * call.years.sqrt() < 1e-8 || call.spot == 0.0 || call.strike == 0.0;
    if european.is_nan() || degenerate || call.dividend_yield <= 0.0 {
        return floor(european, intrinsic);
    }
    let value = formula(&TwoStep::new(&call));
    if value.is_nan() { floor(european, intrinsic) } else { floor(value, european.max(intrinsic)) }
}

/// Terms of the two-step call.
struct TwoStep {
    call: BsmInputs,
    carry: f64,
    beta: f64,
    /// Exercise level before and after t1.
    early: f64,
    late: f64,
    t1: f64,
    /// Exercise level with no end, and at expiry.
    far: f64,
    near: f64,
}

impl TwoStep {
    fn new(call: &BsmInputs) -> Self {
        let BsmInputs { strike, years, rate, dividend_yield, vol, .. } = *call;
        let carry = rate - dividend_yield;
        let variance = vol * vol;
        let a = carry / variance - 0.5;
        let beta = -a + (a * a + 2.0 * rate / variance).sqrt();
        let far = beta / (beta - 1.0) * strike;
        let near = if rate > dividend_yield { strike * (rate / dividend_yield) } else { strike };
        // t1 is the golden section of the life.
        let t1 = 0.5 * (5.0_f64.sqrt() - 1.0) * years;
        let level = |t: f64| {
            let h = -(carry * t + 2.0 * vol * t.sqrt()) * strike * strike / ((far - near) * near);
            near + (far - near) * (1.0 - exp(h))
        };
        Self { call: *call, carry, beta, early: level(years), late: level(years - t1), t1, far, near }
    }

    fn value(&self) -> f64 {
        let (s, k, x2, x1) = (self.call.spot, self.call.strike, self.early, self.late);
        if s >= x2 {
            return s - k;
        }
        // α(X) S^β and its like are (X − K)(S/X)^β: neither power alone need be finite.
        let (beta, t1) = (self.beta, self.t1);
        (x2 - k) * (power(s / x2, beta) - self.phi(t1, beta, x2, x2)) + self.phi(t1, 1.0, x2, x2)
            - self.phi(t1, 1.0, x1, x2)
            - k * self.phi(t1, 0.0, x2, x2)
            + k * self.phi(t1, 0.0, x1, x2)
            + (x1 - k) * (power(x2 / x1, beta) * self.phi(t1, beta, x1, x2) - self.psi(beta, x1))
            + self.psi(1.0, x1)
            - self.psi(1.0, k)
            - k * self.psi(0.0, x1)
            + k * self.psi(0.0, k)
    }

    fn one_step_value(&self) -> f64 {
        let BsmInputs { spot: s, strike: k, years, vol, .. } = self.call;
        let width = (self.far - self.near) / self.near;
        let x = self.near
            + (self.far - self.near) * (1.0 - exp(-(self.carry * years + 2.0 * vol * years.sqrt()) / width));
        if s >= x {
            return s - k;
        }
        (x - k) * (power(s / x, self.beta) - self.phi(years, self.beta, x, x)) + self.phi(years, 1.0, x, x)
            - self.phi(years, 1.0, k, x)
            - k * self.phi(years, 0.0, x, x)
            + k * self.phi(years, 0.0, k, x)
    }

    /// The power of the spot in φ and Ψ, for γ = β divided by that of `level`.
    fn spot_power(&self, gamma: f64, level: f64) -> f64 {
        let spot = self.call.spot;
        if gamma == 0.0 {
            1.0
        } else if gamma == 1.0 {
            spot
        } else {
            power(spot / level, gamma)
        }
    }

    fn drift(&self, gamma: f64) -> (f64, f64) {
        let variance = self.call.vol * self.call.vol;
        let lambda = -self.call.rate + gamma * self.carry + 0.5 * gamma * (gamma - 1.0) * variance;
        (lambda, 2.0 * self.carry / variance + 2.0 * gamma - 1.0)
    }

    /// φ(S, T, γ, H, X), eq. 9, divided by X^β for γ = β.
    fn phi(&self, t: f64, gamma: f64, h: f64, x: f64) -> f64 {
        let BsmInputs { spot, vol, .. } = self.call;
        let (lambda, kappa) = self.drift(gamma);
        let v = vol * t.sqrt();
        let d = -(ln(spot / h) + (self.carry + (gamma - 0.5) * vol * vol) * t) / v;
        let reflected = d - 2.0 * ln(x / spot) / v;
        exp(lambda * t) * self.spot_power(gamma, x) * (cdf(d) - power(x / spot, kappa) * cdf(reflected))
    }

    /// Ψ(S, T, γ, H, X₂, X₁, t₁), eq. 13, divided by X₁^β for γ = β.
    fn psi(&self, gamma: f64, h: f64) -> f64 {
        let BsmInputs { spot, years, vol, .. } = self.call;
        let (lambda, kappa) = self.drift(gamma);
        let (x2, x1, t1) = (self.early, self.late, self.t1);
        let rate = self.carry + (gamma - 0.5) * vol * vol;
        let (v1, v2) = (vol * t1.sqrt(), vol * years.sqrt());
        let rho = (t1 / years).sqrt();
        let e = |level: f64, sign: f64| (ln(spot / level) + sign * rate * t1) / v1;
        let f = |level: f64| (ln(level) + rate * years) / v2;
        let (e1, e2) = (e(x1, 1.0), (ln(x2 * x2 / (spot * x1)) + rate * t1) / v1);
        let (e3, e4) = (e(x1, -1.0), (ln(x2 * x2 / (spot * x1)) - rate * t1) / v1);
        let f1 = f(spot / h);
        let f2 = f(x2 * x2 / (spot * h));
        let f3 = f(x1 * x1 / (spot * h));
        let f4 = f(spot * x1 * x1 / (h * x2 * x2));
        exp(lambda * years)
            * self.spot_power(gamma, x1)
            * (bivariate_cdf(-e1, -f1, rho)
                - power(x2 / spot, kappa) * bivariate_cdf(-e2, -f2, rho)
                - power(x1 / spot, kappa) * bivariate_cdf(-e3, -f3, -rho)
                + power(x1 / x2, kappa) * bivariate_cdf(-e4, -f4, -rho))
    }
}

fn power(x: f64, exponent: f64) -> f64 {
    exp(exponent * ln(x))
}

/// Bivariate normal distribution function, by Plackett's identity ∂N₂/∂ρ = φ₂ integrated over θ = asin ρ
/// with 20 Gauss–Legendre points (Drezner & Wesolowsky 1990; Genz 2004, eq. 3): error below 1e-13 for
/// |ρ| ≤ 0.8, which is all this module needs.
fn bivariate_cdf(a: f64, b: f64, rho: f64) -> f64 {
    use std::sync::OnceLock;
    static RULE: OnceLock<(Vec<f64>, Vec<f64>)> = OnceLock::new();
    let (nodes, weights) = RULE.get_or_init(|| super::tables::gauss_legendre(20, 0.0, 1.0));
    let angle = libm::asin(rho);
    let sum: f64 = nodes
        .iter()
        .zip(weights)
        .map(|(x, w)| {
            let sine = libm::sin(angle * x);
            w * exp(-(a * a + b * b - 2.0 * a * b * sine) / (2.0 * (1.0 - sine * sine)))
        })
        .sum();
    cdf(a) * cdf(b) + angle * sum / (2.0 * core::f64::consts::PI)
}

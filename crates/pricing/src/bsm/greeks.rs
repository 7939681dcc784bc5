//! Sensitivities of the Black–Scholes–Merton price, in closed form.
//!
//! Source: Haug (2007), chapter 2. Units: volatility per 1.00, rates per 1.00, time per calendar year;
//! a quantity "with time" is the change as time passes, so it is minus the derivative in time to
//! expiry.
//!
//! Limits: where the density at d1 underflows (deep in or out of the money, no volatility, expiry off
//! the strike) every density term is zero. At expiry exactly on the strike the derivatives do not
//! exist; gamma and its relatives are then infinite or NaN.
use super::core::{Carry, Core};
use crate::math::normal::FRAC_1_SQRT_2PI;

/// Price and the sixteen sensitivities.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Greeks {
    /// Present value.
    pub price: f64,
    /// ∂V/∂S.
    pub delta: f64,
    /// ∂²V/∂S².
    pub gamma: f64,
    /// ∂V/∂σ per 1.00 of volatility.
    pub vega: f64,
    /// ∂V/∂t per year: the change as time passes.
    pub theta: f64,
    /// ∂V/∂r per 1.00.
    pub rho: f64,
    /// ∂V/∂q per 1.00.
    pub phi: f64,
    /// ∂²V/∂S∂σ.
    pub vanna: f64,
    /// ∂delta/∂t per year.
    pub charm: f64,
    /// ∂²V/∂σ².
    pub vomma: f64,
    /// ∂vega/∂t per year.
    pub veta: f64,
    /// ∂³V/∂S³.
    pub speed: f64,
    /// ∂gamma/∂σ.
    pub zomma: f64,
    /// ∂gamma/∂t per year.
    pub color: f64,
    /// ∂³V/∂σ³.
    pub ultima: f64,
    /// ∂V/∂K.
    pub dual_delta: f64,
    /// ∂²V/∂K²: the discounted risk-neutral density at the strike.
    pub dual_gamma: f64,
}

/// Price and the five sensitivities that a risk line shows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Risk {
    /// Present value.
    pub price: f64,
    /// ∂V/∂S.
    pub delta: f64,
    /// ∂²V/∂S².
    pub gamma: f64,
    /// ∂V/∂σ per 1.00 of volatility.
    pub vega: f64,
    /// ∂V/∂t per year.
    pub theta: f64,
    /// ∂V/∂r per 1.00.
    pub rho: f64,
}

impl Core {
    #[inline(always)]
    pub(crate) fn risk(&self, carry: &Carry) -> Risk {
        let has_density = self.bell1 > 0.0;
        let inverse = if has_density { self.inverse_total_vol } else { 0.0 };
        let density = carry.spot_discount * (FRAC_1_SQRT_2PI * self.bell1);
        let spot_leg = self.sign * self.discounted_spot * self.n1;
        let strike_leg = self.sign * self.discounted_strike * self.n2;
        let value = spot_leg - strike_leg;
        let inverse_spot = if has_density { carry.inverse_spot } else { 0.0 };
        let cash_density = carry.spot * density;
        // σ/√T is written σ²/(σ√T), whose limit at expiry is already known.
        let decay = 0.5 * cash_density * (self.vol * self.vol * inverse);
        Risk {
            price: if value < 0.0 { 0.0 } else { value },
            delta: self.sign * carry.spot_discount * self.n1,
            gamma: density * inverse * inverse_spot,
            vega: cash_density * carry.sqrt_years,
            theta: carry.dividend_yield * spot_leg - carry.rate * strike_leg - decay,
            rho: carry.years * strike_leg,
        }
    }

    #[inline(always)]
    pub(crate) fn greeks(&self, carry: &Carry) -> Greeks {
        let Risk { price, delta, gamma, vega, theta, rho } = self.risk(carry);
        let has_density = self.bell1 > 0.0;
        let inverse = if has_density { self.inverse_total_vol } else { 0.0 };
        let d1 = if has_density { self.d1 } else { 0.0 };
        let d2 = if has_density { self.d2 } else { 0.0 };
        let density = carry.spot_discount * (FRAC_1_SQRT_2PI * self.bell1);
        let per_vol = carry.sqrt_years * inverse; // 1/σ
        let root_rate = self.vol * inverse; // 1/√T
        let half_per_year = 0.5 * root_rate * root_rate; // 1/(2T)
        let carry_rate = carry.rate - carry.dividend_yield;
        let inverse_spot = if has_density { carry.inverse_spot } else { 0.0 };
        let product = d1 * d2;

        let has_density2 = self.bell2 > 0.0;
        let dual =
            carry.strike_discount * (FRAC_1_SQRT_2PI * self.bell2) * self.inverse_total_vol / self.strike;
        Greeks {
            price,
            delta,
            gamma,
            vega,
            theta,
            rho,
            phi: -carry.years * carry.spot * delta,
            vanna: -density * d2 * per_vol,
            charm: carry.dividend_yield * delta - density * (carry_rate * inverse - d2 * half_per_year),
            vomma: vega * product * per_vol,
            veta: vega * (carry.dividend_yield + carry_rate * d1 * inverse - (1.0 + product) * half_per_year),
            speed: -gamma * (d1 * inverse + 1.0) * inverse_spot,
            zomma: gamma * (product - 1.0) * per_vol,
            color: gamma
                * (carry.dividend_yield + half_per_year + d1 * (carry_rate * inverse - d2 * half_per_year)),
            ultima: -vega * per_vol * per_vol * (product * (1.0 - product) + d1 * d1 + d2 * d2),
            dual_delta: -self.sign * carry.strike_discount * self.n2,
            dual_gamma: if has_density2 { dual } else { self.bell2 * 0.0 },
        }
    }
}

//! Black (1976): an option on a forward or futures price, paid at expiry and discounted.
//!
//! Source: Black (1976), *The pricing of commodity contracts*, eq. 16. It is Black–Scholes–Merton with
//! the forward as spot and a yield equal to the rate, so the values come from the same kernel; the
//! sensitivities differ where the forward is held fixed.
pub mod batch;

use crate::Right;
use crate::bsm::core::{Carry, Core};

/// What a Black-76 price depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BlackInputs {
    /// Forward or futures price for the expiry, ≥ 0.
    pub forward: f64,
    /// Strike, ≥ 0.
    pub strike: f64,
    /// Time to expiry in years, ≥ 0.
    pub years: f64,
    /// Continuously compounded rate of the discount factor.
    pub rate: f64,
    /// Volatility per 1.00, ≥ 0.
    pub vol: f64,
}

/// Price and sensitivities, all at a fixed forward.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BlackGreeks {
    /// Present value.
    pub price: f64,
    /// ∂V/∂F.
    pub delta: f64,
    /// ∂²V/∂F².
    pub gamma: f64,
    /// ∂V/∂σ per 1.00.
    pub vega: f64,
    /// ∂V/∂t per year: the change as time passes.
    pub theta: f64,
    /// ∂V/∂r per 1.00: −T·price.
    pub rho: f64,
    /// ∂²V/∂F∂σ.
    pub vanna: f64,
    /// ∂²V/∂σ².
    pub vomma: f64,
    /// ∂V/∂K.
    pub dual_delta: f64,
    /// ∂²V/∂K²: the discounted risk-neutral density at the strike.
    pub dual_gamma: f64,
}

/// Present value of a European option on a forward; limits as in [`crate::bsm`].
#[must_use]
pub fn price(inputs: &BlackInputs, right: Right) -> f64 {
    core(inputs, right).1.price()
}

/// Price and sensitivities.
#[must_use]
pub fn greeks(inputs: &BlackInputs, right: Right) -> BlackGreeks {
    let (carry, core) = core(inputs, right);
    sensitivities(&carry, &core.sharpened(&carry))
}

#[inline(always)]
fn sensitivities(carry: &Carry, core: &Core) -> BlackGreeks {
    let g = core.greeks(carry);
    // theta of the shared kernel lets the spot leg's yield decay as well; at a fixed forward only the
    // discount factor and the density move.
    let decay = 0.5 * core.vol * core.vol * (carry.spot * carry.spot * g.gamma);
    let decay = if g.vega == 0.0 { 0.0 } else { decay };
    BlackGreeks {
        price: g.price,
        delta: g.delta,
        gamma: g.gamma,
        vega: g.vega,
        theta: carry.rate * g.price - decay,
        rho: -carry.years * g.price,
        vanna: g.vanna,
        vomma: g.vomma,
        dual_delta: g.dual_delta,
        dual_gamma: g.dual_gamma,
    }
}

#[inline]
fn core(inputs: &BlackInputs, right: Right) -> (Carry, Core) {
    let BlackInputs { forward, strike, years, rate, vol } = *inputs;
    let carry = Carry::new(forward, years, rate, rate);
    (carry, Core::new(&carry, strike, vol, right.sign()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn haug_1998_futures_option() {
        // Haug (1998), p. 4: European futures option, F = K = 19, T = 0.75, r = 10 %, σ = 28 %: 1.7011.
        let inputs = BlackInputs { forward: 19.0, strike: 19.0, years: 0.75, rate: 0.1, vol: 0.28 };
        assert!((price(&inputs, Right::Call) - 1.7011).abs() < 5e-5);
        assert!((price(&inputs, Right::Put) - 1.7011).abs() < 5e-5);
    }
}

//! Prices, sensitivities and implied volatilities from the collocated boundary.
use super::boundary::{Plan, Put, System, Workspace};
use super::panels::Panels;
use super::premium::{Premium, premium};
use super::tables::Tables;
use crate::bsm::{self, BsmInputs, IvInputs};
use crate::finite_difference;
use crate::iv::{self, IvError};
use crate::math::kernel::{exp, ln, ln_ratio};
use crate::{Right, american::approximations};
use std::sync::OnceLock;

/// How much work to spend on a price. Errors are the largest on the one-boundary golden rows with a
/// reference good to 1e-10 (spot 100); times and conditions are in `docs/pricing.md`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// Error below 1e-5: 12 nodes, 2 Newton and 2 fixed-point steps. For live chains.
    Fast,
    /// Error below 1e-9: 28 nodes, 3 Newton and 4 fixed-point steps. For marks and risk.
    #[default]
    Accurate,
    /// Error about 1e-10: 30 nodes, 4 Newton and 24 fixed-point steps. For reference values.
    High,
}

impl Scheme {
    pub(super) fn plan(self) -> Plan {
        let (newton_steps, newton_settled, polish_steps, polish_system) = match self {
            Scheme::Fast => (2, 2e-2, 2, System::A),
            Scheme::Accurate => (3, 1e-4, 4, System::A),
            Scheme::High => (4, 1e-6, 24, System::B),
        };
        Plan { newton_steps, newton_steps_max: newton_steps + 5, newton_settled, polish_steps, polish_system }
    }

    /// Whether the scheme's nodes resolve the boundary. It bends within τ ≈ (σ/carry)²; measured on random options
    /// against panels, errors beyond these are up to 10 (`Fast`) and 1e-3 (`Accurate`) of spot 100, within
    /// them below 1e-4 and 1e-6.
    fn holds(self, put: &Put) -> bool {
        let Put { years, rate, dividend_yield, vol, .. } = *put;
        let bends = rate.abs().max(dividend_yield.abs()) * years.sqrt() / vol;
        match self {
            Scheme::Fast => bends <= 3.0 && vol * years.sqrt() <= 4.0,
            Scheme::Accurate | Scheme::High => bends <= 6.0,
        }
    }

    /// Relative error of the squares that panels interpolate.
    fn panel_tolerance(self) -> f64 {
        match self {
            Scheme::Fast => 1e-5,
            Scheme::Accurate => 1e-7,
            Scheme::High => 1e-9,
        }
    }

    fn tables(self) -> &'static Tables {
        static TABLES: [OnceLock<Tables>; 3] = [const { OnceLock::new() }; 3];
        TABLES[self as usize].get_or_init(|| match self {
            Scheme::Fast => Tables::new(12, 8, 32),
            Scheme::Accurate => Tables::new(28, 24, 96),
            Scheme::High => Tables::new(30, 32, 96),
        })
    }
}

/// Price and sensitivities of an American option; units as in [`crate::bsm::Greeks`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AmericanGreeks {
    /// Present value.
    pub price: f64,
    /// ∂V/∂S.
    pub delta: f64,
    /// ∂²V/∂S².
    pub gamma: f64,
    /// ∂V/∂σ per 1.00.
    pub vega: f64,
    /// ∂V/∂t per year.
    pub theta: f64,
    /// ∂V/∂r per 1.00.
    pub rho: f64,
    /// ∂V/∂q per 1.00.
    pub phi: f64,
}

/// Present value of an American option.
///
/// ```
/// use onetape_pricing::{Right, american::{self, Scheme}, bsm::BsmInputs};
/// let inputs = BsmInputs { spot: 100.0, strike: 100.0, years: 1.0, rate: 0.05, dividend_yield: 0.05, vol: 0.25 };
/// let put = american::price(&inputs, Right::Put, Scheme::Accurate);
/// // Andersen, Lake & Offengenden (2016), table 2: premium 0.106952702747.
/// let premium = put - onetape_pricing::bsm::price(&inputs, Right::Put);
/// assert!((premium - 0.106952702747).abs() < 1e-9);
/// ```
#[must_use]
pub fn price(inputs: &BsmInputs, right: Right, scheme: Scheme) -> f64 {
    Pricer::new(scheme).price(inputs, right)
}

/// Price and sensitivities; see [`Pricer::greeks`].
#[must_use]
pub fn greeks(inputs: &BsmInputs, right: Right, scheme: Scheme) -> AmericanGreeks {
    Pricer::new(scheme).greeks(inputs, right)
}

/// Implied volatility; see [`Pricer::implied_vol`].
///
/// # Errors
/// As [`Pricer::implied_vol`].
pub fn implied_vol(inputs: &IvInputs, right: Right, scheme: Scheme) -> Result<f64, IvError> {
    Pricer::new(scheme).implied_vol(inputs, right)
}

/// A scheme with its buffers: pricing does not allocate after the first option.
pub struct Pricer {
    pub(super) scheme: Scheme,
    pub(super) tables: &'static Tables,
    pub(super) workspace: Workspace,
}

/// Least and greatest implied volatility.
const VOL_LEAST: f64 = 1e-4;
const VOL_MOST: f64 = 40.0;

/// Largest gap in value at a solved boundary, as a share of the strike.
const MATCH: f64 = 1e-8;
/// Early exercise that adds less than this share of the strike is left out.
const NEGLIGIBLE: f64 = 1e-11;

/// What decides a price.
pub(super) enum Case {
    Invalid,
    /// Value and delta: so little volatility that the best certain exercise date decides.
    Certain(f64, f64),
    European,
    OneBoundary,
    TwoBoundaries,
}

impl Pricer {
    /// A pricer for one scheme; its tables are computed once per process.
    #[must_use]
    pub fn new(scheme: Scheme) -> Self {
        Self { scheme, tables: scheme.tables(), workspace: Workspace::default() }
    }

    /// Present value.
    #[must_use]
    pub fn price(&mut self, inputs: &BsmInputs, right: Right) -> f64 {
        match case(inputs, right) {
            Case::Invalid => f64::NAN,
            Case::Certain(value, _) => value,
            Case::European => bsm::price(inputs, right),
            Case::TwoBoundaries => self.on_panels(inputs, right).0,
            Case::OneBoundary => self.collocated(inputs, right).0,
        }
    }

    /// Half-widths of the central differences in volatility and in rates.
    pub(super) fn difference_steps(vol: f64) -> (f64, f64) {
        (1e-4_f64.min(0.5 * vol), 1e-4)
    }

    /// Price and sensitivities. Delta and gamma are exact derivatives of the price formula, theta follows
    /// from the Black–Scholes equation, vega, rho and phi are central differences. In the exercise
    /// region delta is ±1 and the rest zero.
    #[must_use]
    pub fn greeks(&mut self, inputs: &BsmInputs, right: Right) -> AmericanGreeks {
        let (price, delta, gamma) = match case(inputs, right) {
            Case::Invalid => (f64::NAN, f64::NAN, f64::NAN),
            Case::Certain(value, delta) => (value, delta, 0.0),
            Case::European => {
                let g = bsm::greeks(inputs, right);
                let bsm::Greeks { price, delta, gamma, vega, theta, rho, phi, .. } = g;
                return AmericanGreeks { price, delta, gamma, vega, theta, rho, phi };
            }
            Case::OneBoundary => self.collocated(inputs, right),
            Case::TwoBoundaries => self.on_panels(inputs, right),
        };
        if price == right.intrinsic(inputs.spot, inputs.strike) && gamma == 0.0 {
            return AmericanGreeks { price, delta, ..Default::default() };
        }
        let BsmInputs { spot, rate, dividend_yield, vol, .. } = *inputs;
        let (vol_step, rate_step) = Self::difference_steps(vol);
        let mut slope = |up: BsmInputs, down: BsmInputs, step: f64| {
            (self.price(&up, right) - self.price(&down, right)) / (2.0 * step)
        };
        let at = |dr: f64, dq: f64, dv: f64| BsmInputs {
            rate: rate + dr,
            dividend_yield: dividend_yield + dq,
            vol: vol + dv,
            ..*inputs
        };
        AmericanGreeks {
            price,
            delta,
            gamma,
            vega: slope(at(0.0, 0.0, vol_step), at(0.0, 0.0, -vol_step), vol_step),
            theta: rate * price
                - (rate - dividend_yield) * spot * delta
                - 0.5 * vol * vol * spot * spot * gamma,
            rho: slope(at(rate_step, 0.0, 0.0), at(-rate_step, 0.0, 0.0), rate_step),
            phi: slope(at(0.0, rate_step, 0.0), at(0.0, -rate_step, 0.0), rate_step),
        }
    }

    /// The volatility at which [`Pricer::price`] gives `inputs.price`, to about the scheme's error divided
    /// by vega. Secant steps on ln price inside a bracket.
    ///
    /// # Errors
    /// [`IvError`] if an input is not finite or positive, or if the price does not exceed the value
    /// without volatility or is not below the value at infinite volatility.
    pub fn implied_vol(&mut self, inputs: &IvInputs, right: Right) -> Result<f64, IvError> {
        let IvInputs { price: target, spot, strike, years, rate, dividend_yield } = *inputs;
        iv::finite("price", target)?;
        iv::positive("spot", spot)?;
        iv::positive("strike", strike)?;
        iv::positive("years", years)?;
        iv::finite("rate", rate)?;
        iv::finite("dividend_yield", dividend_yield)?;
        let at = |vol: f64| BsmInputs { spot, strike, years, rate, dividend_yield, vol };
        let minimum = self.price(&at(0.0), right);
        if target <= minimum * (1.0 + 4.0 * f64::EPSILON) || target <= 0.0 {
            return Err(IvError::NoTimeValue { price: target, minimum });
        }
        let mut gap = |vol: f64| self.price(&at(vol), right) - target;
        // An American option is worth at least its European twin, so the twin's volatility is too high.
        // Over ages the twin's volatility may vanish: no doubling would leave zero.
        let twin = bsm::implied_vol(inputs, right).ok().filter(|vol| *vol > 0.0);
        let mut high = twin.unwrap_or(0.5);
        let mut low = f64::min(VOL_LEAST, 0.5 * high);
        let mut gap_high = gap(high);
        while gap_high.is_nan() || gap_high < 0.0 {
            (low, high) = (high, f64::max(2.0 * high, VOL_LEAST));
            if high > VOL_MOST {
                return Err(IvError::AboveMaximum { price: target, maximum: gap_high + target });
            }
            gap_high = gap(high);
        }
        // The first step has the European vega for slope, which is close to the American one wherever time
        // value remains, the others the secant's; bisection where they leave the bracket.
        let (mut vol, mut value) = (high, gap_high);
        let mut slope = bsm::risk(&at(high), right).vega;
        for _ in 0..60 {
            let newton = vol - value / slope;
            let next = if newton > low && newton < high { newton } else { 0.5 * (low + high) };
            let settled = (next - vol).abs() <= 1e-12 * vol;
            let here = if settled { value } else { gap(next) };
            slope = (here - value) / (next - vol);
            (vol, value) = (next, here);
            if settled || here == 0.0 || high - low <= 1e-14 * high {
                break;
            }
            if here < 0.0 {
                low = vol;
            } else {
                high = vol;
            }
        }
        Ok(vol)
    }

    /// Whether the boundary that was found can be trusted: one Chebyshev series holds it, and with a negative
    /// yield and hardly any interest, where it lies so far down that the iterations may miss it, the put is worth
    /// its exercise there.
    pub(super) fn is_solved(&self, put: &Put) -> bool {
        if !self.scheme.holds(put) {
            return false;
        }
        if put.dividend_yield >= 0.0 {
            return true;
        }
        let edge = self.workspace.log_boundary();
        let Put { strike, years, rate, dividend_yield, vol } = *put;
        let at = BsmInputs { spot: exp(edge), strike, years, rate, dividend_yield, vol };
        let extra = premium(&self.workspace, self.tables, put, at.spot, edge).value;
        let gap = bsm::price(&at, Right::Put) + extra - (strike - at.spot);
        gap.abs() <= MATCH * strike
    }

    /// Value, delta and gamma where there is one boundary.
    fn collocated(&mut self, inputs: &BsmInputs, right: Right) -> (f64, f64, f64) {
        let (put_spot, put) = put_terms(inputs, right);
        self.workspace.solve(&put, self.tables, self.scheme.plan());
        if !self.is_solved(&put) {
            return self.on_panels(inputs, right);
        }
        let log_spot = ln(put_spot);
        // A boundary that is not a number is beyond what doubles resolve: the European value stands in.
        if log_spot <= self.workspace.log_boundary() {
            return (right.intrinsic(inputs.spot, inputs.strike), right.sign(), 0.0);
        }
        with_premium(inputs, right, premium(&self.workspace, self.tables, &put, put_spot, log_spot))
    }

    /// Value, delta and gamma by panels, for one boundary or two; by finite differences should they fail.
    fn on_panels(&self, inputs: &BsmInputs, right: Right) -> (f64, f64, f64) {
        let (put_spot, put) = put_terms(inputs, right);
        let log_spot = ln_ratio(put_spot, put.strike);
        if put.rate < 0.0 && Panels::premium_bound(&put) < NEGLIGIBLE {
            return with_premium(inputs, right, Premium::default());
        }
        let Some(panels) = Panels::solve(&put, self.scheme.panel_tolerance()) else {
            return finite_difference::american_value(inputs, right);
        };
        if panels.is_exercised(log_spot) {
            return (right.intrinsic(inputs.spot, inputs.strike), right.sign(), 0.0);
        }
        with_premium(inputs, right, panels.premium(put_spot, put.strike, log_spot))
    }
}

/// The European option and the premium of its put, for a spot outside the exercise region.
fn with_premium(inputs: &BsmInputs, right: Right, extra: Premium) -> (f64, f64, f64) {
    let BsmInputs { spot, strike, .. } = *inputs;
    let intrinsic = right.intrinsic(spot, strike);
    let european = bsm::greeks(inputs, right);
    if !extra.value.is_finite() {
        return (approximations::floor(european.price, intrinsic), european.delta, european.gamma);
    }
    let value = european.price + extra.value.max(0.0);
    if value <= intrinsic {
        return (intrinsic, right.sign(), 0.0);
    }
    let (delta, gamma) = match right {
        Right::Put => (extra.delta, extra.gamma),
        // Homogeneity of degree one in spot and strike.
        Right::Call => {
            let scale = strike / spot;
            ((extra.value - strike * extra.delta) / spot, scale * scale * extra.gamma)
        }
    };
    (value, european.delta + delta, european.gamma + gamma)
}

/// The put that an option is, with its spot: a call is a put with spot and strike, rate and yield exchanged.
pub(super) fn put_terms(inputs: &BsmInputs, right: Right) -> (f64, Put) {
    let BsmInputs { spot, strike, years, rate, dividend_yield, vol } = *inputs;
    match right {
        Right::Put => (spot, Put { strike, years, rate, dividend_yield, vol }),
        Right::Call => (strike, Put { strike: spot, years, rate: dividend_yield, dividend_yield: rate, vol }),
    }
}

pub(super) fn case(inputs: &BsmInputs, right: Right) -> Case {
    let BsmInputs { spot, strike, years, rate, dividend_yield, vol } = *inputs;
    let finite = [spot, strike, years, rate, dividend_yield, vol].iter().all(|x| x.is_finite());
    if !finite || spot < 0.0 || strike < 0.0 || years < 0.0 || vol < 0.0 {
        return Case::Invalid;
    }
    let total_vol = vol * years.sqrt();
    if total_vol < 1e-5 || spot == 0.0 || strike == 0.0 {
        let best = certain(inputs, right);
        let held = bsm::risk(inputs, right);
        return if best.0 >= held.price { Case::Certain(best.0, best.1) } else { Case::European };
    }
    let (r, q) = if right == Right::Put { (rate, dividend_yield) } else { (dividend_yield, rate) };
    if r > 0.0 || (r == 0.0 && q < 0.0) {
        Case::OneBoundary
    } else if q < r {
        Case::TwoBoundaries
    } else {
        Case::European
    }
}

/// Value and delta without volatility: the best of exercising now, at the end, or where the certain payoff
/// peaks.
fn certain(inputs: &BsmInputs, right: Right) -> (f64, f64) {
    let BsmInputs { spot, strike, years, rate, dividend_yield, .. } = *inputs;
    let peak = ln(dividend_yield * spot / (rate * strike)) / (dividend_yield - rate);
    let peak = if peak > 0.0 && peak < years { peak } else { 0.0 };
    let mut best = (0.0, 0.0);
    for date in [0.0, peak, years] {
        let discount = exp(-dividend_yield * date);
        let value = right.sign() * (spot * discount - strike * exp(-rate * date));
        if value > best.0 {
            best = (value, right.sign() * discount);
        }
    }
    best
}

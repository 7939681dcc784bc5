//! Black implied volatility.
//!
//! The out-of-the-money price is normalised, b = V/√(FK), and written with the Mills ratio
//! M(z) = e^{z²/2}N(−z), x = ln(F/K), s = σ√T, h = |x|/s, t = s/2:
//!
//! ```text
//! b(s) = e^{−(h²+t²)/2} · D,   D = M(h − t) − M(h + t),   b'(s) = e^{−(h²+t²)/2}/√2π
//! ```
//!
//! so that ln b and its derivatives need D only, and underflow never happens; the logarithm is taken of the
//! ratio of D to the price, which is near one at the money, where ln b itself would cost digits. The reduction to a
//! normalised price, the use of ln b, and a Householder step of fourth order follow Jäckel, *Let's be
//! rational* (Wilmott, 2015); the rest is this crate's:
//! - D for small s is summed as the odd Taylor series of M around h (all terms from −M', which has a
//!   kernel of its own), so options of minutes keep their digits;
//! - above the point of inflection the equation is solved for the complement b(∞) − b, a sum;
//! - the start is the *normal* implied volatility, explicit to 2e-5, carried to the lognormal one by
//!   Grunspan's expansion (2011, *A note on the equivalence between the normal and the lognormal
//!   implied volatility*, eq. 12).
use super::{ForwardQuote, IvError, normal, positive, time_value};
use crate::Right;
use crate::math::kernel::{ln, ln_ratio, mills_fraction, normal_loss};
use crate::math::normal::FRAC_1_SQRT_2PI;

/// The volatility σ at which Black's formula gives the undiscounted `quote.price`.
///
/// # Errors
/// [`IvError`] if an input is not finite or not positive, or if the price is not strictly between
/// intrinsic value and the value at infinite volatility (the forward for a call, the strike for a put).
///
/// ```
/// use onetape_pricing::{Right, iv::{ForwardQuote, black_vol}};
/// let quote = ForwardQuote { price: 7.965567455405798, forward: 100.0, strike: 100.0, years: 1.0 };
/// assert!((black_vol(&quote, Right::Call)? - 0.2).abs() < 1e-15);
/// # Ok::<(), onetape_pricing::IvError>(())
/// ```
pub fn black_vol(quote: &ForwardQuote, right: Right) -> Result<f64, IvError> {
    let ForwardQuote { price, forward, strike, years } = *quote;
    positive("forward", forward)?;
    positive("strike", strike)?;
    positive("years", years)?;
    let log_moneyness = ln_ratio(forward, strike);
    Ok(total_vol(&Quote { price, forward, strike, log_moneyness, right })? / years.sqrt())
}

/// A price with its two legs: present values or forward values alike.
pub(crate) struct Quote {
    pub(crate) price: f64,
    /// What the call's holder receives, > 0 and finite.
    pub(crate) forward: f64,
    /// What the call's holder pays, > 0 and finite.
    pub(crate) strike: f64,
    /// ln(forward/strike), as exact as the caller has it.
    pub(crate) log_moneyness: f64,
    pub(crate) right: Right,
}

/// s = σ√T of a quote whose legs have been checked.
pub(crate) fn total_vol(quote: &Quote) -> Result<f64, IvError> {
    let Quote { price, forward, strike, log_moneyness, right } = *quote;
    super::finite("price", price)?;
    let maximum = if right == Right::Call { forward } else { strike };
    let value = time_value(price, forward, strike, right);
    if value <= 0.0 || price <= 0.0 {
        return Err(IvError::NoTimeValue { price, minimum: right.intrinsic(forward, strike) });
    }
    if price >= maximum {
        return Err(IvError::AboveMaximum { price, maximum });
    }
    let scale = forward.sqrt() * strike.sqrt();
    Ok(Problem::new(value, maximum - price, (forward - strike).abs(), scale, log_moneyness.abs()).solve())
}

/// ln b(s) = ln b* for an out-of-the-money option.
struct Problem {
    /// |ln(F/K)|
    x: f64,
    /// The time value, and √(FK), which normalises it.
    value: f64,
    scale: f64,
    /// What is missing to the value at infinite volatility, normalised.
    complement: f64,
    start: f64,
}

/// Below this half total volatility, and for |x| ≤ 1, D is summed as a series.
pub(super) const SERIES_HALF_VOL: f64 = 0.3;
/// A Householder step of fourth order that moves s by less than this leaves an error below rounding.
pub(super) const LAST_STEP: f64 = 2e-5;
/// Quadruple convergence from any start needs fewer; the bound only guards the loop.
const STEPS_MAX: usize = 24;

impl Problem {
    fn new(value: f64, complement: f64, distance: f64, scale: f64, x: f64) -> Self {
        let complement = complement / scale;
        // Rounding of the caller's x against a distance of exactly zero, and the reverse.
        let ratio = if x > 1e-2 && distance > 0.0 { x * (scale / distance) } else { 1.0 - x * x / 24.0 };
        let y = ratio * (normal::start(value, distance) / scale);
        // Grunspan's first term is ln(2 sinh(x/2)/x)/x², here by its Padé approximant.
        let c = 5.0 / (120.0 + x * x);
        let squared = y * y;
        let mut start = y * (1.0 + squared * (c + squared * 0.003_65));
        if squared > 3.0 {
            // Near the maximum b(∞) − b ≈ e^{−s²/8} up to a slowly varying factor.
            let tail = (-8.0 * ln(complement)).sqrt();
            start = if tail > start { tail } else { start };
        }
        Self { x, value, scale, complement, start }
    }

    fn solve(&self) -> f64 {
        let mut s = self.start;
        for _ in 0..STEPS_MAX {
            let step = self.step(s);
            let next = s + step;
            // A start this poor occurs only in the far corners; halving or doubling keeps s positive.
            s = if next < 0.5 * s {
                0.5 * s
            } else if next > 2.0 * s {
                2.0 * s
            } else {
                next
            };
            let settled = step.abs() <= LAST_STEP * s;
            if settled || step.is_nan() {
                break;
            }
        }
        s
    }

    /// Householder's step of fourth order on the logarithm of the value or of its complement.
    #[inline]
    fn step(&self, s: f64) -> f64 {
        let h = self.x / s;
        let t = 0.5 * s;
        let exponent = -0.5 * (h * h + t * t);
        // f = ln Q(s) − ln Q*, slope = f'.
        let (f, slope) = if t < SERIES_HALF_VOL && self.x <= 1.0 {
            let d = difference_series(h, t);
            (exponent + ln_ratio(d * self.scale, self.value), FRAC_1_SQRT_2PI / d)
        } else {
            let (p1, q1) = mills_fraction((h - t).abs());
            let (p2, q2) = mills_fraction(h + t);
            let inverse = 1.0 / (q1 * q2);
            if h >= t {
                let d = (p1 * q2 - p2 * q1) * inverse;
                (exponent + ln_ratio(d * self.scale, self.value), FRAC_1_SQRT_2PI / d)
            } else {
                let sum = (p1 * q2 + p2 * q1) * inverse;
                (exponent + ln_ratio(sum, self.complement), -FRAC_1_SQRT_2PI / sum)
            }
        };
        // b''/b' = h²/s − s/4 and b'''/b' = (b''/b')² − 3h²/s² − 1/4.
        let hs = h * h / s;
        let curvature = hs - 0.25 * s;
        let third = curvature * curvature - 3.0 * hs / s - 0.25;
        let h2 = curvature - slope;
        let h3 = third - slope * (3.0 * curvature - 2.0 * slope);
        let newton = -f / slope;
        newton * (1.0 + 0.5 * h2 * newton) / (1.0 + newton * (h2 + h3 * newton / 6.0))
    }
}

/// Below this half total volatility the first terms of the series suffice.
const SHORT_HALF_VOL: f64 = 0.02;
const SHORT_TERMS: usize = 4;

/// 1/(2n+1)!
const ODD_FACTORIALS: [f64; 9] = [
    1.0,
    1.0 / 6.0,
    1.0 / 120.0,
    1.0 / 5_040.0,
    1.0 / 362_880.0,
    1.0 / 39_916_800.0,
    1.0 / 6_227_020_800.0,
    1.0 / 1_307_674_368_000.0,
    1.0 / 355_687_428_096_000.0,
];

/// M(h − t) − M(h + t) = 2t Σ μ₂ₙ₊₁(h) t²ⁿ/(2n+1)!, where μₙ = (−1)ⁿM⁽ⁿ⁾ > 0 satisfies
/// μₙ₊₂ = (n+1) μₙ − h μₙ₊₁, for t ≤ 0.3 and ht ≤ ½: truncation and the forward recursion then cost
/// less than one unit of rounding.
#[inline]
fn difference_series(h: f64, t: f64) -> f64 {
    let (p, q) = mills_fraction(h);
    let mut even = p / q;
    let mut odd = normal_loss(h);
    let terms = if t < SHORT_HALF_VOL { SHORT_TERMS } else { ODD_FACTORIALS.len() };
    let w = t * t;
    let mut power = 1.0;
    let mut sum = odd;
    let mut order = 1.0;
    for factor in &ODD_FACTORIALS[1..terms] {
        even = order * even - h * odd;
        odd = (order + 1.0) * odd - h * even;
        order += 2.0;
        power *= w;
        sum += odd * power * factor;
    }
    2.0 * t * sum
}

/// [`difference_series`] with a fixed number of terms, the short sum chosen where it would stop there.
#[inline(always)]
pub(super) fn difference_series_both(h: f64, t: f64) -> f64 {
    let (p, q) = mills_fraction(h);
    let mut even = p / q;
    let mut odd = normal_loss(h);
    let w = t * t;
    let mut power = 1.0;
    let mut sum = odd;
    let mut short = odd;
    let mut order = 1.0;
    // A counted loop, which the compiler unrolls; around an iterator it would not vectorise the caller.
    let mut n = 1;
    while n < ODD_FACTORIALS.len() {
        even = order * even - h * odd;
        odd = (order + 1.0) * odd - h * even;
        order += 2.0;
        power *= w;
        sum += odd * power * ODD_FACTORIALS[n];
        if n == SHORT_TERMS - 1 {
            short = sum;
        }
        n += 1;
    }
    2.0 * t * if t < SHORT_HALF_VOL { short } else { sum }
}

//! All strikes of one expiry from one set of characteristic-function values.
//!
//! **Formula.** With `x = ln(K/F)` and `X = ln(S_T/F)`, Lewis' single integral
//! (A. Lewis, "Option valuation under stochastic volatility", 2000, ch. 2, contour
//! `Im z = -1/2`) gives
//! `G(x) = e^{-x/2} E[min(e^X, e^x)] = (1/pi) int_0^inf Re[e^{-iux} phi(u - i/2)]/(u^2+1/4) du`.
//!
//! **Quadrature.** The trapezoidal rule of step `h = 2 pi/W` returns, by Poisson's
//! summation formula, `sum_m G(x + m W)` exactly. Far from the money `G(y)` is
//! `e^{-|y|/2}` up to an out-of-the-money option value, so the aliases are a geometric
//! series which is subtracted in closed form. What remains are two option values at
//! `x ± W`, bounded with the model's own moments (Lee 2004), also near explosion: `W`
//! is the smallest window whose bound meets the tolerance. The sum ends when the
//! characteristic function has decayed below the tolerance. Short and long expiries
//! therefore both take 20 to 200 nodes without tuning.
//!
//! **Limits.** The tolerance is absolute, relative to the forward; the value of a far
//! out-of-the-money option below about 1e-16 of the forward is rounding noise, clamped
//! to be non-negative. `T = 0` or vanishing total variance gives discounted intrinsic value.

use super::contour::half_weighted_price;
use super::contour_greeks::Slopes;
use super::exponent::{ExponentGradient, HalfShiftedExponent, PARAMETERS};
use super::{Bates, Heston, Market};
use crate::Right;
use crate::math::kernel;
use crate::model_error::{ModelError, finite, in_range, non_negative, positive};
use core::f64::consts::PI;

/// Log-moneyness `ln(K/F)` that a strip must cover.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StrikeRange {
    /// Smallest `ln(K/F)`.
    pub low: f64,
    /// Largest `ln(K/F)`.
    pub high: f64,
}

/// Accuracy asked of a strip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Accuracy {
    /// Absolute error of undiscounted prices as a fraction of the forward.
    pub tolerance: f64,
    /// Largest number of shared nodes; a slower decay sends prices to the tilted contour,
    /// one integral per strike.
    pub nodes_max: usize,
}

impl Default for Accuracy {
    /// 1e-14 of the forward with at most 8,192 nodes.
    fn default() -> Self {
        Self { tolerance: 1e-14, nodes_max: 8192 }
    }
}

/// Value and sensitivities of one option under Heston, per unit of the underlying.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HestonGreeks {
    /// Price.
    pub price: f64,
    /// `dP/dS` at fixed variance.
    pub delta: f64,
    /// `d2P/dS2` at fixed variance.
    pub gamma: f64,
    /// `dP/dt` per year of calendar time.
    pub theta: f64,
    /// `dP/dr` per 1.00.
    pub rho: f64,
    /// `dP` by v0, kappa, theta, sigma, rho (model parameters), per 1.00 of each.
    pub by_parameter: [f64; PARAMETERS],
}

/// Characteristic-function values of one model and expiry, ready for any strike in range.
#[derive(Debug, Clone)]
pub struct Strip {
    t: f64,
    range: StrikeRange,
    /// Node spacing `h`.
    step: f64,
    /// `e^{-W/2}/(1 - e^{-W/2})`.
    alias: f64,
    /// `phi_n / (u_n^2 + 1/4)`, the first node halved; real and imaginary parts.
    price_re: Vec<f64>,
    price_im: Vec<f64>,
    /// Coefficients of further quantities at the same nodes: see [`Strip::with_greeks`].
    extra: Vec<Channel>,
    /// The model when its integral is taken on the tilted contour instead.
    contour: Option<ContourModel>,
    tolerance: f64,
}

#[derive(Debug, Clone, Copy)]
enum ContourModel {
    Heston(Heston),
    Bates(Bates),
}

#[derive(Debug, Clone, Default)]
struct Channel {
    re: Vec<f64>,
    im: Vec<f64>,
}

/// Channels of [`Strip::with_greeks`]: d/dx, density, d/dT, then the parameters.
const CHANNELS: usize = 3 + PARAMETERS;
const FACTORS: [f64; 17] =
    [0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.5, 6.5, 9.5, 14.0, 21.0, 32.0, 64.0, 128.0, 512.0, 4096.0];

impl Strip {
    /// A strip for prices under Heston.
    ///
    /// # Errors
    /// [`ModelError`] for parameters out of range.
    pub fn heston(
        model: &Heston,
        t: f64,
        range: StrikeRange,
        accuracy: Accuracy,
    ) -> Result<Self, ModelError> {
        model.validate()?;
        let contour = ContourModel::Heston(*model);
        Self::build(model, contour, model.expected_total_variance(t), t, range, accuracy)
    }

    /// A strip for prices under Bates.
    ///
    /// # Errors
    /// As [`Strip::heston`].
    pub fn bates(model: &Bates, t: f64, range: StrikeRange, accuracy: Accuracy) -> Result<Self, ModelError> {
        model.validate()?;
        let jumps = model.intensity * (model.jump_mean * model.jump_mean + model.jump_vol * model.jump_vol);
        let total = model.heston.expected_total_variance(t) + jumps * t;
        Self::build(model, ContourModel::Bates(*model), total, t, range, accuracy)
    }

    /// A strip for prices and all of [`HestonGreeks`]; needs `sigma > 0`.
    ///
    /// # Errors
    /// As [`Strip::heston`].
    pub fn with_greeks(
        model: &Heston,
        t: f64,
        range: StrikeRange,
        accuracy: Accuracy,
    ) -> Result<Self, ModelError> {
        positive("Heston sigma", model.sigma)?;
        positive("T", t)?;
        let mut strip = Self::heston(model, t, range, accuracy)?;
        if strip.contour.is_some() {
            // Strike by strike, by differences: see `contour_greeks`.
            return Ok(strip);
        }
        let count = strip.price_re.len();
        strip.extra =
            vec![Channel { re: Vec::with_capacity(count), im: Vec::with_capacity(count) }; CHANNELS];
        for n in 0..count {
            let u = n as f64 * strip.step;
            let value = (strip.price_re[n], strip.price_im[n]);
            let (_, slope) = model.exponent_and_time_slope(u, t);
            let (_, gradient) = model.exponent_gradient(u, t);
            let mut push = |channel: usize, (re, im): (f64, f64)| {
                strip.extra[channel].re.push(re);
                strip.extra[channel].im.push(im);
            };
            let times = |z: (f64, f64)| (value.0 * z.0 - value.1 * z.1, value.0 * z.1 + value.1 * z.0);
            push(0, times((0.0, -u)));
            push(1, times((u * u + 0.25, 0.0)));
            push(2, times((slope.re, slope.im)));
            for (i, g) in gradient.iter().enumerate() {
                push(3 + i, times((g.re, g.im)));
            }
        }
        Ok(strip)
    }

    /// Only prices and derivatives by the model's parameters, for calibration.
    pub(crate) fn with_parameter_gradient<M: ExponentGradient<N>, const N: usize>(
        model: &M,
        t: f64,
        range: StrikeRange,
        accuracy: Accuracy,
    ) -> Result<Self, ModelError> {
        model.admit()?;
        let mut strip = Self::empty(model, t, range, accuracy)?;
        strip.extra = vec![Channel::default(); N];
        let mut gradients = Vec::new();
        strip.fill(accuracy, |u| {
            let (psi, gradient) = model.exponent_gradient(u, t);
            gradients.push(gradient);
            (psi.re, psi.im)
        })?;
        for (n, gradient) in gradients.iter().enumerate().take(strip.price_re.len()) {
            let (re, im) = (strip.price_re[n], strip.price_im[n]);
            for (channel, g) in strip.extra.iter_mut().zip(gradient) {
                channel.re.push(re * g.re - im * g.im);
                channel.im.push(re * g.im + im * g.re);
            }
        }
        Ok(strip)
    }

    fn build<M: HalfShiftedExponent>(
        model: &M,
        contour: ContourModel,
        total_variance: f64,
        t: f64,
        range: StrikeRange,
        accuracy: Accuracy,
    ) -> Result<Self, ModelError> {
        non_negative("T", t)?;
        finite("total variance", total_variance)?;
        let mut strip = Self::empty(model, t, range, accuracy)?;
        // Below this the smile is narrower than the tolerance: intrinsic value.
        if total_variance > accuracy.tolerance * accuracy.tolerance {
            match strip.fill(accuracy, |u| model.exponent(u, t)) {
                Ok(()) => {}
                Err(ModelError::NoConvergence { residual, .. }) if residual.is_finite() => {
                    strip.price_re.clear();
                    strip.price_im.clear();
                    strip.contour = Some(contour);
                    // One evaluation proves that the contour answers for this model.
                    strip.on_contour(&contour, range.low)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(strip)
    }

    fn empty<M: HalfShiftedExponent>(
        model: &M,
        t: f64,
        range: StrikeRange,
        accuracy: Accuracy,
    ) -> Result<Self, ModelError> {
        in_range("strip tolerance", accuracy.tolerance, "in [1e-16, 1)", |e| (1e-16..1.0).contains(&e))?;
        in_range("strip nodes", accuracy.nodes_max as f64, "at most 1,000,000", |n| n <= 1e6)?;
        finite("lowest log-moneyness", range.low)?;
        finite("highest log-moneyness", range.high)?;
        let window = window(model, t, range, accuracy.tolerance);
        let q = kernel::exp(-0.5 * window);
        Ok(Self {
            t,
            range,
            step: 2.0 * PI / window,
            alias: q / (1.0 - q),
            price_re: Vec::new(),
            price_im: Vec::new(),
            extra: Vec::new(),
            contour: None,
            tolerance: accuracy.tolerance,
        })
    }

    /// Adds nodes until the tail is below the tolerance.
    fn fill(&mut self, accuracy: Accuracy, mut psi: impl FnMut(f64) -> (f64, f64)) -> Result<(), ModelError> {
        // Prices are F e^{x/2} (h/pi) sum: the tail is judged at the largest strike.
        let scale = self.step / PI * libm::exp(0.5 * self.range.high.max(0.0));
        let mut last = f64::INFINITY;
        for n in 0..accuracy.nodes_max {
            let u = n as f64 * self.step;
            let (re, im) = psi(u);
            let weight = if n == 0 { 0.5 } else { 1.0 };
            let size = kernel::exp(re) * weight / (u * u + 0.25);
            let (sin, cos) = libm::sincos(im);
            if !size.is_finite() || !sin.is_finite() {
                return Err(ModelError::NoConvergence { what: "characteristic function", residual: size });
            }
            self.price_re.push(size * cos);
            self.price_im.push(size * sin);
            // Terms fall at least geometrically at the local ratio; 1/u^2 alone bounds the rest.
            let ratio = (size / last).min(1.0 - 1.0 / (n as f64 + 1.0));
            if n > 2 && scale * size / (1.0 - ratio) < accuracy.tolerance {
                return Ok(());
            }
            last = size;
        }
        Err(ModelError::NoConvergence { what: "Fourier integral of the strip", residual: scale * last })
    }

    fn on_contour(&self, contour: &ContourModel, x: f64) -> Result<f64, ModelError> {
        match contour {
            ContourModel::Heston(m) => half_weighted_price(m, x, self.t, self.tolerance),
            ContourModel::Bates(m) => half_weighted_price(m, x, self.t, self.tolerance),
        }
    }

    /// Number of shared characteristic-function values; 0 at intrinsic value and when the
    /// integrals are taken strike by strike.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.price_re.len()
    }

    /// Years to expiry.
    #[must_use]
    pub fn years(&self) -> f64 {
        self.t
    }

    /// `E[min(S_T, K)]/F` at `x = ln(K/F)`.
    fn covered(&self, x: f64) -> f64 {
        if let Some(contour) = &self.contour {
            let up = kernel::exp(x);
            // A strike whose integral fails shows as NaN, never as a plausible price.
            return self.on_contour(contour, x).map_or(f64::NAN, |g| (g * up.sqrt()).clamp(0.0, up.min(1.0)));
        }
        if self.price_re.is_empty() {
            return libm::exp(x).min(1.0);
        }
        let sum = fourier_sum(&self.price_re, &self.price_im, self.step * x) * self.step / PI;
        let (up, down) = (kernel::exp(x), 1.0);
        // e^{x/2} * 2 cosh(x/2) alias = (e^x + 1) alias
        (sum * up.sqrt() - (up + down) * self.alias).clamp(0.0, up.min(1.0))
    }

    fn moneyness(&self, market: &Market, strike: f64) -> Result<f64, ModelError> {
        positive("strike", strike)?;
        let x = finite("log-moneyness", kernel::ln(strike / market.forward(self.t)))?;
        let slack = 1e-9;
        in_range("log-moneyness", x, "inside the strip's range", |x| {
            x >= self.range.low - slack && x <= self.range.high + slack
        })
    }

    /// Price of a European option per unit of the underlying.
    ///
    /// # Errors
    /// [`ModelError`] when the strike lies outside the strip's range.
    pub fn price(&self, market: &Market, strike: f64, right: Right) -> Result<f64, ModelError> {
        let x = self.moneyness(market, strike)?;
        let present = market.discount(self.t);
        let covered = finite("covered price", self.covered(x))? * market.forward(self.t);
        Ok(match right {
            Right::Call => present * (market.forward(self.t) - covered),
            Right::Put => present * (strike - covered),
        })
    }

    /// Prices of many strikes at log-moneyness `ks = ln(K/F)`, undiscounted and per unit
    /// of the forward, written to `out`: calls where `k >= 0`, puts below.
    ///
    /// # Errors
    /// [`ModelError::LengthMismatch`] when the slices differ in length.
    pub fn out_of_the_money(&self, ks: &[f64], out: &mut [f64]) -> Result<(), ModelError> {
        crate::model_error::same_length("strikes and prices", ks.len(), out.len())?;
        for (&k, price) in ks.iter().zip(out) {
            *price = kernel::exp(k).min(1.0) - self.covered(k);
        }
        Ok(())
    }

    /// Derivatives of the undiscounted price per unit of the forward by the parameters
    /// (the same for calls and puts).
    pub(crate) fn parameter_gradient<const N: usize>(
        &self,
        x: f64,
        channels: core::ops::Range<usize>,
    ) -> [f64; N] {
        let scale = -kernel::exp(0.5 * x) * self.step / PI;
        let mut gradient = [0.0; N];
        for (g, channel) in gradient.iter_mut().zip(&self.extra[channels]) {
            *g = scale * fourier_sum(&channel.re, &channel.im, self.step * x);
        }
        gradient
    }

    /// Out-of-the-money value per unit of the forward at `x`.
    pub(crate) fn time_value(&self, x: f64) -> f64 {
        kernel::exp(x).min(1.0) - self.covered(x)
    }

    /// Price and sensitivities; the strip must come from [`Strip::with_greeks`].
    ///
    /// # Errors
    /// [`ModelError`] when the strike is out of range or the strip holds prices only.
    pub fn greeks(&self, market: &Market, strike: f64, right: Right) -> Result<HestonGreeks, ModelError> {
        if let Some(ContourModel::Heston(model)) = &self.contour {
            let x = self.moneyness(market, strike)?;
            let slopes = Slopes::on_contour(model, x, self.t, self.tolerance)?;
            return Ok(self.present(&slopes, market, strike, right));
        }
        if self.extra.len() != CHANNELS {
            return Err(ModelError::TooFew {
                what: "strip with Greeks",
                needed: CHANNELS,
                found: self.extra.len(),
            });
        }
        let x = self.moneyness(market, strike)?;
        let root = kernel::exp(0.5 * x);
        let sum = |i: usize| {
            root * self.step / PI * fourier_sum(&self.extra[i].re, &self.extra[i].im, self.step * x)
        };
        // m' of m = e^{x/2} G: half of m, plus e^{x/2} G', less the derivative of the alias.
        let raw = root * self.step / PI * fourier_sum(&self.price_re, &self.price_im, self.step * x);
        let slopes = Slopes {
            covered: self.covered(x),
            slope: 0.5 * raw + sum(0) - root * root * self.alias,
            density: sum(1),
            in_time: sum(2),
            by_parameter: self.parameter_gradient(x, 3..CHANNELS),
        };
        Ok(self.present(&slopes, market, strike, right))
    }

    /// Present values from the derivatives of the covered share.
    fn present(&self, slopes: &Slopes, market: &Market, strike: f64, right: Right) -> HestonGreeks {
        let Slopes { covered, slope, density, in_time, by_parameter } = *slopes;
        let (t, r, q, s) = (self.t, market.rate, market.dividend_yield, market.spot);
        let (present, carry) = (market.discount(t), libm::exp(-q * t));
        let call = carry * s * (1.0 - covered);
        let call_theta = q * call - carry * s * ((r - q) * slope - in_time);
        let call_rho = carry * s * t * slope;
        let by_parameter = by_parameter.map(|g| g * carry * s);
        let gamma = carry * density / s;
        match right {
            Right::Call => HestonGreeks {
                price: call,
                delta: carry * (1.0 - covered + slope),
                gamma,
                theta: call_theta,
                rho: call_rho,
                by_parameter,
            },
            Right::Put => HestonGreeks {
                price: present * strike - carry * s * covered,
                delta: carry * (slope - covered),
                gamma,
                theta: call_theta - q * carry * s + r * present * strike,
                rho: call_rho - t * present * strike,
                by_parameter,
            },
        }
    }
}

/// Smallest window `W` whose aliased option values are below `tolerance` of the forward.
///
/// A call at `y` is worth at most `E[(S/F)^{1+a}] e^{-a y}`, a put at most
/// `E[(S/F)^{-a}] e^{(1+a) y}`; both hold for every `a >= 0` and the best one is taken.
fn window<M: HalfShiftedExponent>(model: &M, t: f64, range: StrikeRange, tolerance: f64) -> f64 {
    let digits = -kernel::ln(tolerance);
    let mut best = (2.0 * digits, 2.0 * (digits + range.high.max(0.0)));
    let mut worse = (0, 0);
    for &a in &FACTORS {
        // Both bounds are quasi-convex in a: stop once they rise.
        if worse.0 < 2 {
            let call = (model.log_moment(1.0 + a, t) + digits - a * range.low) / (0.5 + a);
            if call < best.0 { best.0 = call } else { worse.0 += 1 }
        }
        if worse.1 < 2 {
            let put = (model.log_moment(-a, t) + digits + (1.0 + a) * range.high) / (0.5 + a);
            if put < best.1 { best.1 = put } else { worse.1 += 1 }
        }
    }
    // The strikes themselves must lie well inside the window.
    best.0.max(best.1).max(range.high - range.low).max(2.0 * range.high.abs().max(range.low.abs())).max(1e-6)
}

/// `sum_n re_n cos(n theta) + im_n sin(n theta)`.
///
/// Four interleaved rotations by `4 theta` keep the multiply chain short; each is
/// exact to about `n` roundings.
fn fourier_sum(re: &[f64], im: &[f64], theta: f64) -> f64 {
    let mut cos = [0.0; 4];
    let mut sin = [0.0; 4];
    let (s1, c1) = libm::sincos(theta);
    (cos[0], sin[0]) = (1.0, 0.0);
    for lane in 1..4 {
        cos[lane] = cos[lane - 1] * c1 - sin[lane - 1] * s1;
        sin[lane] = sin[lane - 1] * c1 + cos[lane - 1] * s1;
    }
    let (c4, s4) = (cos[3] * c1 - sin[3] * s1, sin[3] * c1 + cos[3] * s1);
    let mut sums = [0.0; 4];
    let (re4, re_rest) = re.as_chunks::<4>();
    let (im4, im_rest) = im.as_chunks::<4>();
    for (a, b) in re4.iter().zip(im4) {
        for lane in 0..4 {
            sums[lane] += a[lane] * cos[lane] + b[lane] * sin[lane];
            let next = cos[lane] * c4 - sin[lane] * s4;
            sin[lane] = sin[lane] * c4 + cos[lane] * s4;
            cos[lane] = next;
        }
    }
    for (lane, (a, b)) in re_rest.iter().zip(im_rest).enumerate() {
        sums[lane] += a * cos[lane] + b * sin[lane];
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3])
}

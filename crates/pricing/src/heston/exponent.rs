//! Characteristic exponents of the log-return on the half-shifted contour.
//!
//! With `X = ln(S_T/F)` the pricing integral (see [`super::strip`]) needs
//! `psi(u) = ln E[exp(i (u - i/2) X)]` for real `u`. On this contour
//! `i z + z^2 = u^2 + 1/4` is real, which makes Heston's exponent cheap and stable.

use super::{Bates, Heston};
use crate::math::kernel;
use crate::model_error::ModelError;
use crate::numeric::complex::Complex;

/// Number of Heston parameters: v0, kappa, theta, sigma, rho.
pub const PARAMETERS: usize = 5;
/// Number of Bates parameters: Heston's, then intensity, jump mean, jump volatility.
pub const BATES_PARAMETERS: usize = PARAMETERS + 3;

/// A model whose exponent has derivatives by its `N` parameters.
pub(crate) trait ExponentGradient<const N: usize>: HalfShiftedExponent {
    /// Whether the parameters are admissible.
    fn admit(&self) -> Result<(), ModelError>;

    /// `psi(u)` and its derivatives.
    fn exponent_gradient(&self, u: f64, t: f64) -> (Complex, [Complex; N]);
}

/// A model given by the characteristic function of `ln(S_T/F)`.
pub trait HalfShiftedExponent {
    /// `(Re, Im)` of `psi(u) = ln E[exp(i (u - i/2) X)]`.
    fn exponent(&self, u: f64, t: f64) -> (f64, f64);

    /// `ln E[(S_T/F)^p]`, `+inf` when the moment does not exist.
    fn log_moment(&self, p: f64, t: f64) -> f64;

    /// `(Re, Im)` of `psi` continued to the complex frequency `re + i im`, `re > 0`.
    fn exponent_off_axis(&self, re: f64, im: f64, t: f64) -> (f64, f64);

    /// Real and imaginary part `(a, b)` of the exponent's rate at infinity,
    /// `psi(w) ~ -w (a + i b)`.
    fn asymptotic_rate(&self, t: f64) -> (f64, f64);
}

/// The pieces of Heston's exponent at one frequency.
struct Pieces {
    beta: Complex,
    d: Complex,
    decay: Complex,
    gap: Complex,
    q: Complex,
    sum: Complex,
    log: Complex,
    level: f64,
}

impl Heston {
    fn pieces(&self, u: f64, t: f64) -> Pieces {
        let level = u * u + 0.25;
        let tilt = self.rho * self.sigma;
        let beta = Complex::new(self.kappa - 0.5 * tilt, -tilt * u);
        let variance = self.sigma * self.sigma;
        let square = beta * beta;
        let d = Complex::new(square.re + variance * level, square.im).sqrt();
        let (decay, minus_gap) = d.scale(-t).exp_and_expm1();
        let gap = -minus_gap;
        let q = d + d * decay + beta * gap;
        let sum = beta + d;
        // ln(Q/(2d)) with Q/(2d) - 1 = -sigma^2 (u^2+1/4)(1-e)/(2d(beta+d)): this form keeps
        // the digits for small sigma and stays on the principal branch (Albrecher et al. 2007).
        let log = (gap / (d * sum)).scale(-0.5 * variance * level).ln_1p();
        Pieces { beta, d, decay, gap, q, sum, log, level }
    }

    /// `C` without its factor `kappa theta`, and `D`, of `psi = C + D v0`.
    fn parts(&self, p: &Pieces, t: f64) -> (Complex, Complex) {
        let variance = self.sigma * self.sigma;
        let loading = (p.gap / p.q).scale(-p.level);
        // As sigma -> 0 the logarithm's quotient tends to -(u^2+1/4)(1-e)/(d (beta+d)).
        let log = if variance > 0.0 {
            p.log.scale(2.0 / variance)
        } else {
            (p.gap / (p.d * p.sum)).scale(-p.level)
        };
        let drift = p.sum.inverse().scale(-p.level * t) - log;
        (drift, loading)
    }

    /// `psi(u)` and `d psi/dT` from the Riccati equations
    /// `D' = sigma^2 D^2/2 - beta D - (u^2+1/4)/2`, `C' = kappa theta D`.
    pub(crate) fn exponent_and_time_slope(&self, u: f64, t: f64) -> (Complex, Complex) {
        let p = self.pieces(u, t);
        let (drift, loading) = self.parts(&p, t);
        let pull = self.kappa * self.theta;
        let riccati = (loading * loading).scale(0.5 * self.sigma * self.sigma)
            - p.beta * loading
            - Complex::new(0.5 * p.level, 0.0);
        (drift.scale(pull) + loading.scale(self.v0), loading.scale(pull) + riccati.scale(self.v0))
    }
}

impl ExponentGradient<PARAMETERS> for Heston {
    fn admit(&self) -> Result<(), ModelError> {
        self.validate()
    }

    /// `psi(u)` and its derivatives in (v0, kappa, theta, sigma, rho).
    fn exponent_gradient(&self, u: f64, t: f64) -> (Complex, [Complex; PARAMETERS]) {
        let p = self.pieces(u, t);
        let (drift, loading) = self.parts(&p, t);
        let (variance, pull) = (self.sigma * self.sigma, self.kappa * self.theta);
        let shift = Complex::new(0.5, u);
        let one = Complex::new(1.0, 0.0);
        let inverse = (p.q.inverse(), p.d.inverse(), (p.sum * p.sum).inverse());
        // d psi/dx from d beta/dx and the explicit dependence of d^2 on sigma.
        let chain = |d_beta: Complex, d_square: f64, explicit_log: f64| {
            let d_d = (p.beta * d_beta + Complex::new(d_square, 0.0)) * inverse.1;
            let d_gap = (p.decay * d_d).scale(t);
            let d_q = d_d * (one + p.decay) - p.d * d_gap + d_beta * p.gap + p.beta * d_gap;
            let d_loading = d_gap.scale(-p.level) * inverse.0 - loading * d_q * inverse.0;
            let d_log = d_q * inverse.0 - d_d * inverse.1;
            let d_drift = ((d_beta + d_d) * inverse.2).scale(p.level * t) - d_log.scale(2.0 / variance)
                + p.log.scale(explicit_log);
            d_drift.scale(pull) + d_loading.scale(self.v0)
        };
        let by_kappa = chain(one, 0.0, 0.0) + drift.scale(self.theta);
        let by_sigma = chain(shift.scale(-self.rho), self.sigma * p.level, 4.0 / (variance * self.sigma));
        let by_rho = chain(shift.scale(-self.sigma), 0.0, 0.0);
        let value = drift.scale(pull) + loading.scale(self.v0);
        (value, [loading, by_kappa, drift.scale(self.kappa), by_sigma, by_rho])
    }
}

impl ExponentGradient<BATES_PARAMETERS> for Bates {
    fn admit(&self) -> Result<(), ModelError> {
        self.validate()
    }

    fn exponent_gradient(&self, u: f64, t: f64) -> (Complex, [Complex; BATES_PARAMETERS]) {
        let (psi, [v0, kappa, theta, sigma, rho]) = self.heston.exponent_gradient(u, t);
        let s = Complex::new(0.5, u);
        let half_variance = 0.5 * self.jump_vol * self.jump_vol;
        let (size, kick) = (s.scale(self.jump_mean) + (s * s).scale(half_variance)).exp_and_expm1();
        let compensator = libm::expm1(self.jump_mean + half_variance);
        let mean = Complex::new(1.0 + compensator, 0.0);
        let rate = kick - s.scale(compensator);
        // E[e^{sJ}] = e^{s mu + s^2 delta^2/2}, and the same at s = 1 in the compensator.
        let by_mean = s * (size - mean);
        let by_vol = s * (s * size - mean).scale(self.jump_vol);
        let jumps = [rate.scale(t), by_mean.scale(self.intensity * t), by_vol.scale(self.intensity * t)];
        let [intensity, jump_mean, jump_vol] = jumps;
        (psi + rate.scale(self.intensity * t), [v0, kappa, theta, sigma, rho, intensity, jump_mean, jump_vol])
    }
}

impl HalfShiftedExponent for Heston {
    fn exponent(&self, u: f64, t: f64) -> (f64, f64) {
        let p = self.pieces(u, t);
        let (drift, loading) = self.parts(&p, t);
        let psi = drift.scale(self.kappa * self.theta) + loading.scale(self.v0);
        (psi.re, psi.im)
    }

    fn exponent_off_axis(&self, re: f64, im: f64, t: f64) -> (f64, f64) {
        let (one, w) = (Complex::new(1.0, 0.0), Complex::new(re, im));
        let level = w * w + Complex::new(0.25, 0.0);
        let tilt = self.rho * self.sigma;
        // -i rho sigma w
        let beta = Complex::new(self.kappa - 0.5 * tilt + tilt * im, -tilt * re);
        let variance = self.sigma * self.sigma;
        let d = (beta * beta + level.scale(variance)).sqrt();
        let (decay, minus_gap) = d.scale(-t).exp_and_expm1();
        let gap = -minus_gap;
        let (q, sum) = (d * (one + decay) + beta * gap, beta + d);
        let small = level * gap / (d * sum);
        let log =
            if variance > 0.0 { small.scale(-0.5 * variance).ln_1p().scale(2.0 / variance) } else { -small };
        let drift = -(level.scale(t) / sum) - log;
        let psi = drift.scale(self.kappa * self.theta) - (level * gap / q).scale(self.v0);
        (psi.re, psi.im)
    }

    fn asymptotic_rate(&self, t: f64) -> (f64, f64) {
        let total = (self.v0 + self.kappa * self.theta * t) / self.sigma;
        (total * ((1.0 - self.rho) * (1.0 + self.rho)).sqrt(), total * self.rho)
    }

    /// Real moments with their explosion times: Andersen & Piterbarg, "Moment explosions
    /// in stochastic volatility models", Finance and Stochastics 11 (2007), prop. 3.1.
    fn log_moment(&self, p: f64, t: f64) -> f64 {
        let level = p - p * p;
        let variance = self.sigma * self.sigma;
        let beta = self.kappa - self.rho * self.sigma * p;
        let square = beta * beta + variance * level;
        let half = 0.5 * t;
        // Hyperbolic functions of d T/2; below zero d is imaginary and they turn circular.
        let (sinh_over_d, cosh, log_scale) = if square >= 0.0 {
            let d = square.sqrt();
            let e = kernel::exp(-d * t);
            let sinh = if d * t > 1e-8 { 0.5 * (1.0 - e) / d } else { half };
            (sinh, 0.5 * (1.0 + e), d * half)
        } else {
            let eta = (-square).sqrt();
            if eta * half >= libm::atan2(eta, -beta) {
                return f64::INFINITY;
            }
            let (sin, cos) = libm::sincos(eta * half);
            (sin / eta, cos, 0.0)
        };
        let q = cosh + beta * sinh_over_d;
        if !crate::model_error::is_positive(q) {
            return f64::INFINITY;
        }
        let loading = -level * sinh_over_d / q;
        let drift = if variance > 1e-8 {
            (beta * t - 2.0 * (kernel::ln(q) + log_scale)) / variance
        } else {
            // sigma -> 0: integral of the loading of a deterministic variance.
            let waiting = if beta * t > 1e-6 { (t + libm::expm1(-beta * t) / beta) / beta } else { t * half };
            -0.5 * level * waiting
        };
        self.kappa * self.theta * drift + self.v0 * loading
    }
}

impl HalfShiftedExponent for Bates {
    fn exponent_off_axis(&self, re: f64, im: f64, t: f64) -> (f64, f64) {
        let (psi_re, psi_im) = self.heston.exponent_off_axis(re, im, t);
        let jump = self.jump_exponent(Complex::new(0.5 - im, re)).scale(t);
        (psi_re + jump.re, psi_im + jump.im)
    }

    fn asymptotic_rate(&self, t: f64) -> (f64, f64) {
        let (fall, phase) = self.heston.asymptotic_rate(t);
        let compensator = libm::expm1(self.jump_mean + 0.5 * self.jump_vol * self.jump_vol);
        (fall, phase + self.intensity * compensator * t)
    }

    fn exponent(&self, u: f64, t: f64) -> (f64, f64) {
        let (re, im) = self.heston.exponent(u, t);
        let jump = self.jump_exponent(Complex::new(0.5, u)).scale(t);
        (re + jump.re, im + jump.im)
    }

    fn log_moment(&self, p: f64, t: f64) -> f64 {
        self.heston.log_moment(p, t) + t * self.jump_exponent(Complex::new(p, 0.0)).re
    }
}

impl Bates {
    /// `lambda (E[e^{s J}] - 1 - s (E[e^J] - 1))` for normal log-jumps `J`.
    fn jump_exponent(&self, s: Complex) -> Complex {
        let half_variance = 0.5 * self.jump_vol * self.jump_vol;
        let (_, kick) = (s.scale(self.jump_mean) + (s * s).scale(half_variance)).exp_and_expm1();
        let compensator = libm::expm1(self.jump_mean + half_variance);
        (kick - s.scale(compensator)).scale(self.intensity)
    }
}

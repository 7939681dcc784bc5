//! The law of motion: forward variance with several time scales and a jumping spot.
//!
//! Forward variance follows a lognormal multi-factor model (Bergomi, *Smile Dynamics II*, 2005) whose
//! kernel approximates the power law τ^−½ of rough volatility (Bayer, Friz and Gatheral, 2016) by a sum
//! of exponentials with rates ¼, 1, … 4096 per business year:
//!
//! ```text
//! ξ_t(t+τ) = ξ0 · exp(Σ c_j e^{−κ_j τ} Y_j − ½ Var),   dY_j = −κ_j Y_j dt + dZ,   d⟨Z, W⟩ = ρ dt
//! d ln S   = (carry − ½ v) dt + √v dW + jumps,          v = ξ_t(t) / (1 + premium)²
//! ```
//!
//! With Σ c_j e^{−κ_j τ} ≈ A τ^−½ the at-the-money volatility of tenor T moves by A ρ T^−½ per unit of
//! log return, the same decay as the smile's slope, so the ratio of the two (the skew stickiness ratio)
//! is one number for every tenor; A is derived from it. Implied variance exceeds what the spot realises
//! by the stated premium.
//!
//! On top, realised variance carries lognormal bursts of activity of mean one that fade within minutes
//! (clustering of one-minute returns); implied variance does not know them.
//!
//! Limits: one fund, no interest-rate risk; the smile is the surface's own and is not recalibrated to
//! this dynamics; jumps are symmetric in log terms apart from a small negative mean.

use super::random::{Purpose, Stream};

/// A month in business years.
const MONTH: f64 = 21.0 / 252.0;
/// Number of variance factors.
pub(super) const FACTORS: usize = 8;
/// Correlation of returns and variance.
const RHO: f64 = -0.7;
/// Jumps a business year and their size in daily standard deviations (mean, deviation).
const JUMPS_PER_YEAR: f64 = 0.4 * 252.0;
const JUMP_SIZE: (f64, f64) = (-0.10, 0.30);
/// Mean reversion a business year and volatility of the logarithm of the skew factor.
const SKEW_REVERSION: f64 = 60.0;
const SKEW_DEVIATION: f64 = 0.10;

/// Short-lived bursts of activity in what the spot realises, too brief to be priced: reversion per
/// business year (half-lives of about 8 and 2 minutes) and deviation of the log variance.
const ACTIVITY_RATES: [f64; 2] = [9_000.0, 40_000.0];
const ACTIVITY_DEVIATION: f64 = 0.66;

/// Constants of the law of motion.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ModelParameters {
    /// Long-run implied volatility per 1.00 (root mean square).
    pub base_vol: f64,
    /// Implied over realised volatility, minus one.
    pub variance_premium: f64,
    /// Skew stickiness ratio: move of at-the-money volatility per move along the smile's slope.
    pub skew_stickiness: f64,
    /// Correlation parameter of the smile.
    pub smile_rho: f64,
    /// Curvature parameter of the smile: φ(θ) = η θ^−½.
    pub smile_eta: f64,
    /// Continuously compounded interest rate.
    pub rate: f64,
}

impl Default for ModelParameters {
    fn default() -> ModelParameters {
        ModelParameters {
            base_vol: 0.22,
            variance_premium: 0.26,
            skew_stickiness: 1.55,
            smile_rho: -0.48,
            smile_eta: 0.72,
            rate: 0.043,
        }
    }
}

/// State of the market that everything is quoted from.
#[derive(Debug, Clone)]
pub(super) struct Model {
    pub(super) parameters: ModelParameters,
    /// Logarithm of the spot.
    pub(super) ln_spot: f64,
    factors: [f64; FACTORS],
    skew: f64,
    activity: [f64; 2],
    weights: [f64; FACTORS],
}

const RATES: [f64; FACTORS] = [0.25, 1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0];

/// The random streams that drive a model.
#[derive(Debug, Clone)]
pub(super) struct Drivers {
    pub(super) spot: Stream,
    pub(super) variance: Stream,
    pub(super) jumps: Stream,
    pub(super) skew: Stream,
}

impl Drivers {
    /// Streams of the live days.
    pub(super) fn live(seed: u64) -> Drivers {
        Drivers {
            spot: Stream::new(seed, Purpose::Path),
            variance: Stream::new(seed, Purpose::Variance),
            jumps: Stream::new(seed, Purpose::Jumps),
            skew: Stream::new(seed, Purpose::Skew),
        }
    }
}

impl Model {
    /// A model in a stationary state drawn from a stream.
    pub(super) fn stationary(parameters: ModelParameters, ln_spot: f64, stream: &mut Stream) -> Model {
        let realised = 1.0 / (1.0 + parameters.variance_premium);
        let slope = parameters.smile_rho * parameters.smile_eta;
        let amplitude = parameters.skew_stickiness * slope * 0.5 / RHO * realised;
        // τ^−½ = π^−½ ∫ x^−½ e^{−xτ} dx, on a grid of ratio 4.
        let cell = core::f64::consts::LN_2 * 2.0 / core::f64::consts::PI.sqrt();
        let weights = RATES.map(|rate| amplitude * cell * rate.sqrt());
        let factors = RATES.map(|rate| stream.normal() * (0.5 / rate).sqrt());
        Model { parameters, ln_spot, factors, skew: 0.0, activity: [0.0; 2], weights }
    }

    /// Spot price.
    pub(super) fn spot(&self) -> f64 {
        libm::exp(self.ln_spot)
    }

    /// Curvature of the smile at this moment.
    pub(super) fn eta(&self) -> f64 {
        self.parameters.smile_eta * libm::exp(self.skew)
    }

    /// Implied forward variance per business year, `tau` business years ahead.
    pub(super) fn forward_variance(&self, tau: f64) -> f64 {
        // e^{−4x} is the fourth power of e^{−x}: one exponential serves every rate.
        let mut decay = [0.0; FACTORS];
        let mut power = libm::exp(-RATES[0] * tau);
        for value in &mut decay {
            *value = power;
            power = power * power;
            power = power * power;
        }
        let (mut exponent, mut compensation) = (0.0, 0.0);
        for i in 0..FACTORS {
            let left = self.weights[i] * decay[i];
            exponent += left * self.factors[i];
            for j in 0..FACTORS {
                compensation += left * self.weights[j] * decay[j] / (RATES[i] + RATES[j]);
            }
        }
        self.parameters.base_vol * self.parameters.base_vol * libm::exp(exponent - 0.5 * compensation)
    }

    /// Factor of the moment's activity on realised variance; its mean is 1.
    pub(super) fn activity(&self) -> f64 {
        let exponent: f64 = self.activity.iter().sum();
        libm::exp(exponent - 0.5 * 2.0 * ACTIVITY_DEVIATION * ACTIVITY_DEVIATION)
    }

    /// Variance per business year that the spot realises on average, jumps included.
    pub(super) fn spot_variance(&self) -> f64 {
        let gross = 1.0 + self.parameters.variance_premium;
        self.forward_variance(0.0) / (gross * gross)
    }

    /// Diffusive part of [`Model::spot_variance`] at the moment's activity.
    pub(super) fn diffusive_variance(&self) -> f64 {
        let jump_share = JUMPS_PER_YEAR / 252.0 * (JUMP_SIZE.0 * JUMP_SIZE.0 + JUMP_SIZE.1 * JUMP_SIZE.1);
        self.spot_variance() * (1.0 - jump_share) * self.activity()
    }

    /// Moves the spot by a diffusion over `tau` business years, `years` calendar years of carry and a
    /// normal draw; `variance` is the variance rate held over the step.
    pub(super) fn diffuse(&mut self, variance: f64, tau: f64, years: f64, normal: f64) {
        self.ln_spot +=
            self.parameters.rate * years - 0.5 * variance * tau + (variance * tau).sqrt() * normal;
    }

    /// Factor on moves of variance: volatility of the moment over that of a month. With it the month's
    /// volatility answers to a return of a given size alike in calm and in wild hours.
    fn nervousness(&self) -> f64 {
        (self.forward_variance(0.0) / self.forward_variance(MONTH)).sqrt().clamp(0.6, 1.35)
    }

    /// Moves the variance factors over `tau` business years in which the spot's normalised increment
    /// was `spot_increment` (its diffusive return over its average volatility).
    pub(super) fn revert(&mut self, tau: f64, spot_increment: f64, drivers: &mut Drivers) {
        let independent = (1.0 - RHO * RHO).sqrt() * tau.sqrt() * drivers.variance.normal();
        let increment = (RHO * spot_increment + independent) * self.nervousness();
        for (factor, rate) in self.factors.iter_mut().zip(RATES) {
            *factor = *factor * libm::exp(-rate * tau) + increment;
        }
        for (state, rate) in self.activity.iter_mut().zip(ACTIVITY_RATES) {
            let keep = libm::exp(-rate * tau);
            let draw = drivers.variance.normal();
            *state = *state * keep + ACTIVITY_DEVIATION * (1.0 - keep * keep).sqrt() * draw;
        }
        let keep = libm::exp(-SKEW_REVERSION * tau);
        self.skew = self.skew * keep + SKEW_DEVIATION * (1.0 - keep * keep).sqrt() * drivers.skew.normal();
    }

    /// Draws the jump of a step, if one falls into it, applies it and returns its log size.
    pub(super) fn jump(&mut self, tau: f64, drivers: &mut Drivers) -> Option<f64> {
        let daily = (self.spot_variance() / 252.0).sqrt();
        let compensation =
            JUMPS_PER_YEAR * tau * (JUMP_SIZE.0 * daily + 0.5 * JUMP_SIZE.1 * JUMP_SIZE.1 * daily * daily);
        self.ln_spot -= compensation;
        if !drivers.jumps.chance(JUMPS_PER_YEAR * tau) {
            return None;
        }
        let size = daily * (JUMP_SIZE.0 + JUMP_SIZE.1 * drivers.jumps.normal());
        self.ln_spot += size;
        // A jump of the spot moves variance as a Brownian return of the same size would.
        let shock = RHO * size / self.spot_variance().sqrt() * self.nervousness();
        for factor in &mut self.factors {
            *factor += shock;
        }
        Some(size)
    }

    /// A shock to the spot and, through the leverage effect, to variance (scenarios).
    pub(super) fn shock(&mut self, log_return: f64, variance_units: f64) {
        self.ln_spot += log_return;
        for factor in &mut self.factors {
            *factor += variance_units;
        }
    }
}

/// Advances a model by one coarse step: spot, variance and a possible jump. Used for nights and history.
pub(super) fn coarse_step(model: &mut Model, tau: f64, years: f64, drivers: &mut Drivers) {
    let normal = drivers.spot.normal();
    let (variance, activity) = (model.diffusive_variance(), model.activity());
    model.diffuse(variance, tau, years, normal);
    model.revert(tau, normal * (tau * activity).sqrt(), drivers);
    model.jump(tau, drivers);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_close_to_the_power_law() {
        let model = Model::stationary(ModelParameters::default(), 0.0, &mut Stream::new(1, Purpose::History));
        let kernel = |tau: f64| {
            model.weights.iter().zip(RATES).map(|(c, rate)| c * libm::exp(-rate * tau)).sum::<f64>()
        };
        let reference = kernel(0.02) * 0.02f64.sqrt();
        for tau in [0.001, 0.004, 0.03, 0.1] {
            let ratio = kernel(tau) * tau.sqrt() / reference;
            assert!((ratio - 1.0).abs() < 0.12, "{tau}: {ratio}");
        }
    }

    #[test]
    fn forward_variance_has_its_stated_mean() {
        let (mut mean, draws) = (0.0, 4_000);
        let mut stream = Stream::new(3, Purpose::History);
        let parameters = ModelParameters::default();
        // Independent stationary factors have less variance than factors with one driver, hence the drift
        // to the joint law before measuring.
        let mut drivers = Drivers::live(3);
        for _ in 0..draws {
            let mut model = Model::stationary(parameters, 0.0, &mut stream);
            for _ in 0..12 {
                coarse_step(&mut model, 1.0 / 252.0, 0.0, &mut drivers);
            }
            mean += model.forward_variance(0.08) / f64::from(draws);
        }
        assert!((mean.sqrt() / parameters.base_vol - 1.0).abs() < 0.06, "{}", mean.sqrt());
    }
}

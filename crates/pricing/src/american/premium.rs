//! The early-exercise premium of a put, given its boundary, and its derivatives in spot.
use super::boundary::{Put, Workspace, lanes};
use super::tables::{LANES, Tables};
use crate::math::kernel::{exp, normal_pair};
use crate::math::normal::FRAC_1_SQRT_2PI;
use crate::simd::{Kernel, dispatch};

/// Value of early exercise, with its first two derivatives in spot.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Premium {
    pub(super) value: f64,
    pub(super) delta: f64,
    pub(super) gamma: f64,
}

/// ∫₀ᵀ [r K e^{−ru} N(−d₂(u, S/B(T−u))) − q S e^{−qu} N(−d₁(u, S/B(T−u)))] du for spot above the boundary.
pub(super) fn premium(
    workspace: &Workspace,
    tables: &Tables,
    put: &Put,
    spot: f64,
    log_spot: f64,
) -> Premium {
    let mut out = Premium::default();
    dispatch(Integral { workspace, tables, put, spot, log_spot, out: &mut out });
    out
}

struct Integral<'a> {
    workspace: &'a Workspace,
    tables: &'a Tables,
    put: &'a Put,
    spot: f64,
    log_spot: f64,
    out: &'a mut Premium,
}

impl Kernel for Integral<'_> {
    #[inline(always)]
    fn run(self) {
        let Integral { workspace, tables, put, spot, log_spot, out } = self;
        let Put { strike, years, rate, dividend_yield, vol } = *put;
        let root_years = years.sqrt();
        let log_ratio = log_spot - workspace.log_limit();
        let (mut value, mut delta, mut gamma) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
        for at in (0..tables.price_sines.len()).step_by(LANES) {
            let y = workspace.price_boundary(tables, at);
            let sines = lanes(&tables.price_sines, at);
            let weights = lanes(&tables.price_weights, at);
            for lane in 0..LANES {
                let sine = sines[lane];
                let lag = years * sine * sine;
                let v = vol * root_years * sine;
                let inverse = 1.0 / v;
                let centre = (log_ratio + y[lane] + (rate - dividend_yield) * lag) * inverse;
                let (d1, d2) = (centre + 0.5 * v, centre - 0.5 * v);
                let normal = normal_pair(-d1, -d2);
                let measure = weights[lane] * sine * years;
                let interest = measure * rate * strike * exp(-rate * lag);
                let yields = measure * dividend_yield * exp(-dividend_yield * lag);
                let phi1 = yields * (FRAC_1_SQRT_2PI * normal.bell1) * inverse;
                let phi2 = interest * (FRAC_1_SQRT_2PI * normal.bell2) * inverse;
                value[lane] += interest * normal.n2 - yields * spot * normal.n1;
                delta[lane] += phi1 - yields * normal.n1 - phi2 / spot;
                gamma[lane] += (phi2 * (1.0 + d2 * inverse) / spot + phi1 * (1.0 - d1 * inverse)) / spot;
            }
        }
        *out = Premium { value: value.iter().sum(), delta: delta.iter().sum(), gamma: gamma.iter().sum() };
    }
}

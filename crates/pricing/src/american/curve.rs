//! The early-exercise premium as a function of the spot, fitted once for a set of terms.
//!
//! The exercise boundary does not depend on the spot, so one solution of it gives the premium at every
//! spot; what a tick of the underlying then needs is a polynomial. In units of the put's strike the
//! premium is a function of u = ln(spot/strike) alone (for a call, of ln(strike/spot), by McDonald &
//! Schroder's exchange). It is smooth on the holding side of the boundary and dies out like a normal tail,
//! so a few Chebyshev panels from the boundary outwards hold it, its vega and its rho.
use super::boundary::{Put, Workspace};
use super::premium::premium;
use super::pricer::{Case, Pricer, case, put_terms};
use crate::Right;
use crate::bsm::BsmInputs;
use std::sync::OnceLock;

/// Coefficients of a panel's polynomial.
const TERMS: usize = 12;
/// Ends of the panels in shares of the reach.
const ENDS: [f64; 6] = [0.0, 0.04, 0.13, 0.30, 0.56, 1.0];
const PANELS: usize = ENDS.len() - 1;
/// The premium is left out where it is farther from the boundary than this many standard deviations and
/// the drift together: there it is below 1e-11 of the strike.
const REACH: f64 = 7.0;

/// How a series' early exercise is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Early {
    /// No price yet, or never exercised early.
    Never,
    /// By the fitted premium.
    Fitted,
    /// By the full calculation at each mark: two boundaries, or hardly any volatility.
    Full,
}

/// Premium and its sensitivities at one spot, present values.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CurvePoint {
    pub(crate) value: f64,
    pub(crate) delta: f64,
    pub(crate) gamma: f64,
    pub(crate) vega: f64,
    pub(crate) rho: f64,
}

/// The fitted premium of one series.
#[derive(Clone)]
pub(crate) struct PremiumCurve {
    pub(crate) early: Early,
    /// u of the boundary: exercised at or below.
    edge: f64,
    reach: f64,
    /// Value, vega and rho per panel.
    panels: [[[f64; TERMS]; 3]; PANELS],
}

impl Default for PremiumCurve {
    fn default() -> Self {
        Self { early: Early::Never, edge: f64::NEG_INFINITY, reach: 0.0, panels: [[[0.0; TERMS]; 3]; PANELS] }
    }
}

impl PremiumCurve {
    /// Fits the premium of `inputs` (whose spot does not matter). Five boundaries are solved: the terms'
    /// own and those a step up and down in volatility and rate.
    pub(crate) fn fit(&mut self, pricer: &mut Pricer, inputs: &BsmInputs, right: Right) {
        let unit = BsmInputs { spot: inputs.strike, ..*inputs };
        self.early = match case(&unit, right) {
            Case::Invalid | Case::European => Early::Never,
            Case::OneBoundary => Early::Fitted,
            Case::Certain(..) | Case::TwoBoundaries => Early::Full,
        };
        if self.early != Early::Fitted {
            return;
        }
        let BsmInputs { rate, dividend_yield, years, vol, .. } = unit;
        let deviation = vol * years.sqrt();
        self.reach = REACH * deviation + ((rate - dividend_yield) * years).abs();
        let (vol_step, rate_step) = Pricer::difference_steps(vol);
        // Terms, the component they add to, and the weight there.
        let terms = [
            (unit, 0, 1.0),
            (BsmInputs { vol: vol + vol_step, ..unit }, 1, 0.5 / vol_step),
            (BsmInputs { vol: vol - vol_step, ..unit }, 1, -0.5 / vol_step),
            (BsmInputs { rate: rate + rate_step, ..unit }, 2, 0.5 / rate_step),
            (BsmInputs { rate: rate - rate_step, ..unit }, 2, -0.5 / rate_step),
        ];
        // Where a rate steps out of the regime the difference is one-sided.
        let is_inside = terms.map(|(inputs, ..)| matches!(case(&inputs, right), Case::OneBoundary));
        let mut values = [[[0.0; TERMS]; 3]; PANELS];
        for (i, (inputs, component, weight)) in terms.iter().enumerate() {
            let twin = if i == 0 { 0 } else { (i - 1) ^ 1 };
            let twin_inside = i == 0 || is_inside[twin + 1];
            if !is_inside[i] {
                continue;
            }
            let put = unit_put(inputs, right);
            pricer.solve(&put);
            if i == 0 {
                if !pricer.is_solved(&put) {
                    self.early = Early::Full;
                    return;
                }
                self.edge = pricer.workspace().log_boundary();
            }
            let weight = if twin_inside { *weight } else { 2.0 * weight };
            for (panel, values) in values.iter_mut().enumerate() {
                for (k, value) in values[*component].iter_mut().enumerate() {
                    let u = self.edge + self.reach * (middle(panel) + half(panel) * chebyshev_point(k));
                    *value += weight * pricer.premium_at(&put, u);
                }
            }
            if i > 0 && !twin_inside {
                self.subtract_base(pricer, &unit_put(&unit, right), *component, weight, &mut values);
            }
        }
        for (coefficients, values) in self.panels.iter_mut().zip(&values) {
            for (coefficients, values) in coefficients.iter_mut().zip(values) {
                *coefficients = monomials(values);
            }
        }
    }

    /// The middle of a one-sided difference.
    fn subtract_base(
        &self,
        pricer: &mut Pricer,
        put: &Put,
        component: usize,
        weight: f64,
        values: &mut [[[f64; TERMS]; 3]; PANELS],
    ) {
        pricer.solve(put);
        for (panel, values) in values.iter_mut().enumerate() {
            for (k, value) in values[component].iter_mut().enumerate() {
                let u = self.edge + self.reach * (middle(panel) + half(panel) * chebyshev_point(k));
                *value -= weight * pricer.premium_at(put, u);
            }
        }
    }

    /// Premium at ln(spot/strike) = `log_moneyness`, or `None` where the option is exercised.
    #[inline]
    pub(crate) fn at(&self, spot: f64, strike: f64, log_moneyness: f64, right: Right) -> Option<CurvePoint> {
        let u = -right.sign() * log_moneyness;
        if u <= self.edge {
            return None;
        }
        let share = (u - self.edge) / self.reach;
        if share >= 1.0 {
            return Some(CurvePoint::default());
        }
        let mut panel = 0;
        while panel + 1 < PANELS && share > ENDS[panel + 1] {
            panel += 1;
        }
        let inverse_half = 1.0 / half(panel);
        let t = (share - middle(panel)) * inverse_half;
        let [value, vega, rho] = &self.panels[panel];
        // Horner's rule for the value and its derivatives together.
        let (mut f, mut first, mut second, mut fv, mut fr) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for k in (0..TERMS).rev() {
            second = second * t + first;
            first = first * t + f;
            f = f * t + value[k];
            fv = fv * t + vega[k];
            fr = fr * t + rho[k];
        }
        let per_u = inverse_half / self.reach;
        let (first, second) = (first * per_u, 2.0 * second * per_u * per_u);
        Some(match right {
            Right::Put => CurvePoint {
                value: strike * f,
                delta: strike / spot * first,
                gamma: strike / spot * (second - first) / spot,
                vega: strike * fv,
                rho: strike * fr,
            },
            Right::Call => CurvePoint {
                value: spot * f,
                delta: f - first,
                gamma: (second - first) / spot,
                vega: spot * fv,
                rho: spot * fr,
            },
        })
    }
}

fn unit_put(inputs: &BsmInputs, right: Right) -> Put {
    let (_, put) = put_terms(inputs, right);
    Put { strike: 1.0, ..put }
}

impl Pricer {
    fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    fn solve(&mut self, put: &Put) {
        self.workspace.solve(put, self.tables, self.scheme.plan());
    }

    /// Premium of the solved put with strike 1 at ln(spot) = `u`.
    fn premium_at(&self, put: &Put, u: f64) -> f64 {
        let value = premium(&self.workspace, self.tables, put, crate::math::kernel::exp(u), u).value;
        if value > 0.0 { value } else { 0.0 }
    }
}

fn middle(panel: usize) -> f64 {
    0.5 * (ENDS[panel] + ENDS[panel + 1])
}

fn half(panel: usize) -> f64 {
    0.5 * (ENDS[panel + 1] - ENDS[panel])
}

fn chebyshev_point(k: usize) -> f64 {
    basis().0[k]
}

/// Chebyshev points of the first kind, and the matrix from values there to powers of t.
fn basis() -> &'static ([f64; TERMS], [[f64; TERMS]; TERMS]) {
    static BASIS: OnceLock<([f64; TERMS], [[f64; TERMS]; TERMS])> = OnceLock::new();
    BASIS.get_or_init(|| {
        let n = TERMS as f64;
        let mut points = [0.0; TERMS];
        for (k, point) in points.iter_mut().enumerate() {
            *point = libm::cos(core::f64::consts::PI * (k as f64 + 0.5) / n);
        }
        // T_j in powers of t.
        let mut powers = [[0.0; TERMS]; TERMS];
        powers[0][0] = 1.0;
        powers[1][1] = 1.0;
        for j in 2..TERMS {
            for i in 0..TERMS {
                let shifted = if i > 0 { powers[j - 1][i - 1] } else { 0.0 };
                powers[j][i] = 2.0 * shifted - powers[j - 2][i];
            }
        }
        // Coefficient of t^i from the value at point k: Σ_j (2 − [j = 0])/n · T_j(t_k) · powers[j][i].
        let matrix = core::array::from_fn(|i| {
            core::array::from_fn(|k| {
                let term = |(j, row): (usize, &[f64; TERMS])| {
                    let share = if j == 0 { 1.0 / n } else { 2.0 / n };
                    let angle = core::f64::consts::PI * j as f64 * (k as f64 + 0.5) / n;
                    share * libm::cos(angle) * row[i]
                };
                powers.iter().enumerate().map(term).sum()
            })
        });
        (points, matrix)
    })
}

fn monomials(values: &[f64; TERMS]) -> [f64; TERMS] {
    let mut out = [0.0; TERMS];
    for (out, row) in out.iter_mut().zip(&basis().1) {
        *out = row.iter().zip(values).map(|(m, v)| m * v).sum();
    }
    out
}

//! Exercise boundaries of a put on graded panels, one panel after the other, with error control.
//!
//! For what the single Chebyshev series of [`super::boundary`] cannot hold: the two boundaries of
//! q < r < 0, between which exercise pays (Battauz, De Donno & Sbuelz 2015; Andersen & Lake 2021), and one
//! boundary with carry large beside the volatility.
//!
//! The unknowns are y = |ln(B/X)|, X the boundary's limit at expiry, at Chebyshev points in √τ of one panel;
//! what lies closer to expiry is known. The equations are smooth pasting, ∂V/∂S = −1 on every boundary with
//! V = European + premium (Kim 1990), written so that each small term is itself a product and not a
//! difference; Newton's method with the exact Jacobian solves them. A panel is halved until Newton's method
//! converges and the Chebyshev series of y² has ended.
//!
//! Two boundaries approach each other with finite speed. Where they meet, at the critical time τ*, exercise
//! stops for all longer times: V satisfies the Black–Scholes equation there. The panels shorten with the
//! distance to τ*, and the last stretch, where exercise adds less than rounding, is extrapolated.
use super::boundary::{Put, lanes};
use super::linear;
use super::panel_rule::{DEGREE, Panel, Rule, panel_at, panel_tables};
use super::tables::LANES;
use crate::math::kernel::{exp, ln, normal_pair};
use crate::math::normal::FRAC_1_SQRT_2PI;
use crate::simd::{Kernel, dispatch};

/// Upper and lower boundary: the exercise region lies between them, or below the upper one.
const UPPER: usize = 0;
const LOWER: usize = 1;
/// Newton steps allowed for a panel, and the relative step that ends them (the next would be its square).
const STEPS_MAX: usize = 16;
const SETTLED: f64 = 1e-7;
/// The boundaries have met when this close, in standard deviations of the time to expiry.
const MET: f64 = 1e-3;
/// Share of the predicted time to the meeting that a panel may cover.
const APPROACH: f64 = 0.6;
/// Largest tail of the first panel, and the largest that may pass for rounding.
const FIRST_TAIL: f64 = 1e-4;
const NOISE: f64 = 1e-7;
const PANELS_MAX: usize = 64;
const ATTEMPTS_MAX: usize = 160;

/// Solved boundaries.
pub(super) struct Panels {
    put: Put,
    /// ln(X/K) per boundary; the lower one only if there are two.
    limits: [f64; 2],
    edges: usize,
    panels: Vec<Panel>,
    /// √τ up to which there is exercise.
    end: f64,
    met: bool,
}

/// +1 for a boundary that falls with τ, −1 for one that rises.
fn falls(edge: usize) -> f64 {
    if edge == UPPER { 1.0 } else { -1.0 }
}

impl Panels {
    /// The boundaries of `put`, two of them if q < r < 0; `None` if the iterations fail. `tolerance` is the
    /// relative error of y² from panel to panel.
    pub(super) fn solve(put: &Put, tolerance: f64) -> Option<Self> {
        let Put { rate, dividend_yield, .. } = *put;
        let two = rate < 0.0;
        let ratio = ln(rate / dividend_yield);
        let limits = match (two, dividend_yield > rate) {
            (true, _) => [0.0, ratio],
            (false, true) => [ratio, 0.0],
            (false, false) => [0.0, 0.0],
        };
        let edges = if two { 2 } else { 1 };
        if !limits[..edges].iter().all(|limit| limit.is_finite()) {
            return None;
        }
        let mut out = Self {
            put: Put { strike: 1.0, ..*put },
            limits,
            edges,
            panels: Vec::new(),
            end: 0.0,
            met: false,
        };
        let mut solved = false;
        dispatch(March { panels: &mut out, tolerance, solved: &mut solved });
        solved.then_some(out)
    }

    /// A bound of what early exercise with two boundaries can add, as a share of the strike: the most that it
    /// earns a year, for as long as there is exercise. The lower boundary alone moves by 0.6 σ√τ.
    pub(super) fn premium_bound(put: &Put) -> f64 {
        let lasts = ln(put.rate / put.dividend_yield) / (0.6 * put.vol);
        (put.rate - put.dividend_yield) * put.years.min(lasts * lasts)
    }

    /// ln(B/K) of a boundary at distance `y` from its limit.
    fn log_edge(&self, edge: usize, y: f64) -> f64 {
        self.limits[edge] - falls(edge) * y
    }

    /// ln(B/K) at the right end of the panels.
    fn last(&self, edge: usize) -> f64 {
        match self.panels.last() {
            Some(panel) => self.log_edge(edge, panel.squares[edge][DEGREE].sqrt()),
            None => self.limits[edge],
        }
    }

    /// Whether the put is exercised at ln(S/K) = `log_spot` with all its time left.
    pub(super) fn is_exercised(&self, log_spot: f64) -> bool {
        !self.met && log_spot <= self.last(UPPER) && (self.edges == 1 || log_spot >= self.last(LOWER))
    }

    /// Distance of a log spot from the nearest boundary at the end.
    pub(super) fn gap(&self, log_spot: f64) -> f64 {
        let upper = (log_spot - self.last(UPPER)).abs();
        if self.edges == 1 { upper } else { upper.min((log_spot - self.last(LOWER)).abs()) }
    }

    pub(super) fn put(&self) -> &Put {
        &self.put
    }

    pub(super) fn end(&self) -> f64 {
        self.end
    }

    pub(super) fn edges(&self) -> usize {
        self.edges
    }

    /// ln(B/K) of all boundaries at √τ = `x`.
    pub(super) fn log_edges(&self, x: f64) -> [f64; 2] {
        let panel = panel_at(&self.panels, x);
        let factors = panel.factors(x);
        core::array::from_fn(|edge| self.log_edge(edge, panel.distance(edge, &factors)))
    }
}

struct March<'a> {
    panels: &'a mut Panels,
    tolerance: f64,
    solved: &'a mut bool,
}

impl Kernel for March<'_> {
    #[inline(always)]
    fn run(self) {
        let mut work = Work::default();
        *self.solved = self.panels.march(self.tolerance, &mut work);
    }
}

/// Buffers of one panel's equations.
#[derive(Default)]
struct Work {
    rules: Vec<Rule>,
    /// Per node: number of points inside the panel, and the interpolation there.
    fresh: Vec<usize>,
    factors: Vec<Vec<[f64; DEGREE + 1]>>,
    /// Per node and boundary: y at the points.
    distances: Vec<[Vec<f64>; 2]>,
    jacobian: Vec<f64>,
    residual: Vec<f64>,
}

impl Panels {
    #[inline(always)]
    fn march(&mut self, tolerance: f64, work: &mut Work) -> bool {
        let root = self.put.years.sqrt();
        let mut width = self.first_width();
        let (mut x, mut rejected) = (0.0, f64::INFINITY);
        for _ in 0..ATTEMPTS_MAX {
            let right = if x + 1.01 * width >= root { root } else { x + width };
            let mut panel = self.guess(x, right);
            let settled = self.newton(&mut panel, work);
            let tail = self.tail(&panel);
            // A tail that halving does not shorten is the error of what lies closer to expiry.
            let is_noise = tail > 0.5 * rejected && tail <= NOISE;
            if !settled || self.has_crossed(&panel) || (tail > tolerance && !is_noise) {
                rejected = if settled { tail } else { f64::INFINITY };
                width *= 0.5;
                if width < 1e-10 * root {
                    return false;
                }
                continue;
            }
            rejected = f64::INFINITY;
            self.panels.push(panel);
            self.end = right;
            if right >= root {
                return true;
            }
            if self.panels.len() == PANELS_MAX {
                return false;
            }
            (x, width) = (right, 2.0 * (right - x));
            if self.edges == 2 {
                let (gap, closing) = self.approach(&panel);
                if gap <= MET * self.put.vol * x {
                    self.end = (x + gap / closing).min(root);
                    self.met = true;
                    return true;
                }
                if closing > 0.0 {
                    width = width.min(APPROACH * gap / closing);
                }
            }
        }
        false
    }

    /// The first panel is short: on it y² has a logarithm in it, which no interpolation likes.
    fn first_width(&self) -> f64 {
        let root = self.put.years.sqrt();
        let scale = self.put.rate.abs().max(self.put.dividend_yield.abs());
        let mut longest = root.min(8.0 * self.put.vol / scale);
        if self.edges == 2 {
            // Both boundaries move by two or three standard deviations.
            longest = longest.min((self.limits[UPPER] - self.limits[LOWER]) / (3.0 * self.put.vol));
        }
        longest / 32.0
    }

    /// Distance of the two boundaries at a panel's right end, and the speed in √τ at which it shrinks.
    fn approach(&self, panel: &Panel) -> (f64, f64) {
        let gap = |k: usize| {
            self.log_edge(UPPER, panel.squares[UPPER][k].sqrt())
                - self.log_edge(LOWER, panel.squares[LOWER][k].sqrt())
        };
        let (last, before) = (gap(DEGREE), gap(DEGREE - 2));
        (last, (before - last) / (panel.node(DEGREE) - panel.node(DEGREE - 2)))
    }

    /// What the series of y² leave out, relative. The first panel weighs little: there the logarithm's slow
    /// decay is let through.
    fn tail(&self, panel: &Panel) -> f64 {
        let relative = |edge: usize| {
            let squares = &panel.squares[edge];
            panel_tables().tail(squares) / squares[DEGREE]
        };
        let tail = (0..self.edges).map(relative).fold(0.0, f64::max);
        if self.panels.is_empty() && tail < FIRST_TAIL { 0.0 } else { tail }
    }

    fn has_crossed(&self, panel: &Panel) -> bool {
        self.edges == 2 && self.approach(panel).0 <= 0.0
    }

    /// The panel's left end from the panel before, and a first guess of y at the other nodes.
    fn guess(&self, left: f64, right: f64) -> Panel {
        let mut panel = Panel { left, right, squares: [[0.0; DEGREE + 1]; 2] };
        for edge in 0..self.edges {
            for k in 0..=DEGREE {
                let x = panel.node(k);
                let y = match self.panels.last() {
                    Some(before) => {
                        let (last, inner) =
                            (before.squares[edge][DEGREE].sqrt(), before.squares[edge][DEGREE - 1].sqrt());
                        let slope = (last - inner) / (before.right - before.node(DEGREE - 1));
                        let y = last + slope * (x - left);
                        y.clamp(0.5 * last, 2.0 * last)
                    }
                    None => self.short_dated(edge, x),
                };
                panel.squares[edge][k] = y * y;
            }
            if let Some(before) = self.panels.last() {
                panel.squares[edge][0] = before.squares[edge][DEGREE];
            }
        }
        panel
    }

    /// y close to expiry: Evans, Kuske & Keller (2002), eq. 1.5–1.7, for r > q, r = q and r < q.
    fn short_dated(&self, edge: usize, x: f64) -> f64 {
        let Put { rate, dividend_yield, vol, .. } = self.put;
        let deviations = if edge == LOWER || dividend_yield > rate || x == 0.0 {
            0.64
        } else {
            let pi = core::f64::consts::PI;
            let size = if dividend_yield < rate {
                (8.0 * pi).sqrt() * (rate - dividend_yield) * x / vol
            } else {
                4.0 * pi.sqrt() * rate * x * x
            };
            (-2.0 * ln(size)).max(0.6).sqrt()
        };
        deviations * vol * x
    }

    /// Solves the panel's equations; false if Newton's method does not settle.
    #[inline(always)]
    fn newton(&self, panel: &mut Panel, work: &mut Work) -> bool {
        work.prepare(self, panel);
        let unknowns = DEGREE * self.edges;
        work.jacobian.resize(unknowns * unknowns, 0.0);
        work.residual.resize(unknowns, 0.0);
        for _ in 0..STEPS_MAX {
            work.interpolate(self, panel);
            work.jacobian.fill(0.0);
            for node in 1..=DEGREE {
                for target in 0..self.edges {
                    work.equation(self, panel, node, target);
                }
            }
            if !linear::solve(&mut work.jacobian, &mut work.residual) {
                return false;
            }
            let mut moved = 0.0_f64;
            for (at, step) in work.residual.iter().enumerate() {
                let square = &mut panel.squares[at / DEGREE][at % DEGREE + 1];
                let y = square.sqrt();
                if !step.is_finite() {
                    return false;
                }
                let next = (y - step).clamp(0.5 * y, 2.0 * y);
                moved = moved.max((next - y).abs() / y);
                *square = next * next;
            }
            if moved <= SETTLED {
                return true;
            }
        }
        false
    }
}

/// Sums over the points of one equation.
#[derive(Clone, Copy, Default)]
struct Sums {
    value: [f64; LANES],
    slope: [f64; LANES],
}

impl Work {
    /// Rules, interpolation factors inside the panel, and y at the points of earlier panels.
    fn prepare(&mut self, panels: &Panels, panel: &Panel) {
        let Put { rate, dividend_yield, vol, .. } = panels.put;
        self.rules.resize_with(DEGREE, Rule::default);
        self.fresh.resize(DEGREE, 0);
        self.factors.resize_with(DEGREE, Vec::new);
        self.distances.resize_with(DEGREE, Default::default);
        let carry = rate.abs().max(dividend_yield.abs());
        let gap = if panels.edges == 2 { panels.last(UPPER) - panels.last(LOWER) } else { f64::INFINITY };
        for node in 0..DEGREE {
            let root = panel.node(node + 1);
            // In θ the integrands vary over the drift's scale, and the other boundary's distance.
            let width = f64::min(2.0 * vol / (carry * root), 0.3 * gap / (vol * root));
            let rule = &mut self.rules[node];
            rule.fill(root, f64::INFINITY, width, vol, dividend_yield);
            let is_first = panels.panels.is_empty();
            let fresh = rule.x.iter().take_while(|x| is_first || **x > panel.left).count();
            self.fresh[node] = fresh;
            self.factors[node].clear();
            self.factors[node].extend(rule.x[..fresh].iter().map(|x| panel.factors(*x)));
            for distances in &mut self.distances[node] {
                distances.clear();
                distances.resize(rule.x.len(), 0.0);
            }
            for (at, x) in rule.x.iter().enumerate().skip(fresh) {
                let before = panel_at(&panels.panels, *x);
                let factors = before.factors(*x);
                for edge in 0..panels.edges {
                    self.distances[node][edge][at] = before.distance(edge, &factors);
                }
            }
        }
    }

    /// y at the points inside the panel.
    fn interpolate(&mut self, panels: &Panels, panel: &Panel) {
        for ((distances, factors), fresh) in self.distances.iter_mut().zip(&self.factors).zip(&self.fresh) {
            for (edge, distances) in distances.iter_mut().enumerate().take(panels.edges) {
                for (y, factors) in distances[..*fresh].iter_mut().zip(factors) {
                    *y = panel.distance(edge, factors);
                }
            }
        }
    }

    /// One row: 1 + ∂V/∂S on the boundary `target` at the node, over the size of its terms.
    #[inline(always)]
    fn equation(&mut self, panels: &Panels, panel: &Panel, node: usize, target: usize) {
        let Put { rate, dividend_yield: q, vol, .. } = panels.put;
        let root = panel.node(node);
        let y = panel.squares[target][node].sqrt();
        let s = panels.log_edge(target, y);
        let (rule, fresh) = (&self.rules[node - 1], self.fresh[node - 1]);
        let unknowns = DEGREE * panels.edges;
        let row = (target * DEGREE + node - 1) * unknowns;

        let inverse = 1.0 / (vol * root);
        let d1 = (s + (rate - q) * root * root) * inverse + 0.5 * vol * root;
        let normal = normal_pair(d1, d1);
        let grown = exp(-q * root * root);
        let european = grown * normal.n1;
        let mut slope = grown * FRAC_1_SQRT_2PI * normal.bell1 * inverse;
        let (mut value, mut size) = (european, european);
        for source in 0..panels.edges {
            let sign = falls(source);
            let mut sums = Sums::default();
            for at in (0..rule.lag.len()).step_by(LANES) {
                let distance = lanes(&self.distances[node - 1][source], at);
                let lag = lanes(&rule.lag, at);
                let inverse = lanes(&rule.inverse, at);
                let half = lanes(&rule.half, at);
                let measure = lanes(&rule.measure, at);
                let smooth = lanes(&rule.smooth, at);
                let mut moves = [0.0; LANES];
                for lane in 0..LANES {
                    let edge = panels.limits[source] - sign * distance[lane];
                    let d = (s - edge + (rate - q) * lag[lane]) * inverse[lane] + half[lane];
                    let normal = normal_pair(sign * d, sign * d);
                    let bell = FRAC_1_SQRT_2PI * normal.bell1;
                    let interest = rate * exp(-edge);
                    let density = sign * smooth[lane] * bell;
                    sums.value[lane] += q * measure[lane] * normal.n1 + (q - interest) * density;
                    let by_spot = (q - (q - interest) * d * inverse[lane]) * density;
                    sums.slope[lane] += by_spot;
                    // ∂/∂(edge), over −sign·y: what a square of y at a node moves.
                    let by_edge = interest * density - by_spot;
                    moves[lane] = if distance[lane] > 0.0 { -sign * by_edge / distance[lane] } else { 0.0 };
                }
                for (lane, moved) in moves.iter().enumerate() {
                    if at + lane >= fresh {
                        break;
                    }
                    let factors = &self.factors[node - 1][at + lane];
                    let entries = &mut self.jacobian[row + source * DEGREE..row + (source + 1) * DEGREE];
                    for (entry, factor) in entries.iter_mut().zip(&factors[1..]) {
                        *entry += moved * factor;
                    }
                }
            }
            let sum: f64 = sums.value.iter().sum();
            value += sum;
            size += sum.abs();
            slope += sums.slope.iter().sum::<f64>();
        }
        // The squares' derivatives become those of y; the target moves with its own y.
        for source in 0..panels.edges {
            for k in 0..DEGREE {
                let y = panel.squares[source][k + 1].sqrt();
                self.jacobian[row + source * DEGREE + k] *= y;
            }
        }
        self.jacobian[row + target * DEGREE + node - 1] -= falls(target) * slope;
        // On the upper boundary both parts are exponentials of y²: their logarithms are nearly linear.
        let rest = european - value;
        let (residual, scale) = if target == UPPER && rest > 0.0 && european > 0.0 {
            (ln(european / rest), None)
        } else {
            (value / size, Some(1.0 / size))
        };
        let own = falls(target) * grown * FRAC_1_SQRT_2PI * normal.bell1 * inverse;
        match scale {
            Some(scale) => {
                for entry in &mut self.jacobian[row..row + unknowns] {
                    *entry *= scale;
                }
            }
            None => {
                // d ln E − d ln(rest), with d rest = dE − d value.
                for entry in &mut self.jacobian[row..row + unknowns] {
                    *entry /= rest;
                }
                self.jacobian[row + target * DEGREE + node - 1] += own / rest - own / european;
            }
        }
        self.residual[target * DEGREE + node - 1] = residual;
    }
}

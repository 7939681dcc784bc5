//! The early-exercise boundary of a put, by Newton's method on Chebyshev nodes.
//!
//! Source: Andersen, Lake & Offengenden, *High-performance American option pricing* (Journal of
//! Computational Finance, 2016): the systems FP-A (eq. 28–30) and FP-B (eq. 31–33) and the interpolation
//! of ln²(B/X) in √τ (§5.2). Unlike there, the unknown is y = ln(X/B), so no exponential is needed
//! inside the loop; integrals are taken in an angle (see [`super::tables`]); and the collocation
//! equations are solved by Newton's method with the exact Jacobian, whose entries are by-products of
//! the integrands; fixed-point iteration alone shrinks the error only by 2 to 5 a step.
use super::linear;
use super::tables::{LANES, Tables};
use crate::math::kernel::{exp, ln, ln_ratio, normal_pair};
use crate::math::normal::FRAC_1_SQRT_2PI;
use crate::simd::{Kernel, dispatch};

/// A put: the payoff that the boundary is for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Put {
    pub(super) strike: f64,
    pub(super) years: f64,
    pub(super) rate: f64,
    pub(super) dividend_yield: f64,
    pub(super) vol: f64,
}

/// Which of the two equivalent systems to solve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum System {
    /// From the derivative of the value-matching condition; the better for r ≈ q.
    A,
    /// From value matching itself.
    B,
}

/// Steps to take: Newton's on system A, then fixed-point steps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// At least so many Newton steps, and at most so many.
    pub(super) newton_steps: usize,
    pub(super) newton_steps_max: usize,
    /// A last Newton step that moves no node's ln B by more has converged.
    pub(super) newton_settled: f64,
    pub(super) polish_steps: usize,
    pub(super) polish_system: System,
}

/// The least y that the interpolant gives.
const Y_LEAST: f64 = 1e-12;
/// Fixed-point steps in its place, for the rare boundary that Newton's method cannot find.
const RESCUE_STEPS: usize = 40;

/// Reusable buffers, and after [`Workspace::solve`] the boundary.
#[derive(Default)]
pub(super) struct Workspace {
    /// y_i = ln(X/B(τ_i)) ≥ 0 at the nodes.
    pub(super) y: Vec<f64>,
    /// ln X.
    pub(super) log_limit: f64,
    pub(super) log_strike: f64,
    /// Per (node, point): (r − q)·lag, 1/(σ√lag), σ√lag and the factors of the integrands.
    drift: Vec<f64>,
    inverse_vol: Vec<f64>,
    total_vol: Vec<f64>,
    numerator: Vec<f64>,
    denominator: Vec<f64>,
    density: Vec<f64>,
    /// Per point of one node: derivative of the integrands in ln B(u), over y(u).
    numerator_slope: Vec<f64>,
    denominator_slope: Vec<f64>,
    boundary: Vec<f64>,
    jacobian: Vec<f64>,
    residual: Vec<f64>,
    own_slope: Vec<f64>,
    /// Per node: numerator, denominator and the slopes of their European parts in ln B.
    terms: [Vec<f64>; 4],
}

impl Put {
    /// The boundary's limit at expiry, X = K min(1, r/q).
    pub(super) fn limit(&self) -> f64 {
        if self.dividend_yield > self.rate {
            self.strike * (self.rate / self.dividend_yield)
        } else {
            self.strike
        }
    }

    /// Boundary of the perpetual put, Merton (1973): K β/(β − 1), β the negative root.
    pub(super) fn perpetual(&self) -> f64 {
        let variance = self.vol * self.vol;
        let a = (self.rate - self.dividend_yield) / variance - 0.5;
        let root = (a * a + 2.0 * self.rate / variance).max(0.0).sqrt();
        // −a − root without cancellation: (−a − root)(−a + root) = −2r/σ².
        let beta = if a > 0.0 { -a - root } else { -(2.0 * self.rate / variance) / (root - a) };
        self.strike * (beta / (beta - 1.0))
    }
}

impl Workspace {
    /// Finds the boundary of `put` by `plan`.
    pub(super) fn solve(&mut self, put: &Put, tables: &Tables, plan: Plan) {
        let limit = put.limit();
        self.log_limit = ln(limit);
        self.log_strike = ln(put.strike);
        self.y.clear();
        self.y.resize(tables.nodes.len(), 1.0);
        dispatch(Solve { workspace: self, put, tables, plan });
    }

    /// ln B at the longest time.
    pub(super) fn log_boundary(&self) -> f64 {
        self.log_limit - self.y[0]
    }

    /// ln X.
    pub(super) fn log_limit(&self) -> f64 {
        self.log_limit
    }

    /// ln(X/B) at eight points of the price integral from `at`.
    #[inline(always)]
    pub(super) fn price_boundary(&self, tables: &Tables, at: usize) -> [f64; LANES] {
        interpolate(&self.y, &tables.price_interpolation, at)
    }
}

struct Solve<'a> {
    workspace: &'a mut Workspace,
    put: &'a Put,
    tables: &'a Tables,
    plan: Plan,
}

impl Kernel for Solve<'_> {
    #[inline(always)]
    fn run(self) {
        let Solve { workspace, put, tables, plan } = self;
        workspace.prepare(put, tables, System::A);
        workspace.quadratic_guess(put, tables);
        let mut settled = false;
        for step in 1..=plan.newton_steps_max {
            workspace.equations::<true, true>(put, tables);
            // The error left is of the order of the last step's square.
            settled = workspace.newton_step() <= plan.newton_settled;
            if settled && step >= plan.newton_steps {
                break;
            }
        }
        let (system, steps) =
            if settled { (plan.polish_system, plan.polish_steps) } else { (System::B, RESCUE_STEPS) };
        if !settled {
            workspace.quadratic_guess(put, tables);
        }
        if system == System::B {
            workspace.prepare(put, tables, System::B);
        }
        for _ in 0..steps {
            match system {
                System::A => workspace.equations::<true, false>(put, tables),
                System::B => workspace.equations::<false, false>(put, tables),
            }
            workspace.fixed_point_step();
        }
    }
}

/// Eight values from `at`, by copy: the loops over lanes become vector code only where the compiler sees
/// that what they write does not overlap what they read.
#[inline(always)]
pub(super) fn lanes(values: &[f64], at: usize) -> [f64; LANES] {
    let mut out = [0.0; LANES];
    out.copy_from_slice(&values[at..at + LANES]);
    out
}

/// √ of the interpolated y², for the points from `at`.
#[inline(always)]
fn interpolate(values: &[f64], columns: &[Vec<f64>], at: usize) -> [f64; LANES] {
    let mut sum = [0.0; LANES];
    for (value, column) in values.iter().zip(columns) {
        let square = value * value;
        let column = lanes(column, at);
        for lane in 0..LANES {
            sum[lane] += square * column[lane];
        }
    }
    let mut root = [0.0; LANES];
    for lane in 0..LANES {
        // Ripples of the interpolant near expiry may dip below zero.
        let square = if sum[lane] > Y_LEAST * Y_LEAST { sum[lane] } else { Y_LEAST * Y_LEAST };
        root[lane] = square.sqrt();
    }
    root
}

impl Workspace {
    /// Constants of the integrands at every (node, point).
    #[inline(always)]
    fn prepare(&mut self, put: &Put, tables: &Tables, system: System) {
        let (count, points) = (tables.nodes.len(), tables.sines.len());
        for buffer in [
            &mut self.drift,
            &mut self.inverse_vol,
            &mut self.total_vol,
            &mut self.numerator,
            &mut self.denominator,
            &mut self.density,
        ] {
            buffer.resize(count * points, 0.0);
        }
        for buffer in [&mut self.numerator_slope, &mut self.denominator_slope, &mut self.boundary] {
            buffer.resize(points, 0.0);
        }
        self.jacobian.resize(count * count, 0.0);
        self.residual.resize(count, 0.0);
        self.own_slope.resize(count, 0.0);
        for term in &mut self.terms {
            term.resize(count.next_multiple_of(LANES), 0.0);
        }
        let root_years = put.years.sqrt();
        for (i, &x) in tables.nodes.iter().enumerate() {
            let tau = put.years * x * x;
            let root = root_years * x;
            for at in (0..points).step_by(LANES) {
                let sines = lanes(&tables.sines, at);
                let weights = lanes(&tables.weights, at);
                let mut rows = [[0.0; LANES]; 6];
                for lane in 0..LANES {
                    let (sine, weight) = (sines[lane], weights[lane]);
                    let lag = tau * sine * sine;
                    let v = put.vol * root * sine;
                    let measure = weight * sine * tau;
                    let smooth = FRAC_1_SQRT_2PI * weight * root / put.vol;
                    let grown_rate = put.rate * exp(put.rate * (tau - lag));
                    let grown_yield = put.dividend_yield * exp(put.dividend_yield * (tau - lag));
                    rows[0][lane] = (put.rate - put.dividend_yield) * lag;
                    rows[1][lane] = 1.0 / v;
                    rows[2][lane] = v;
                    rows[3][lane] = grown_rate * if system == System::A { smooth } else { measure };
                    rows[4][lane] = measure * grown_yield;
                    rows[5][lane] = smooth * grown_yield;
                }
                let to = i * points + at..i * points + at + LANES;
                self.drift[to.clone()].copy_from_slice(&rows[0]);
                self.inverse_vol[to.clone()].copy_from_slice(&rows[1]);
                self.total_vol[to.clone()].copy_from_slice(&rows[2]);
                self.numerator[to.clone()].copy_from_slice(&rows[3]);
                self.denominator[to.clone()].copy_from_slice(&rows[4]);
                self.density[to].copy_from_slice(&rows[5]);
            }
        }
    }

    /// Residuals ln B − ln(K e^{−(r−q)τ} N/D) at all nodes, and if `JACOBIAN` their derivatives in y.
    #[inline(always)]
    fn equations<const SYSTEM_A: bool, const JACOBIAN: bool>(&mut self, put: &Put, tables: &Tables) {
        let count = tables.nodes.len();
        for at in (0..count).step_by(LANES) {
            self.european_terms::<SYSTEM_A>(put, tables, at);
        }
        for node in 0..count {
            let (n_sum, d_sum) = self.integrals::<SYSTEM_A>(tables, node);
            let [numerator, denominator, own_numerator, own_denominator] = &mut self.terms;
            numerator[node] += n_sum;
            denominator[node] += d_sum;
            let (per_n, per_d) = (1.0 / numerator[node], 1.0 / denominator[node]);
            self.own_slope[node] = own_numerator[node] * per_n - own_denominator[node] * per_d;
            if JACOBIAN {
                self.jacobian_row(tables, node, per_n, per_d);
            }
        }
        for at in (0..count).step_by(LANES) {
            let (numerator, denominator) = (lanes(&self.terms[0], at), lanes(&self.terms[1], at));
            let (x, y, rows) = self.node_lanes(tables, at);
            let mut residual = [0.0; LANES];
            for lane in 0..LANES {
                let carry = (put.rate - put.dividend_yield) * (put.years * x[lane] * x[lane]);
                residual[lane] = self.log_limit - y[lane] - self.log_strike + carry
                    - ln_ratio(numerator[lane], denominator[lane]);
            }
            self.residual[at..at + rows].copy_from_slice(&residual[..rows]);
        }
    }

    /// Node positions and values of y from `at`, padded with ones, and how many are real.
    #[inline(always)]
    pub(super) fn node_lanes(&self, tables: &Tables, at: usize) -> ([f64; LANES], [f64; LANES], usize) {
        let rows = LANES.min(tables.nodes.len() - at);
        let (mut x, mut y) = ([1.0; LANES], [1.0; LANES]);
        x[..rows].copy_from_slice(&tables.nodes[at..at + rows]);
        y[..rows].copy_from_slice(&self.y[at..at + rows]);
        (x, y, rows)
    }

    /// The terms of numerator and denominator without an integral, and their derivatives in ln B.
    #[inline(always)]
    fn european_terms<const SYSTEM_A: bool>(&mut self, put: &Put, tables: &Tables, at: usize) {
        let (x, y, _) = self.node_lanes(tables, at);
        let (shift, root_years) = (self.log_limit - self.log_strike, put.years.sqrt());
        let carry_rate = put.rate - put.dividend_yield;
        let mut out = [[0.0; LANES]; 4];
        for lane in 0..LANES {
            let v = put.vol * (root_years * x[lane]);
            let inverse = 1.0 / v;
            let carry = carry_rate * (put.years * x[lane] * x[lane]);
            let d1 = (shift - y[lane] + carry) * inverse + 0.5 * v;
            let d2 = d1 - v;
            let normal = normal_pair(d1, d2);
            let phi1 = FRAC_1_SQRT_2PI * normal.bell1 * inverse;
            let phi2 = FRAC_1_SQRT_2PI * normal.bell2 * inverse;
            if SYSTEM_A {
                out[0][lane] = phi2;
                out[1][lane] = phi1 + normal.n1;
                out[2][lane] = -phi2 * d2 * inverse;
                out[3][lane] = phi1 * (1.0 - d1 * inverse);
            } else {
                out[0][lane] = normal.n2;
                out[1][lane] = normal.n1;
                out[2][lane] = phi2;
                out[3][lane] = phi1;
            }
        }
        for (term, out) in self.terms.iter_mut().zip(&out) {
            term[at..at + LANES].copy_from_slice(out);
        }
    }

    /// The row of the Jacobian in y, from the slopes that [`Workspace::integrals`] left.
    #[inline(always)]
    fn jacobian_row(&mut self, tables: &Tables, node: usize, per_n: f64, per_d: f64) {
        let points = tables.sines.len();
        // Moving ln B(τ) by one unit moves d of every point by 1/v; moving ln B(u) does the opposite.
        let mut direct = [0.0; LANES];
        for at in (0..points).step_by(LANES) {
            let mut slope_n = lanes(&self.numerator_slope, at);
            let slope_d = lanes(&self.denominator_slope, at);
            let boundary = lanes(&self.boundary, at);
            for lane in 0..LANES {
                let slope = slope_n[lane] * per_n - slope_d[lane] * per_d;
                direct[lane] += slope;
                // Where the interpolant of y² was cut off it does not move.
                slope_n[lane] = if boundary[lane] > Y_LEAST { slope / boundary[lane] } else { 0.0 };
            }
            self.numerator_slope[at..at + LANES].copy_from_slice(&slope_n);
        }
        let direct: f64 = direct.iter().sum();
        let own = self.own_slope[node] + direct;
        let count = tables.nodes.len();
        for k in 0..count {
            let column = &tables.interpolation[k];
            let mut sum = [0.0; LANES];
            for at in (0..points).step_by(LANES) {
                let (slopes, factors) = (lanes(&self.numerator_slope, at), lanes(column, node * points + at));
                for lane in 0..LANES {
                    sum[lane] += slopes[lane] * factors[lane];
                }
            }
            let through: f64 = sum.iter().sum();
            let diagonal = if k == node { own - 1.0 } else { 0.0 };
            self.jacobian[node * count + k] = diagonal - self.y[k] * through;
        }
    }

    /// The two integrals at a node; fills `boundary` with y(u) and the slopes with the derivatives of
    /// the integrands in ln B(τ).
    #[inline(always)]
    fn integrals<const SYSTEM_A: bool>(&mut self, tables: &Tables, node: usize) -> (f64, f64) {
        let points = tables.sines.len();
        let y = self.y[node];
        let (mut numerator, mut denominator) = ([0.0; LANES], [0.0; LANES]);
        for at in (0..points).step_by(LANES) {
            let from = node * points + at;
            let boundary = interpolate(&self.y, &tables.interpolation, from);
            let drift = lanes(&self.drift, from);
            let inverse_vol = lanes(&self.inverse_vol, from);
            let total_vol = lanes(&self.total_vol, from);
            let a = lanes(&self.numerator, from);
            let b = lanes(&self.denominator, from);
            let c = lanes(&self.density, from);
            let (mut slope_n, mut slope_d) = ([0.0; LANES], [0.0; LANES]);
            for lane in 0..LANES {
                let inverse = inverse_vol[lane];
                let centre = (boundary[lane] - y + drift[lane]) * inverse;
                let half = 0.5 * total_vol[lane];
                let (d1, d2) = (centre + half, centre - half);
                let normal = normal_pair(d1, d2);
                let (phi1, phi2) = (FRAC_1_SQRT_2PI * normal.bell1, FRAC_1_SQRT_2PI * normal.bell2);
                if SYSTEM_A {
                    // `a` and `c` carry the density's factor 1/√2π themselves.
                    let n = a[lane] * normal.bell2;
                    let d = c[lane] * normal.bell1;
                    numerator[lane] += n;
                    denominator[lane] += b[lane] * normal.n1 + d;
                    slope_n[lane] = -d2 * n * inverse;
                    slope_d[lane] = (b[lane] * phi1 - d1 * d) * inverse;
                } else {
                    numerator[lane] += a[lane] * normal.n2;
                    denominator[lane] += b[lane] * normal.n1;
                    slope_n[lane] = a[lane] * phi2 * inverse;
                    slope_d[lane] = b[lane] * phi1 * inverse;
                }
            }
            self.numerator_slope[at..at + LANES].copy_from_slice(&slope_n);
            self.denominator_slope[at..at + LANES].copy_from_slice(&slope_d);
            self.boundary[at..at + LANES].copy_from_slice(&boundary);
        }
        (numerator.iter().sum(), denominator.iter().sum())
    }

    /// Solves residual + J·Δ = 0 for the move of y and takes it; the largest move of ln B, or ∞ if
    /// the system is singular.
    #[inline(always)]
    fn newton_step(&mut self) -> f64 {
        if !linear::solve(&mut self.jacobian, &mut self.residual) {
            return f64::INFINITY;
        }
        let mut moved = 0.0_f64;
        for (y, step) in self.y.iter_mut().zip(&self.residual) {
            if !step.is_finite() {
                return f64::INFINITY;
            }
            // A first guess may be far off: y stays positive and of its order.
            let next = (*y - step).clamp(0.25 * *y, 4.0 * *y);
            moved = moved.max((next - *y).abs());
            *y = next;
        }
        moved
    }

    /// The Jacobi–Newton step of the paper's §5.3: every node on its own, with the slope of the
    /// European terms. Slower than Newton's method, but it smooths what the Jacobian's noise at the
    /// shortest nodes leaves.
    #[inline(always)]
    fn fixed_point_step(&mut self) {
        for ((y, residual), slope) in self.y.iter_mut().zip(&self.residual).zip(&self.own_slope) {
            let step = residual / (slope - 1.0);
            if step.is_finite() {
                *y = (*y - step).clamp(0.25 * *y, 4.0 * *y);
            }
        }
    }
}

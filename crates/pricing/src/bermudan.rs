//! Bermudan options: exercise on a few dates, by exact backward quadrature.
//!
//! Between dates the lognormal transition density is known, so each step back is an integral: of the
//! payoff in closed form on the exercise side of that date's critical price, of the continuation value by
//! composite Gauss–Legendre quadrature on the other (panels of three standard deviations of a step, 16
//! points each, within nine deviations of the target). The critical price is a root of the continuation
//! value itself, so no kink is ever integrated over; the error is about 1e-11 of the strike.
//!
//! A put with q < r < 0 is exercised between two prices: the continuation value is convex in the price and the
//! payoff linear, so the set where the payoff is worth more is an interval; and with more dates to come
//! holding is worth more, so each date's interval lies inside the next one's, or is empty from some date on.
use crate::Right;
use crate::american::AmericanGreeks;
use crate::american::differences::{self, Steps};
use crate::american::tables::gauss_legendre;
use crate::bsm::{self, BsmInputs, IvInputs};
use crate::iv::IvError;
use crate::math::kernel::{exp, ln};
use crate::math::normal::{FRAC_1_SQRT_2PI, cdf};

/// Most exercise dates: eight years of trading days. The work grows with the power 3/2 of their number.
pub const EXERCISES_MAX: usize = 2_000;

/// Present value with `exercises` equally spaced exercise dates, the last at expiry (none today).
///
/// Calls are priced as puts with spot and strike, rate and yield exchanged. Inadmissible inputs, numbers of
/// dates outside 1 to [`EXERCISES_MAX`], and a drift so large beside the volatility that the quadrature would
/// take more than a few seconds give NaN.
///
/// ```
/// use onetape_pricing::{Right, bermudan, bsm::BsmInputs};
/// // Longstaff & Schwartz (2001), table 1: 50 exercises a year, 4.4723 by simulation.
/// let inputs = BsmInputs { spot: 36.0, strike: 40.0, years: 1.0, rate: 0.06, dividend_yield: 0.0, vol: 0.2 };
/// assert!((bermudan::price(&inputs, Right::Put, 50) - 4.478).abs() < 1e-2);
/// ```
#[must_use]
pub fn price(inputs: &BsmInputs, right: Right, exercises: usize) -> f64 {
    let BsmInputs { spot, strike, years, rate, dividend_yield, vol } = *inputs;
    let positive = [spot, strike, years, vol].iter().all(|x| *x > 0.0 && x.is_finite());
    if !positive
        || !rate.is_finite()
        || !dividend_yield.is_finite()
        || !(1..=EXERCISES_MAX).contains(&exercises)
    {
        return f64::NAN;
    }
    let put = match right {
        Right::Put => *inputs,
        Right::Call => {
            BsmInputs { spot: strike, strike: spot, rate: dividend_yield, dividend_yield: rate, ..*inputs }
        }
    };
    if put.rate <= 0.0 && (put.dividend_yield >= put.rate || exercises == 1) {
        return bsm::price(inputs, right);
    }
    if vol * years.sqrt() < CERTAIN {
        return certain(inputs, right, exercises);
    }
    Induction::new(&put, exercises).run(exercises)
}

/// Total volatility below which the underlying moves as if without any; the price is then good to 4e-7 of it.
const CERTAIN: f64 = 1e-6;

/// The best of the certain payoffs on the dates.
fn certain(inputs: &BsmInputs, right: Right, exercises: usize) -> f64 {
    let BsmInputs { spot, strike, years, rate, dividend_yield, .. } = *inputs;
    let payoff = |t: f64| right.sign() * (spot * exp(-dividend_yield * t) - strike * exp(-rate * t));
    (1..=exercises).map(|date| payoff(years * date as f64 / exercises as f64)).fold(0.0, f64::max)
}

/// Price and sensitivities by central differences of fourth order of the exact price; theta follows from the
/// Black–Scholes equation (none of the dates is today).
#[must_use]
pub fn greeks(inputs: &BsmInputs, right: Right, exercises: usize) -> AmericanGreeks {
    let mut g = differences::greeks(inputs, right, Steps::SMOOTH, |i| price(i, right, exercises));
    // Not exercisable today: worth its intrinsic value by chance alone.
    if g.gamma == 0.0 && g.vega == 0.0 && g.price > 0.0 {
        g.theta = inputs.rate * g.price - (inputs.rate - inputs.dividend_yield) * inputs.spot * g.delta;
    }
    g
}

/// The volatility at which [`price`] gives `inputs.price`.
///
/// # Errors
/// [`IvError`] if an input is not finite or positive, or no volatility up to 4000 % gives the price.
pub fn implied_vol(inputs: &IvInputs, right: Right, exercises: usize) -> Result<f64, IvError> {
    differences::implied_vol(inputs, |i| price(i, right, exercises))
}

const POINTS: usize = 16;
/// Panel width and integration reach in standard deviations of one step.
const PANEL: f64 = 3.0;
const REACH: f64 = 9.0;
/// Panels of all dates beyond which the price is given up as NaN.
const PANELS_MAX: f64 = 500_000.0;
/// The same for one date: a distance of 30,000 deviations of one step.
const PANELS_PER_DATE_MAX: f64 = 10_000.0;

/// The put's value at one date: payoff where it is exercised, node values elsewhere.
struct Induction {
    put: BsmInputs,
    /// Of one step.
    discount: f64,
    drift: f64,
    deviation: f64,
    /// ln of the lowest price considered, where exercise has a lower boundary, and of the highest.
    bottom: f64,
    top: f64,
    rule: (Vec<f64>, Vec<f64>),
    /// The log prices at which the put is exercised on the later date.
    exercised: Interval,
    /// Log prices in order, and values times quadrature weights, outside that interval.
    nodes: Vec<f64>,
    weighted: Vec<f64>,
    /// e^{−rτ} and e^{−qτ} for the time τ from the later date to expiry.
    certain: (f64, f64),
}

/// Empty if `low` ≥ `high`; `low` may be −∞.
#[derive(Clone, Copy)]
struct Interval {
    low: f64,
    high: f64,
}

impl Interval {
    fn is_empty(self) -> bool {
        self.low >= self.high
    }
}

impl Induction {
    fn new(put: &BsmInputs, exercises: usize) -> Self {
        let BsmInputs { spot, strike, years, rate, dividend_yield, vol } = *put;
        let step = years / exercises as f64;
        let drift = rate - dividend_yield - 0.5 * vol * vol;
        let margin = 8.5 * vol * years.sqrt() + drift.abs() * years;
        let two_boundaries = rate < 0.0;
        Self {
            put: *put,
            discount: exp(-rate * step),
            drift: drift * step,
            deviation: vol * step.sqrt(),
            bottom: if two_boundaries { ln(spot).min(ln(strike)) - margin } else { f64::NEG_INFINITY },
            top: ln(spot).max(ln(strike)) + margin,
            rule: gauss_legendre(POINTS, 0.0, 1.0),
            // At expiry the payoff is zero above the strike.
            exercised: Interval { low: f64::NEG_INFINITY, high: ln(strike) },
            nodes: Vec::new(),
            weighted: Vec::new(),
            certain: (1.0, 1.0),
        }
    }

    fn run(mut self, exercises: usize) -> f64 {
        for date in 1..exercises {
            let exercised = if self.bottom.is_finite() {
                self.find_interval()
            } else {
                Interval { low: f64::NEG_INFINITY, high: self.find_critical() }
            };
            let held = if exercised.is_empty() {
                [(self.bottom, self.top), (self.top, self.top)]
            } else {
                [(self.bottom, exercised.low), (exercised.high, self.top)]
            };
            let width = PANEL * self.deviation;
            let panels = held.map(|(from, to)| if to > from { ((to - from) / width).ceil() } else { 0.0 });
            // A drift of thousands of deviations, or a price that is not a number.
            let total = panels[0] + panels[1];
            let too_many = total > PANELS_PER_DATE_MAX || total * exercises as f64 > PANELS_MAX;
            if total.is_nan() || self.top.is_nan() || too_many {
                return f64::NAN;
            }
            let mut nodes = Vec::with_capacity(total as usize * POINTS);
            let mut weighted = Vec::with_capacity(total as usize * POINTS);
            for ((from, to), panels) in held.into_iter().zip(panels) {
                let width = (to - from) / panels;
                for panel in 0..panels as usize {
                    let low = from + panel as f64 * width;
                    for (x, w) in self.rule.0.iter().zip(&self.rule.1) {
                        let node = low + width * x;
                        nodes.push(node);
                        weighted.push(width * w * self.continuation(node));
                    }
                }
            }
            (self.exercised, self.nodes, self.weighted) = (exercised, nodes, weighted);
            let rest = self.put.years * date as f64 / exercises as f64;
            self.certain = (exp(-self.put.rate * rest), exp(-self.put.dividend_yield * rest));
        }
        self.continuation(ln(self.put.spot))
    }

    /// Value of holding at log price `x` one step before the date that the fields describe.
    fn continuation(&self, x: f64) -> f64 {
        let mean = x + self.drift;
        let s = self.deviation;
        let forward = exp(mean + 0.5 * s * s);
        let strike = self.put.strike;
        let below = |edge: f64| {
            let d = (edge - mean) / s;
            (cdf(d), cdf(d - s))
        };
        let mut closed = 0.0;
        if !self.exercised.is_empty() {
            let (high, low) = (below(self.exercised.high), below(self.exercised.low));
            closed += strike * (high.0 - low.0) - forward * (high.1 - low.1);
        }
        // Below the grid the put is far in the money, and held.
        if self.exercised.low > self.bottom {
            let (units, shares) = below(self.bottom);
            closed += self.certain.0 * strike * units - self.certain.1 * forward * shares;
        }
        let (low, high) = (mean - REACH * s, mean + REACH * s);
        let from = self.nodes.partition_point(|node| *node < low);
        let to = self.nodes.partition_point(|node| *node <= high);
        let inverse = 1.0 / s;
        let held: f64 = self.nodes[from..to]
            .iter()
            .zip(&self.weighted[from..to])
            .map(|(node, value)| {
                let z = (node - mean) * inverse;
                value * exp(-0.5 * z * z)
            })
            .sum();
        self.discount * (closed + held * (FRAC_1_SQRT_2PI * inverse))
    }

    /// Holding less exercise at log price `x`.
    fn gap(&self, x: f64) -> f64 {
        self.continuation(x) - (self.put.strike - exp(x))
    }

    /// Where exercise is worth more than holding, inside the later date's interval. Nothing below `bottom` is
    /// told apart, so an interval that reaches it has no lower end.
    fn find_interval(&self) -> Interval {
        const GOLDEN: f64 = 0.618_033_988_749_894_9;
        let empty = Interval { low: f64::INFINITY, high: f64::NEG_INFINITY };
        if self.exercised.is_empty() {
            return empty;
        }
        let (first, last) = (self.exercised.low.max(self.bottom), self.exercised.high);
        // The gap falls, then rises: golden sections until a point of the interval is found.
        let (mut low, mut high) = (first, last);
        let mut points = [high - GOLDEN * (high - low), low + GOLDEN * (high - low)];
        let mut gaps = points.map(|x| self.gap(x));
        while gaps[0] >= 0.0 && gaps[1] >= 0.0 {
            if high - low < 1e-9 || !(gaps[0] + gaps[1]).is_finite() {
                return empty;
            }
            if gaps[0] < gaps[1] {
                high = points[1];
                (points[1], gaps[1]) = (points[0], gaps[0]);
                points[0] = high - GOLDEN * (high - low);
                gaps[0] = self.gap(points[0]);
            } else {
                low = points[0];
                (points[0], gaps[0]) = (points[1], gaps[1]);
                points[1] = low + GOLDEN * (high - low);
                gaps[1] = self.gap(points[1]);
            }
        }
        let inside = if gaps[0] < gaps[1] { points[0] } else { points[1] };
        let reaches_bottom = first <= self.bottom && self.gap(first) < 0.0;
        Interval {
            low: if reaches_bottom { f64::NEG_INFINITY } else { self.edge(inside, first) },
            high: self.edge(inside, last),
        }
    }

    /// The root of the gap between a price at which exercise pays and one at which it does not.
    fn edge(&self, inside: f64, outside: f64) -> f64 {
        let gap = self.gap(outside);
        if gap <= 0.0 { outside } else { self.root((inside, self.gap(inside)), (outside, gap)) }
    }

    /// The log price where exercise and holding are worth the same: continuation − payoff increases in
    /// the price, so bisection with secant steps is safe.
    fn find_critical(&self) -> f64 {
        let mut high = ln(self.put.strike);
        let mut low = high - self.deviation;
        let mut stride = 4.0 * self.deviation;
        while self.gap(low) > 0.0 {
            high = low;
            low -= stride;
            stride *= 1.5;
            if high - low > 1e3 || low < -700.0 {
                return low;
            }
        }
        self.root((low, self.gap(low)), (high, self.gap(high)))
    }

    /// The root between a point of negative and one of positive gap, each with its gap.
    fn root(&self, negative: (f64, f64), positive: (f64, f64)) -> f64 {
        let ((mut low, mut gap_low), (mut high, mut gap_high)) = (negative, positive);
        for i in 0..80 {
            if (high - low).abs() < 1e-14 {
                break;
            }
            // Illinois steps, with a bisection now and then.
            let secant = high - gap_high * (high - low) / (gap_high - gap_low);
            let inside = secant > low.min(high) && secant < low.max(high);
            let x = if i % 4 == 3 || !inside { 0.5 * (low + high) } else { secant };
            let value = self.gap(x);
            if value.abs() < 1e-15 * self.put.strike {
                return x;
            }
            if value > 0.0 {
                (high, gap_high) = (x, value);
                gap_low *= 0.5;
            } else {
                (low, gap_low) = (x, value);
                gap_high *= 0.5;
            }
        }
        0.5 * (low + high)
    }
}

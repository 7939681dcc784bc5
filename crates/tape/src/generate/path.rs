//! The underlying's latent path through history and through the live days.

use super::clock::Clock;
use super::days::{Days, HISTORY_DAYS, WARM_UP_DAYS};
use super::model::{Drivers, Model, ModelParameters, coarse_step};
use super::random::{Purpose, Stream};
use super::scenario::Scenario;
use super::surface::{Slice, total_variances};
use onetape_pricing::Right;

/// Length of a step of the live path.
pub(super) const STEP_NS: u64 = 100_000_000;
/// Steps over which variance is held.
const STEPS_PER_REFRESH: u64 = 10;
const YEAR_NS: f64 = 365.0 * 86_400e9;
const DAY_NS: u64 = 86_400_000_000_000;
/// Steps of a session in history: 5 minutes.
const HISTORY_STEP_NS: u64 = 300_000_000_000;

/// One prior session.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct HistoryRow {
    pub(super) date: u32,
    pub(super) open: f64,
    pub(super) high: f64,
    pub(super) low: f64,
    pub(super) close: f64,
    pub(super) volume: u64,
    pub(super) iv30: f64,
    pub(super) iv60: f64,
    pub(super) skew25: f64,
    pub(super) vix: f64,
}

/// The latent market: state, clock and streams.
#[derive(Debug, Clone)]
pub(super) struct Path {
    pub(super) model: Model,
    pub(super) clock: Clock,
    pub(super) history: Vec<HistoryRow>,
    pub(super) first_live: usize,
    drivers: Drivers,
    scenario: Scenario,
    /// Index of the day in the clock's table.
    pub(super) day: usize,
    step: u64,
    tau_step: f64,
    variance: f64,
    /// Factor of the moment's activity on variance, held like it.
    pub(super) activity: f64,
    increment: f64,
}

/// What happened in a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Move {
    /// Start of the step.
    pub(super) ts: u64,
    /// Spot at the end of the step.
    pub(super) spot: f64,
    /// Log size of a jump inside the step.
    pub(super) jump: Option<f64>,
    /// Variance factors moved in this step.
    pub(super) refreshed: bool,
}

/// The surface's slice a number of calendar days ahead of an instant.
pub(super) fn tenor(model: &Model, clock: &Clock, ts: u64, days: u64) -> Slice {
    let mut total = Vec::with_capacity(2);
    // The short end is integrated apart, as the listed expiries do it.
    let horizon = clock.at(ts + days * DAY_NS) - clock.at(ts);
    total_variances(model, &[0.1 * horizon, horizon], &mut total);
    Slice::new(model, total[1], days as f64 / 365.0)
}

impl Path {
    /// Simulates the history and stands at the close before the first live day.
    pub(super) fn new(seed: u64, days: &Days, parameters: ModelParameters, scenario: Scenario) -> Path {
        let clock = Clock::new(days.table.clone());
        let mut stream = Stream::new(seed, Purpose::History);
        let close_target = 100.0 * (1.0 + 0.02 * (2.0 * stream.uniform() - 1.0));
        let mut model = Model::stationary(parameters, 0.0, &mut stream);
        let fork = |stream: &mut Stream| Stream::new(stream.below(u64::MAX), Purpose::History);
        let mut drivers = Drivers {
            spot: fork(&mut stream),
            variance: fork(&mut stream),
            jumps: fork(&mut stream),
            skew: fork(&mut stream),
        };
        let first = days.first_live - HISTORY_DAYS - WARM_UP_DAYS;
        let mut history = Vec::with_capacity(HISTORY_DAYS);
        for index in first..days.first_live {
            let row = history_day(&mut model, &clock, index, &mut drivers, &mut stream);
            if index >= first + WARM_UP_DAYS {
                history.push(row);
            }
        }
        let last_close = history.last().map_or(1.0, |row| row.close);
        for row in &mut history {
            let cents = |value: f64| libm::rint(value * close_target / last_close * 100.0) / 100.0;
            (row.open, row.high, row.low, row.close) =
                (cents(row.open), cents(row.high), cents(row.low), cents(row.close));
        }
        model.ln_spot = libm::log(libm::rint(close_target * 100.0) / 100.0);
        Path {
            model,
            clock,
            history,
            first_live: days.first_live,
            drivers: Drivers::live(seed),
            scenario,
            day: days.first_live,
            step: 0,
            tau_step: 0.0,
            variance: 0.0,
            activity: 1.0,
            increment: 0.0,
        }
    }

    /// Passes the night before live day `n` (0-based) and stands at its open.
    pub(super) fn open_day(&mut self, n: usize) {
        self.day = self.first_live + n;
        let (before, today) = (self.clock.days()[self.day - 1], self.clock.days()[self.day]);
        let years = (today.open - before.close) as f64 / YEAR_NS;
        coarse_step(&mut self.model, self.clock.night(self.day - 1), years, &mut self.drivers);
        self.scenario.night(n, &mut self.model);
        self.step = 0;
        self.increment = 0.0;
    }

    /// Steps done since the open.
    pub(super) fn steps_done(&self) -> u64 {
        self.step
    }

    /// Whether the day has no step left.
    pub(super) fn is_over(&self) -> bool {
        let day = self.clock.days()[self.day];
        day.open + self.step * STEP_NS >= day.close
    }

    /// Advances by one step.
    pub(super) fn step(&mut self) -> Move {
        let day = self.clock.days()[self.day];
        let ts = day.open + self.step * STEP_NS;
        let phase = self.step % STEPS_PER_REFRESH;
        if phase == 0 {
            let end = (ts + STEPS_PER_REFRESH * STEP_NS).min(day.close);
            self.tau_step = (self.clock.at(end) - self.clock.at(ts)) / STEPS_PER_REFRESH as f64;
            self.variance = self.model.diffusive_variance();
            self.activity = self.model.activity();
        }
        let normal = self.drivers.spot.normal();
        let years = STEP_NS as f64 / YEAR_NS;
        self.model.diffuse(self.variance, self.tau_step, years, normal);
        self.increment += normal * (self.tau_step * self.activity).sqrt();
        self.step += 1;
        let mut jump = None;
        let refreshed = phase + 1 == STEPS_PER_REFRESH;
        if refreshed {
            let tau = self.tau_step * STEPS_PER_REFRESH as f64;
            self.model.revert(tau, self.increment, &mut self.drivers);
            self.increment = 0.0;
            jump = self.model.jump(tau, &mut self.drivers);
            let live_day = self.day - self.first_live;
            if let Some(size) = self.scenario.second(live_day, &day, ts, &mut self.model) {
                jump = Some(jump.unwrap_or(0.0) + size);
            }
        }
        Move { ts, spot: self.model.spot(), jump, refreshed }
    }
}

fn history_day(
    model: &mut Model,
    clock: &Clock,
    index: usize,
    drivers: &mut Drivers,
    stream: &mut Stream,
) -> HistoryRow {
    let (before, today) = (clock.days()[index - 1], clock.days()[index]);
    coarse_step(model, clock.night(index - 1), (today.open - before.close) as f64 / YEAR_NS, drivers);
    let open = model.spot();
    let (mut high, mut low, mut ts, mut realised) = (open, open, today.open, 0.0);
    while ts < today.close {
        let tau = clock.at(ts + HISTORY_STEP_NS) - clock.at(ts);
        let ln_before = model.ln_spot;
        coarse_step(model, tau, HISTORY_STEP_NS as f64 / YEAR_NS, drivers);
        realised += (model.ln_spot - ln_before) * (model.ln_spot - ln_before);
        // Extremes inside the step by the Brownian bridge.
        let span = (model.diffusive_variance() * tau).sqrt();
        let (top, bottom) = (ln_before.max(model.ln_spot), ln_before.min(model.ln_spot));
        high = high.max(libm::exp(top + 0.3 * span * stream.uniform()));
        low = low.min(libm::exp(bottom - 0.3 * span * stream.uniform()));
        ts += HISTORY_STEP_NS;
    }
    let (near, far) = (tenor(model, clock, today.close, 30), tenor(model, clock, today.close, 60));
    let wing = |right| near.vol(near.moneyness_of_delta(right, 0.25));
    let activity = (realised * 252.0).sqrt() / 0.16;
    let volume = 900_000.0 * libm::exp(0.7 * libm::log(activity.max(0.1)) + 0.2 * stream.normal());
    HistoryRow {
        date: today.date,
        open,
        high,
        low,
        close: model.spot(),
        volume: libm::rint(volume / 100.0) as u64 * 100,
        iv30: near.vol(0.0),
        iv60: far.vol(0.0),
        skew25: wing(Right::Put) - wing(Right::Call),
        vix: 100.0 * near.strip_variance().sqrt(),
    }
}

/// The history as CSV: prices in currency, volatilities per 1.00, the index in points.
pub(super) fn history_csv(rows: &[HistoryRow]) -> String {
    let mut text = String::from("date,open,high,low,close,volume,iv30,iv60,skew25,vix\n");
    for row in rows {
        text.push_str(&format!(
            "{:04}-{:02}-{:02},{:.2},{:.2},{:.2},{:.2},{},{:.6},{:.6},{:.6},{:.4}\n",
            row.date / 10_000,
            row.date / 100 % 100,
            row.date % 100,
            row.open,
            row.high,
            row.low,
            row.close,
            row.volume,
            row.iv30,
            row.iv60,
            row.skew25,
            row.vix
        ));
    }
    text
}

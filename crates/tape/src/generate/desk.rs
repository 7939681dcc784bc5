//! The option market: fair values of the whole chain and the quotes displayed around them.
//!
//! Every look at the chain values all strikes at one reference price and one surface. A quote is
//! replaced only when fair value comes too near one of its sides or it has become too wide, so displayed
//! markets are old but never wrong by more than their own spread: bid ≤ fair ≤ ask at every look, which
//! is why no static arbitrage can be executed at natural prices.

use super::chain::{Displayed, Expiry, Strike};
use super::clock::Clock;
use super::fund::quote_record;
use super::model::Model;
use super::random::{Purpose, Stream};
use super::sink::Outbox;
use super::surface::{Slice, normal_pdf, total_variances};
use onetape_pricing::Right;

const MICRO: u64 = 1_000;
const MILLI: u64 = 1_000_000;
const YEAR_NS: f64 = 365.0 * 86_400e9;
/// Share of the half-spread that fair value keeps from a displayed side.
const MARGIN: f64 = 0.25;
/// Expiries that every look values; the others wait for a move of this size or this long.
const NEAR_EXPIRIES: usize = 3;
const FAR_LOOK: f64 = 0.01;
const FAR_LOOK_NS: u64 = 2_000_000_000;
/// Volatility at which spreads have their usual width.
const USUAL_VOL: f64 = 0.165;
/// Seconds between refreshes of early-exercise terms.
const EARLY_REFRESH_S: u64 = 60;

/// The chain and its displayed markets.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) expiries: Vec<Expiry>,
    slices: Vec<Slice>,
    horizons: Vec<f64>,
    thetas: Vec<f64>,
    pub(super) reference: f64,
    pub(super) random: Stream,
    pub(super) sizes: Stream,
    early_due: u64,
    /// Volatility of the third listed expiry over its usual level: wide markets in wild ones.
    stress: f64,
    /// Option quotes displayed and how many of them changed only a size.
    pub(super) quotes: u64,
    pub(super) size_only: u64,
    /// How eagerly quotes follow fair value: 1 at the default density, less at higher ones.
    pub(super) patience: f64,
}

/// Names a contract of the desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct At {
    pub(super) expiry: usize,
    pub(super) strike: usize,
    pub(super) right: Right,
}

/// Legal increment in cents of the penny class at a price.
fn tick(cents: f64) -> f64 {
    if cents < 300.0 { 1.0 } else { 5.0 }
}

/// Bid and ask in cents around a fair value: rounded outward to legal prices.
pub(super) fn outward(fair: f64, half: f64) -> (i32, i32) {
    let low = (fair - half) * 100.0;
    let bid = if low < 1.0 { 0.0 } else { libm::floor(low / tick(low) + 1e-9) * tick(low) };
    let high = (fair + half) * 100.0;
    let ask = libm::ceil(high / tick(high) - 1e-9) * tick(high);
    (bid as i32, (ask as i32).max(1))
}

/// Half the spread a maker quotes, in currency: fixed cost, hedging cost (in proportion to volatility),
/// noise of volatility.
fn half_spread(slice: &Slice, spot: f64, d1: f64, delta: f64, stress: f64) -> f64 {
    let delta = delta.abs();
    let vega_point = 0.01 * spot * normal_pdf(d1) * slice.years.sqrt();
    0.004 + stress * (0.010 * delta + 0.035 * delta * delta * delta + 0.18 * vega_point)
}

impl Desk {
    pub(super) fn new(seed: u64) -> Desk {
        Desk {
            expiries: Vec::new(),
            slices: Vec::new(),
            horizons: Vec::new(),
            thetas: Vec::new(),
            reference: 0.0,
            random: Stream::new(seed, Purpose::OptionQuotes),
            sizes: Stream::new(seed, Purpose::Sizes),
            early_due: 0,
            stress: 1.0,
            quotes: 0,
            size_only: 0,
            patience: 1.0,
        }
    }

    /// Slices of the surface at an instant; expiries that are over have none left.
    pub(super) fn refresh_surface(&mut self, model: &Model, clock: &Clock, ts: u64) {
        let at = clock.at(ts);
        self.horizons.clear();
        self.horizons.extend(self.expiries.iter().map(|expiry| (expiry.clock_at_expiry - at).max(0.0)));
        total_variances(model, &self.horizons, &mut self.thetas);
        self.slices.clear();
        for (expiry, &theta) in self.expiries.iter().zip(&self.thetas) {
            let years = expiry.day.close.saturating_sub(ts) as f64 / YEAR_NS;
            self.slices.push(Slice::new(model, theta, years));
        }
        if let Some(slice) = self.slices.iter().rev().nth(2).filter(|slice| slice.years > 0.0) {
            self.stress = (slice.vol(0.0) / USUAL_VOL).clamp(0.8, 3.0);
        }
    }

    /// Standard deviation of the log return to each expiry, at the money.
    pub(super) fn deviations(&self) -> Vec<f64> {
        self.slices.iter().map(|slice| slice.theta.sqrt()).collect()
    }

    /// Values the strikes at a reference price; the far expiries only when due, unless `every` is set.
    pub(super) fn value(&mut self, reference: f64, ts: u64, every: bool) {
        self.reference = reference;
        let ln_spot = libm::log(reference);
        let refresh_early = ts >= self.early_due;
        if refresh_early {
            self.early_due = ts + EARLY_REFRESH_S * 1_000_000_000;
        }
        for (index, (expiry, slice)) in self.expiries.iter_mut().zip(&self.slices).enumerate() {
            // Later expiries have wider markets: they are looked at when the price moved a whole tick.
            let is_due = ts >= expiry.value_due || (reference - expiry.valued_at).abs() >= FAR_LOOK;
            expiry.is_fresh = index < NEAR_EXPIRIES || is_due || refresh_early || every;
            if !expiry.is_fresh {
                continue;
            }
            (expiry.valued_at, expiry.value_due) = (reference, ts + FAR_LOOK_NS);
            for strike in &mut expiry.strikes {
                let fair = slice.european(ln_spot, reference, strike.strike, strike.ln_strike);
                if refresh_early {
                    strike.early = slice.early_exercise(strike.strike, fair.deviation);
                }
                strike.put = match &strike.early {
                    Some(early) => early.american(fair.put, ln_spot, reference, strike.strike),
                    None => fair.put,
                };
                strike.fair = fair;
            }
        }
    }

    /// The slice of an expiry.
    pub(super) fn slice(&self, expiry: usize) -> &Slice {
        &self.slices[expiry]
    }

    /// Replaces the quotes that fair value has outrun, 1 to 30 ms after `ts`; returns how many.
    pub(super) fn requote(&mut self, ts: u64, widening: f64, outbox: &mut Outbox) -> u64 {
        let mut replaced = 0;
        for index in 0..self.expiries.len() {
            let slice = self.slices[index];
            if slice.years <= 0.0 || !self.expiries[index].is_fresh {
                continue;
            }
            for position in 0..self.expiries[index].strikes.len() {
                for right in [Right::Call, Right::Put] {
                    let at = At { expiry: index, strike: position, right };
                    replaced += u64::from(self.requote_one(at, &slice, ts, widening, outbox));
                }
            }
        }
        replaced
    }

    fn requote_one(&mut self, at: At, slice: &Slice, ts: u64, widening: f64, outbox: &mut Outbox) -> bool {
        let (reference, stress) = (self.reference, self.stress);
        let strike = &mut self.expiries[at.expiry].strikes[at.strike];
        let (fair, delta) = fair_of(strike, at.right);
        let d1 = strike.fair.d1;
        let shown = quote_of(strike, at.right);
        if !shown.is_open {
            return false;
        }
        if shown.half == 0.0 || shown.last_ts + 60_000 * MILLI < ts || widening != 1.0 {
            shown.half = half_spread(slice, reference, d1, delta, stress) * widening;
        }
        if !is_outrun(shown, fair, self.patience) {
            return false;
        }
        shown.half = half_spread(slice, reference, d1, delta, stress) * widening;
        let (bid, ask) = outward(fair, shown.half);
        if (bid, ask) == (shown.bid, shown.ask) {
            return false;
        }
        let delay = MILLI + (self.random.exponential() * 7e6).min(29e6) as u64;
        self.display(at, ts + delay, bid, ask, outbox);
        true
    }

    /// Displays prices, drawing new sizes for the sides that moved.
    pub(super) fn display(&mut self, at: At, ts: u64, bid: i32, ask: i32, outbox: &mut Outbox) {
        let weight = depth(self, at);
        let (bid_size, ask_size) = (self.option_size(weight), self.option_size(weight));
        let shown = quote_of(&mut self.expiries[at.expiry].strikes[at.strike], at.right);
        if bid != shown.bid || shown.bid_size == 0 {
            shown.bid_size = if bid == 0 { 0 } else { bid_size };
        }
        if ask != shown.ask || shown.ask_size == 0 {
            shown.ask_size = ask_size;
        }
        (shown.bid, shown.ask) = (bid, ask);
        shown.is_open = true;
        emit(shown, ts, outbox);
        self.quotes += 1;
    }

    /// Changes one displayed size of a contract; `false` when it shows nothing to change.
    pub(super) fn flicker(&mut self, at: At, ts: u64, outbox: &mut Outbox) -> bool {
        let weight = depth(self, at);
        let size = self.option_size(weight);
        let (on_bid, is_small, step) =
            (self.random.chance(0.5), self.random.chance(0.6), 1 + self.random.below(5) as i32);
        let shown = quote_of(&mut self.expiries[at.expiry].strikes[at.strike], at.right);
        if !shown.is_open {
            return false;
        }
        let on_bid = on_bid && shown.bid > 0;
        let side = if on_bid { &mut shown.bid_size } else { &mut shown.ask_size };
        *side = match (is_small, size == *side) {
            (true, _) if *side > step && step % 2 == 0 => *side - step,
            (true, _) => *side + step,
            (false, true) => size + 1,
            (false, false) => size,
        };
        emit(shown, ts, outbox);
        self.quotes += 1;
        self.size_only += 1;
        true
    }

    fn option_size(&mut self, weight: f64) -> i32 {
        i32::try_from(self.sizes.heavy_size(18.0 * weight).min(2_000)).unwrap_or(1)
    }

    /// Draws a contract: near expiries and near strikes more often.
    pub(super) fn draw(&mut self, spread: f64) -> Option<At> {
        let live = self.slices.iter().take_while(|slice| slice.years <= 0.0).count();
        let count = self.expiries.len().checked_sub(live).filter(|count| *count > 0)?;
        let rank = (self.random.exponential() * 1.6) as usize;
        let expiry = live + rank.min(count - 1);
        let strikes = &self.expiries[expiry].strikes;
        let money = strikes.partition_point(|strike| strike.strike < self.reference) as f64;
        let away = spread * self.random.exponential() * if self.random.chance(0.5) { 1.0 } else { -1.0 };
        let strike = libm::floor(money + away);
        if strike < 0.0 || strike >= strikes.len() as f64 {
            return None;
        }
        let strike = strike as usize;
        // Out-of-the-money contracts are the active ones.
        let is_otm = self.random.chance(0.72);
        let right =
            if (strikes[strike].strike >= self.reference) == is_otm { Right::Call } else { Right::Put };
        Some(At { expiry, strike, right })
    }

    /// The displayed market of a contract.
    pub(super) fn shown(&mut self, at: At) -> &mut Displayed {
        quote_of(&mut self.expiries[at.expiry].strikes[at.strike], at.right)
    }

    /// Fair value and delta of a contract.
    pub(super) fn fair(&self, at: At) -> (f64, f64) {
        fair_of(&self.expiries[at.expiry].strikes[at.strike], at.right)
    }

    /// The half-spread a contract would be quoted with.
    pub(super) fn half(&self, at: At) -> f64 {
        let d1 = self.expiries[at.expiry].strikes[at.strike].fair.d1;
        half_spread(&self.slices[at.expiry], self.reference, d1, self.fair(at).1, self.stress)
    }
}

/// Whether fair value came too near a side, or the market is wider than it should be.
fn is_outrun(shown: &Displayed, fair: f64, patience: f64) -> bool {
    let (bid, ask) = (f64::from(shown.bid) * 0.01, f64::from(shown.ask) * 0.01);
    let margin = (MARGIN + 0.5 * (1.0 - patience)) * shown.half;
    if ask < fair + margin || (shown.bid > 0 && bid > fair - margin) {
        return true;
    }
    let slack = 0.01 * tick(fair * 100.0) * (0.4 + 1.1 * patience);
    let reach = (1.0 + patience) * shown.half + slack;
    ask > fair + reach || (bid < fair - reach && fair - shown.half >= 0.02)
}

/// Fair value and delta of one side of a strike.
pub(super) fn fair_of(strike: &Strike, right: Right) -> (f64, f64) {
    match right {
        Right::Call => (strike.fair.call, strike.fair.call_delta),
        Right::Put => (strike.put, strike.fair.call_delta - 1.0),
    }
}

pub(super) fn quote_of(strike: &mut Strike, right: Right) -> &mut Displayed {
    match right {
        Right::Call => &mut strike.call_quote,
        Right::Put => &mut strike.put_quote,
    }
}

/// Displayed depth relative to the money: deep and far contracts show less.
fn depth(desk: &Desk, at: At) -> f64 {
    let (_, delta) = desk.fair(at);
    let delta = delta.abs();
    0.35 + 2.6 * delta * (1.0 - delta)
}

fn emit(shown: &mut Displayed, ts: u64, outbox: &mut Outbox) {
    // Whole microseconds, and never before the contract's previous record.
    let ts = (ts / MICRO * MICRO).max(shown.last_ts + MICRO);
    shown.last_ts = ts;
    outbox.push(quote_record(ts, shown, 1));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_round_outward_to_legal_prices() {
        for (fair, half, expected) in [
            (0.004, 0.006, (0, 1)),
            (0.10, 0.007, (9, 11)),
            (2.99, 0.02, (297, 305)),
            (3.02, 0.02, (300, 305)),
            (7.333, 0.05, (725, 740)),
        ] {
            assert_eq!(outward(fair, half), expected, "{fair} {half}");
        }
    }
}

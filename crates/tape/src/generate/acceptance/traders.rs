//! Simple traders whose results tell whether displayed prices are fair.
//!
//! - Random: buys or sells a random contract at one snapshot and leaves at the next. At midpoints it
//!   earns nothing on average; at natural prices it loses the spread.
//! - Stale taker: sees the fund move and takes the option side that looks left behind, with 50 ms of
//!   latency. It must not earn anything.
//! - Hedger: buys an at-the-money straddle that expires today and hedges it every minute at its entry
//!   volatility; the result is ½ Σ Γ (ΔS² − S² Δw) up to the error of discrete hedging (Carr and Madan,
//!   1998).

use super::super::clock::{Clock, TradingDay};
use super::super::random::{Purpose, Stream};
use super::super::surface::normal_pdf;
use super::chain::{Market, Snapshot};

/// Contracts drawn at each snapshot.
const DRAWS: usize = 60;
/// Latency of the taker and how long it holds.
pub(super) const LATENCY_NS: u64 = 50_000_000;
const HOLD_NS: u64 = 2_000_000_000;

/// A contract's place in a snapshot.
type Place = (usize, usize, bool);

fn market(snapshot: &Snapshot, place: Place) -> Option<Market> {
    let pair = snapshot.months.get(place.0)?.pairs.get(place.1)?;
    Some(if place.2 { pair.call } else { pair.put })
}

/// Means over independent snapshots.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Clusters {
    count: f64,
    sum: f64,
    square: f64,
}

impl Clusters {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        self.sum += value;
        self.square += value * value;
    }

    fn mean(&self) -> f64 {
        self.sum / self.count
    }

    fn standard_error(&self) -> f64 {
        let mean = self.mean();
        ((self.square / self.count - mean * mean).max(0.0) / (self.count - 1.0)).sqrt()
    }
}

/// The random trader.
#[derive(Debug, Clone)]
pub(super) struct Random {
    stream: Stream,
    held: Vec<(u64, f64, Place, bool, Market)>,
    at_mid: Clusters,
    at_natural: Clusters,
    cost: Clusters,
}

impl Random {
    pub(super) fn new() -> Random {
        Random {
            stream: Stream::new(1, Purpose::Acceptance),
            held: Vec::new(),
            at_mid: Clusters::default(),
            at_natural: Clusters::default(),
            cost: Clusters::default(),
        }
    }

    /// Leaves what it holds and enters anew; a snapshot of another day only enters.
    pub(super) fn trade(&mut self, snapshot: &Snapshot, is_first_of_day: bool) {
        let held = std::mem::take(&mut self.held);
        let (mut mid, mut natural, mut cost, mut count) = (0.0, 0.0, 0.0, 0.0);
        for (expiry, strike, place, is_long, entry) in held {
            let Some(month) = snapshot.months.iter().position(|month| month.expiry == expiry) else {
                continue;
            };
            let is_same = snapshot.months[month].pairs.get(place.1).is_some_and(|pair| pair.strike == strike);
            let Some(exit) = market(snapshot, (month, place.1, place.2)).filter(|exit| exit.ask > 0.0) else {
                continue;
            };
            if !is_same || is_first_of_day {
                continue;
            }
            let sign = if is_long { 1.0 } else { -1.0 };
            let (bought, sold) = if is_long { (entry.ask, exit.bid) } else { (exit.ask, entry.bid) };
            mid += sign * (exit.mid() - entry.mid());
            natural += sold - bought;
            cost += 0.5 * (entry.ask - entry.bid) + 0.5 * (exit.ask - exit.bid);
            count += 1.0;
        }
        if count > 0.0 {
            self.at_mid.add(mid / count);
            self.at_natural.add(natural / count);
            self.cost.add(cost / count);
        }
        for _ in 0..DRAWS {
            let month = self.stream.below(snapshot.months.len() as u64) as usize;
            let Some(listed) = snapshot.months.get(month).filter(|listed| !listed.pairs.is_empty()) else {
                continue;
            };
            let place =
                (month, self.stream.below(listed.pairs.len() as u64) as usize, self.stream.chance(0.5));
            let is_long = self.stream.chance(0.5);
            if let Some(entry) = market(snapshot, place).filter(Market::is_two_sided) {
                self.held.push((listed.expiry, listed.pairs[place.1].strike, place, is_long, entry));
            }
        }
    }

    /// Mean result at midpoints in standard errors.
    pub(super) fn mid_in_errors(&self) -> f64 {
        self.at_mid.mean() / self.at_mid.standard_error()
    }

    /// Mean result at natural prices plus the spread paid, in standard errors.
    pub(super) fn natural_in_errors(&self) -> f64 {
        (self.at_natural.mean() + self.cost.mean()) / self.at_natural.standard_error()
    }

    /// Mean result at natural prices.
    pub(super) fn natural(&self) -> f64 {
        self.at_natural.mean()
    }
}

/// An order of the taker under way.
#[derive(Debug, Clone, Copy)]
struct Sent {
    instrument: usize,
    is_buy: bool,
    arrives: u64,
    leaves: u64,
    price: Option<f64>,
}

/// The stale taker.
#[derive(Debug, Clone, Default)]
pub(super) struct StaleTaker {
    open: Vec<Sent>,
    results: Vec<f64>,
    next: u64,
}

impl StaleTaker {
    /// Sends an order for a contract after the fund moved.
    pub(super) fn send(&mut self, ts: u64, instrument: usize, is_buy: bool) {
        if ts >= self.next {
            self.next = ts + HOLD_NS;
            let arrives = ts + LATENCY_NS;
            self.open.push(Sent { instrument, is_buy, arrives, leaves: arrives + HOLD_NS, price: None });
        }
    }

    /// Whether an order waits for the market.
    pub(super) fn is_waiting(&self) -> bool {
        !self.open.is_empty()
    }

    /// Time passed to `ts` with the market as `quoted` tells.
    pub(super) fn advance(&mut self, ts: u64, quoted: impl Fn(usize) -> Market) {
        for sent in &mut self.open {
            if sent.price.is_none() && ts >= sent.arrives {
                let market = quoted(sent.instrument);
                sent.price = Some(if sent.is_buy { market.ask } else { market.bid });
            }
        }
        self.open.retain(|sent| {
            let Some(price) = sent.price.filter(|_| ts >= sent.leaves) else { return true };
            let value = quoted(sent.instrument).mid();
            if price > 0.0 {
                self.results.push(if sent.is_buy { value - price } else { price - value });
            }
            false
        });
    }

    /// Mean result per trade, currency per share; nothing is earned where nothing was to be picked.
    pub(super) fn mean(&self) -> f64 {
        self.results.iter().sum::<f64>() / self.results.len().max(1) as f64
    }
}

/// A straddle to hedge: bought at `premium` per share at `ts`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Straddle {
    pub(super) ts: u64,
    pub(super) strike: f64,
    pub(super) premium: f64,
}

fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x * core::f64::consts::FRAC_1_SQRT_2)
}

/// Value, delta and gamma of a straddle with total variance `w` and no carry.
fn straddle(spot: f64, strike: f64, w: f64) -> (f64, f64, f64) {
    let deviation = w.sqrt();
    let d1 = libm::log(spot / strike) / deviation + 0.5 * deviation;
    let (n1, n2) = (normal_cdf(d1), normal_cdf(d1 - deviation));
    let call = spot * n1 - strike * n2;
    let gamma = normal_pdf(d1) / (spot * deviation);
    (2.0 * call - spot + strike, 2.0 * n1 - 1.0, 2.0 * gamma)
}

/// A move of this many of its minute's implied standard deviations is a jump.
const JUMP: f64 = 6.0;

/// Distance of the hedged result from ½ Σ Γ (ΔS² − S² Δw), over the premium; a jump counts with the change of
/// the straddle's value instead of ½ Γ ΔS² (Itô's formula for jump diffusions; Merton, 1976). `minutes` are the
/// fund's midpoints from the straddle's time to the close.
pub(super) fn hedging_gap(bought: &Straddle, day: &TradingDay, minutes: &[(u64, f64)]) -> Option<f64> {
    let clock = Clock::new(vec![*day]);
    let left = |ts: u64| clock.at(day.close) - clock.at(ts);
    let (_, spot) = *minutes.first()?;
    let (mut low, mut high) = (1e-10, 0.04);
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if straddle(spot, bought.strike, middle).0 < bought.premium {
            low = middle;
        } else {
            high = middle;
        }
    }
    let rate = 0.5 * (low + high) / left(bought.ts);
    let (mut hedge, mut expected) = (0.0, 0.0);
    for pair in minutes.windows(2) {
        let [(ts, before), (next, after)] = *pair else { continue };
        let w = (rate * left(ts)).max(1e-12);
        let (value, delta, gamma) = straddle(before, bought.strike, w);
        let change = after - before;
        let implied = before * before * rate * (left(ts) - left(next));
        hedge -= delta * change;
        let gain = if change * change > JUMP * JUMP * implied {
            straddle(after, bought.strike, w).0 - value - delta * change
        } else {
            0.5 * gamma * change * change
        };
        expected += gain - 0.5 * gamma * implied;
    }
    let (_, last) = *minutes.last()?;
    let result = (last - bought.strike).abs() - bought.premium + hedge;
    Some((result - expected).abs() / bought.premium)
}

//! A snapshot of the displayed chain, and what could be locked in by trading it at natural prices.
//!
//! Inequalities are those of American options on a fund without dividends, so none of them is spoiled
//! by early assignment: S − K ≤ C − P ≤ S − K e^{−rT}, vertical spreads between 0 and the difference of
//! strikes, convexity in the strike, and later expiries worth no less.

use super::super::surface::Slice;

/// Bid and ask in currency; a bid of 0 is no bid, an ask of 0 no offer.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Market {
    pub(super) bid: f64,
    pub(super) ask: f64,
}

impl Market {
    pub(super) fn mid(&self) -> f64 {
        0.5 * (self.bid + self.ask)
    }

    pub(super) fn is_two_sided(&self) -> bool {
        self.bid > 0.0 && self.ask > 0.0
    }
}

/// Call and put of a strike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pair {
    pub(super) strike: f64,
    pub(super) call: Market,
    pub(super) put: Market,
}

/// One expiry, strikes ascending.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Month {
    pub(super) expiry: u64,
    pub(super) years: f64,
    pub(super) pairs: Vec<Pair>,
}

/// The displayed market at one instant.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Snapshot {
    pub(super) ts: u64,
    pub(super) fund: Market,
    pub(super) months: Vec<Month>,
}

/// What snapshots add up to.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ChainTally {
    /// Trades that lock in a profit, by kind: conversion or reversal, box, vertical, butterfly, calendar.
    pub(super) arbitrages: [u64; 5],
    pub(super) snapshots: u64,
    parity_pairs: u64,
    parity_inside: u64,
    forward_errors: Vec<f64>,
    wings: u64,
    wings_without_bid: u64,
}

const DUST: f64 = 1e-9;
/// Far wings: distance from the spot in standard deviations to the expiry. The nearer end is about a delta of
/// 0.16, where wings are sold; beyond the further end nothing need be listed.
const FAR_WINGS: (f64, f64) = (1.0, 3.0);
/// A straddle at the money is worth √(2/π) S √w (Brenner and Subrahmanyam, 1988).
const STRADDLE: f64 = 0.797_884_560_802_865_4;

impl ChainTally {
    /// Judges one snapshot.
    pub(super) fn add(&mut self, snapshot: &Snapshot, rate: f64) {
        self.snapshots += 1;
        let mut previous: Option<&Month> = None;
        for month in &snapshot.months {
            let discount = libm::exp(-rate * month.years);
            for pair in &month.pairs {
                self.parity(pair, &snapshot.fund, discount);
            }
            self.strips(month, discount);
            self.forward(month, &snapshot.fund, rate);
            self.wings(month, &snapshot.fund);
            if let Some(previous) = previous {
                self.calendars(previous, month);
            }
            previous = Some(month);
        }
    }

    fn parity(&mut self, pair: &Pair, fund: &Market, discount: f64) {
        let Pair { strike, call, put } = *pair;
        if call.bid > 0.0 && put.ask > 0.0 && call.bid + strike * discount - put.ask - fund.ask > DUST {
            self.arbitrages[0] += 1;
        }
        if put.bid > 0.0 && call.ask > 0.0 && put.bid + fund.bid - call.ask - strike > DUST {
            self.arbitrages[0] += 1;
        }
        if call.is_two_sided() && put.is_two_sided() {
            let difference = call.mid() - put.mid();
            let (low, high) = (fund.mid() - strike, fund.mid() - strike * discount);
            let residual = (low - difference).max(difference - high).max(0.0);
            let spreads = (call.ask - call.bid) + (put.ask - put.bid) + (fund.ask - fund.bid);
            self.parity_pairs += 1;
            self.parity_inside += u64::from(residual <= 0.5 * spreads + DUST);
        }
    }

    fn strips(&mut self, month: &Month, discount: f64) {
        for (low, high) in month.pairs.iter().zip(month.pairs.iter().skip(1)) {
            let width = high.strike - low.strike;
            let free = |sold: Market, bought: Market| sold.bid > 0.0 && sold.bid - bought.ask > DUST;
            let rich = |sold: Market, bought: Market| sold.bid > 0.0 && sold.bid - bought.ask > width + DUST;
            self.arbitrages[2] += u64::from(free(high.call, low.call))
                + u64::from(free(low.put, high.put))
                + u64::from(rich(low.call, high.call))
                + u64::from(rich(high.put, low.put));
            let all_bid = [low.call, high.call, low.put, high.put].iter().all(Market::is_two_sided);
            if all_bid {
                let cost = low.call.ask - high.call.bid + high.put.ask - low.put.bid;
                let proceeds = low.call.bid - high.call.ask + high.put.bid - low.put.ask;
                self.arbitrages[1] += u64::from(cost < width * discount - DUST);
                self.arbitrages[1] += u64::from(proceeds > width + DUST);
            }
        }
        for three in month.pairs.windows(3) {
            let [left, middle, right] = three else { continue };
            if (middle.strike - left.strike - (right.strike - middle.strike)).abs() > DUST {
                continue;
            }
            for (a, b, c) in [(left.call, middle.call, right.call), (left.put, middle.put, right.put)] {
                self.arbitrages[3] += u64::from(b.bid > 0.0 && 2.0 * b.bid - a.ask - c.ask > DUST);
            }
        }
    }

    fn calendars(&mut self, near: &Month, far: &Month) {
        for pair in &near.pairs {
            let found = far.pairs.binary_search_by(|other| other.strike.total_cmp(&pair.strike));
            let Ok(index) = found else { continue };
            let other = &far.pairs[index];
            for (n, f) in [(pair.call, other.call), (pair.put, other.put)] {
                self.arbitrages[4] += u64::from(n.bid > 0.0 && n.bid - f.ask > DUST);
            }
        }
    }

    /// The forward from the four pairs nearest the money, weighted by inverse squared spread.
    fn forward(&mut self, month: &Month, fund: &Market, rate: f64) {
        let discount = libm::exp(-rate * month.years);
        let spot = fund.mid();
        let mut near: Vec<&Pair> =
            month.pairs.iter().filter(|pair| pair.call.is_two_sided() && pair.put.is_two_sided()).collect();
        near.sort_by(|a, b| (a.strike - spot).abs().total_cmp(&(b.strike - spot).abs()));
        let (mut sum, mut weights) = (0.0, 0.0);
        for pair in near.iter().take(4) {
            let spread = (pair.call.ask - pair.call.bid) + (pair.put.ask - pair.put.bid);
            let weight = 1.0 / (spread * spread);
            let put = european_put(pair, spot, month.years, rate);
            sum += weight * (pair.strike + (pair.call.mid() - put) / discount);
            weights += weight;
        }
        if weights > 0.0 {
            self.forward_errors.push((sum / weights * discount / spot - 1.0).abs());
        }
    }

    fn wings(&mut self, month: &Month, fund: &Market) {
        let spot = fund.mid();
        // In the last two hours of an expiry every wing is worthless.
        if month.years < 0.08 / 365.0 {
            return;
        }
        let deviation = month_deviation(month, spot);
        for pair in &month.pairs {
            let otm = if pair.strike > spot { pair.call } else { pair.put };
            let away = libm::log(pair.strike / spot).abs() / deviation;
            if away > FAR_WINGS.0 && away <= FAR_WINGS.1 && otm.ask > 0.0 {
                self.wings += 1;
                self.wings_without_bid += u64::from(otm.bid == 0.0);
            }
        }
    }

    /// Share of pairs whose mids satisfy parity within half the summed spread.
    pub(super) fn parity_share(&self) -> f64 {
        self.parity_inside as f64 / self.parity_pairs as f64
    }

    /// Error of the implied forward that 95 % of the estimates stay below, relative.
    pub(super) fn forward_error(&self) -> f64 {
        let mut errors = self.forward_errors.clone();
        errors.sort_by(f64::total_cmp);
        errors.get(errors.len() * 95 / 100).copied().unwrap_or(f64::NAN)
    }

    /// Share of out-of-the-money options in the far wings that show no bid.
    pub(super) fn wings_without_bid_share(&self) -> f64 {
        self.wings_without_bid as f64 / self.wings as f64
    }
}

/// Standard deviation of the log return to an expiry, from its straddle at the money; not a number without one.
fn month_deviation(month: &Month, spot: f64) -> f64 {
    let near = |pair: &&Pair| (pair.strike - spot).abs();
    let at_money = month.pairs.iter().min_by(|a, b| near(a).total_cmp(&near(b)));
    at_money.map_or(f64::NAN, |pair| (pair.call.mid() + pair.put.mid()) / (spot * STRADDLE))
}

/// The put's midpoint without its early-exercise premium (volatility from the pair's straddle).
fn european_put(pair: &Pair, spot: f64, years: f64, rate: f64) -> f64 {
    let mid = pair.put.mid();
    let straddle = pair.call.mid() + mid - (spot - pair.strike).abs();
    let deviation = straddle / spot / STRADDLE;
    let flat = Slice::flat(deviation * deviation, years, rate);
    match flat.early_exercise(pair.strike, deviation) {
        Some(early) => mid - (early.american(mid, libm::log(spot), spot, pair.strike) - mid),
        None => mid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(strike: f64, call: (f64, f64), put: (f64, f64)) -> Pair {
        let market = |(bid, ask)| Market { bid, ask };
        Pair { strike, call: market(call), put: market(put) }
    }

    fn count(pairs: Vec<Pair>) -> [u64; 5] {
        let fund = Market { bid: 100.00, ask: 100.01 };
        let months = vec![Month { expiry: 1, years: 0.1, pairs }];
        let mut tally = ChainTally::default();
        tally.add(&Snapshot { ts: 0, fund, months }, 0.04);
        tally.arbitrages
    }

    #[test]
    fn each_arbitrage_is_seen() {
        let sound = vec![
            pair(99.0, (2.55, 2.60), (1.15, 1.20)),
            pair(100.0, (1.95, 2.00), (1.58, 1.63)),
            pair(101.0, (1.45, 1.50), (2.08, 2.15)),
        ];
        assert_eq!(count(sound.clone()), [0; 5]);
        let mut conversion = sound.clone();
        conversion[1].call = Market { bid: 2.30, ask: 2.35 };
        assert!(count(conversion)[0] > 0);
        let mut vertical = sound.clone();
        vertical[2].call = Market { bid: 2.10, ask: 2.15 };
        assert!(count(vertical)[2] > 0);
        let mut butterfly = sound;
        butterfly[1].put = Market { bid: 1.70, ask: 1.75 };
        assert!(count(butterfly)[3] > 0);
    }
}

//! Listens to records and adds up what the figures need.

use super::super::GenerateError;
use super::super::clock::TradingDay;
use super::super::sink::Sink;
use super::Figure;
use super::chain::{ChainTally, Market, Month, Pair, Snapshot};
use super::moments::{
    Return, STRETCHES_PER_DAY, autocorrelation, diurnal_ratio, kurtosis, stretch_of, values,
};
use super::traders::{Random, StaleTaker, Straddle, hedging_gap};
use onetape_engine::instrument::{InstrumentDef, TickRule};
use onetape_engine::num::{Nanos, Price};
use onetape_engine::record::{Body, Phase, Quote, Record, SessionPhase, Trade, TradeClass, flags};
use onetape_pricing::Right;
use std::collections::BTreeMap;

const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const YEAR_NS: f64 = 365.0 * 86_400e9;
/// Snapshots begin ten minutes after the open and come every five minutes, when nothing is in flight.
const SNAPSHOT_FROM: u64 = 10 * MINUTE;
const SNAPSHOT_EVERY: u64 = 5 * MINUTE;
const QUIET_NS: u64 = 60_000_000;

/// What the survey knows of an instrument.
#[derive(Debug, Clone, Copy)]
struct Listed {
    expiry: u64,
    strike: f64,
    right: Option<Right>,
    tick: TickRule,
    shown: Quote,
    is_seen: bool,
    is_firm: bool,
}

/// Counts of records.
#[derive(Debug, Clone, Default)]
struct Counts {
    option_quotes: u64,
    size_only: u64,
    option_trades: u64,
    at_side: u64,
    inside: u64,
    outside: u64,
    outside_unmarked: u64,
    illegal: u64,
    early_quotes: u64,
}

/// Adds up a session's figures record by record; also a [`Sink`].
#[derive(Debug)]
pub struct Survey {
    rate: f64,
    listed: Vec<Listed>,
    counts: Counts,
    day: Option<SessionPhase>,
    seconds: BTreeMap<u64, u32>,
    /// Day and minute of each option print.
    trade_minutes: Vec<(usize, u64)>,
    minutes: Vec<Vec<(u64, f64)>>,
    days: Vec<TradingDay>,
    straddles: Vec<(usize, Straddle)>,
    /// Time by displayed spread of the fund in ticks: crossed, locked, one, more.
    spread_time: [u64; 4],
    crossed_longest: u64,
    fund_changed: u64,
    fund_reference: (u64, f64),
    next_snapshot: u64,
    is_first_snapshot: bool,
    tally: ChainTally,
    random: Random,
    taker: StaleTaker,
}

fn market(quote: &Quote) -> Market {
    let live = |price: i64, size: i64| if size > 0 { price as f64 * 1e-9 } else { 0.0 };
    Market { bid: live(quote.bid, quote.bid_size), ask: live(quote.ask, quote.ask_size) }
}

impl Survey {
    /// An empty survey; `rate` is the continuously compounded interest rate of the session.
    pub fn new(rate: f64) -> Survey {
        Survey {
            rate,
            listed: Vec::new(),
            counts: Counts::default(),
            day: None,
            seconds: BTreeMap::new(),
            trade_minutes: Vec::new(),
            minutes: Vec::new(),
            days: Vec::new(),
            straddles: Vec::new(),
            spread_time: [0; 4],
            crossed_longest: 0,
            fund_changed: 0,
            fund_reference: (0, 0.0),
            next_snapshot: u64::MAX,
            is_first_snapshot: true,
            tally: ChainTally::default(),
            random: Random::new(),
            taker: StaleTaker::default(),
        }
    }

    fn phase(&mut self, phase: &SessionPhase) {
        if phase.phase == Phase::Open as u8 {
            self.day = Some(*phase);
            self.minutes.push(Vec::new());
            self.days.push(TradingDay {
                date: phase.trade_date,
                ordinal: 0,
                weekday: 0,
                open: phase.open,
                close: phase.close,
                utc_offset_s: phase.utc_offset_s,
            });
            self.next_snapshot = phase.open + SNAPSHOT_FROM;
            self.is_first_snapshot = true;
            self.fund_changed = phase.open;
            for listed in &mut self.listed {
                listed.is_seen = false;
            }
        } else {
            self.next_snapshot = u64::MAX;
        }
    }

    fn fund_quote(&mut self, ts: u64, quote: &Quote) {
        let Some(day) = self.day else { return };
        let before = self.listed[0];
        if before.is_seen && ts < day.close {
            let ticks = (before.shown.ask - before.shown.bid) / 10_000_000;
            let lasted = ts - self.fund_changed;
            self.spread_time[(ticks + 1).clamp(0, 3) as usize] += lasted;
            if ticks < 0 {
                self.crossed_longest = self.crossed_longest.max(lasted);
            }
        }
        self.fund_changed = ts;
        let mid = market(quote).mid();
        let Some(minutes) = self.minutes.last_mut() else { return };
        let minute = day.open + (ts - day.open) / MINUTE * MINUTE + MINUTE;
        match minutes.last_mut() {
            Some(last) if last.0 == minute => last.1 = mid,
            _ => minutes.push((minute, mid)),
        }
        let (since, reference) = self.fund_reference;
        if ts.saturating_sub(since) > SECOND / 10 {
            if (mid - reference).abs() >= 0.02 && since > day.open + SNAPSHOT_FROM {
                self.chase(ts, mid, mid > reference);
            }
            self.fund_reference = (ts, mid);
        }
    }

    /// The stale taker picks the near-the-money call of the nearest expiry.
    fn chase(&mut self, ts: u64, spot: f64, is_up: bool) {
        let wanted = if is_up { Right::Call } else { Right::Put };
        let best = self
            .listed
            .iter()
            .enumerate()
            .filter(|(_, listed)| listed.right == Some(wanted) && listed.is_seen && listed.expiry > ts)
            .min_by(|(_, a), (_, b)| {
                a.expiry.cmp(&b.expiry).then((a.strike - spot).abs().total_cmp(&(b.strike - spot).abs()))
            });
        if let Some((instrument, _)) = best {
            self.taker.send(ts, instrument, true);
        }
    }

    fn option_quote(&mut self, record: &Record, quote: &Quote) {
        let listed = &self.listed[record.instrument().index()];
        self.counts.option_quotes += 1;
        if self.day.is_none_or(|day| record.ts < day.open) {
            self.counts.early_quotes += 1;
        }
        let is_same = listed.is_seen && (listed.shown.bid, listed.shown.ask) == (quote.bid, quote.ask);
        self.counts.size_only += u64::from(is_same);
    }

    fn trade(&mut self, record: &Record, trade: &Trade) {
        let listed = self.listed[record.instrument().index()];
        if !listed.tick.is_legal(Price(trade.price)) {
            self.counts.illegal += 1;
        }
        if listed.right.is_none() {
            return;
        }
        self.counts.option_trades += 1;
        if let Some(day) = self.day {
            let minute = record.ts.saturating_sub(day.open) / MINUTE;
            self.trade_minutes.push((self.days.len().saturating_sub(1), minute));
        }
        let (bid, ask) = (listed.shown.bid, listed.shown.ask);
        if trade.price == bid || trade.price == ask {
            self.counts.at_side += 1;
        } else if trade.price > bid && trade.price < ask {
            self.counts.inside += 1;
        } else {
            self.counts.outside += 1;
            self.counts.outside_unmarked += u64::from(TradeClass::from_wire(trade.class).is_eligible());
        }
    }

    fn snapshot(&self, ts: u64) -> Snapshot {
        let mut months: BTreeMap<u64, BTreeMap<i64, Pair>> = BTreeMap::new();
        for listed in &self.listed {
            let Some(right) = listed.right else { continue };
            if !listed.is_seen || !listed.is_firm || listed.expiry <= ts {
                continue;
            }
            let key = libm::rint(listed.strike * 1_000.0) as i64;
            let empty = Pair { strike: listed.strike, call: Market::default(), put: Market::default() };
            let pair = months.entry(listed.expiry).or_default().entry(key).or_insert(empty);
            match right {
                Right::Call => pair.call = market(&listed.shown),
                Right::Put => pair.put = market(&listed.shown),
            }
        }
        let months = months
            .into_iter()
            .map(|(expiry, pairs)| Month {
                expiry,
                years: (expiry - ts) as f64 / YEAR_NS,
                pairs: pairs.into_values().collect(),
            })
            .collect();
        Snapshot { ts, fund: market(&self.listed[0].shown), months }
    }

    /// Takes the snapshot that is due, before `ts` is applied.
    fn look(&mut self, ts: u64) {
        let Some(day) = self.day else { return };
        let fund = market(&self.listed[0].shown);
        let is_quiet = ts.saturating_sub(self.fund_changed) > QUIET_NS && fund.bid < fund.ask;
        if ts < self.next_snapshot || !is_quiet || ts >= day.close {
            return;
        }
        self.next_snapshot += SNAPSHOT_EVERY;
        let snapshot = self.snapshot(ts);
        if snapshot.months.is_empty() {
            return;
        }
        self.tally.add(&snapshot, self.rate);
        self.random.trade(&snapshot, self.is_first_snapshot);
        self.is_first_snapshot = false;
        let index = self.days.len() - 1;
        let is_due = ts >= day.open + 30 * MINUTE && self.straddles.iter().all(|(at, _)| *at != index);
        let expiring = snapshot.months.first().filter(|month| is_due && month.expiry == day.close);
        let nearest = expiring.and_then(|month| {
            let spot = snapshot.fund.mid();
            month.pairs.iter().min_by(|a, b| (a.strike - spot).abs().total_cmp(&(b.strike - spot).abs()))
        });
        if let Some(pair) = nearest.filter(|pair| pair.call.is_two_sided() && pair.put.is_two_sided()) {
            let premium = pair.call.mid() + pair.put.mid();
            self.straddles.push((index, Straddle { ts, strike: pair.strike, premium }));
        }
    }

    /// The figures of everything heard so far.
    pub fn figures(&self) -> Vec<Figure> {
        let mut figures = self.fund_figures();
        figures.extend(self.quote_figures());
        figures.extend(self.price_figures());
        figures
    }

    fn fund_figures(&self) -> Vec<Figure> {
        let returns = self.returns();
        let stretches = self.minutes.len() * STRETCHES_PER_DAY;
        let sizes = |without: Option<usize>| -> Vec<f64> {
            values(&returns, without).into_iter().map(f64::abs).collect()
        };
        let total = self.spread_time.iter().sum::<u64>() as f64;
        let share = |index: usize| self.spread_time[index] as f64 / total;
        let cluster = (1..=5).map(|lag| autocorrelation(&sizes(None), lag)).sum::<f64>() / 5.0;
        vec![
            Figure::estimate(
                "fund: kurtosis of 1-minute returns",
                (5.0, f64::INFINITY),
                stretches,
                |without| kurtosis(&values(&returns, without)),
            ),
            Figure::estimate(
                "fund: autocorrelation of returns, lag 1",
                (-0.12, 0.12),
                stretches,
                |without| autocorrelation(&values(&returns, without), 1),
            ),
            Figure::new("fund: autocorrelation of |returns|, lags 1-5", cluster, 0.05, 0.7),
            Figure::estimate(
                "fund: |return| of first 30 minutes over midday",
                (1.2, 3.5),
                stretches,
                |without| diurnal_ratio(&returns, without),
            ),
            Figure::new("fund: share of time one tick wide", share(2), 0.80, 1.0),
            Figure::new("fund: share of time locked", share(1), 0.0005, 0.005),
            Figure::new("fund: longest crossed moment, ms", self.crossed_longest as f64 / 1e6, 0.0, 20.0),
        ]
    }

    /// One-minute returns of the fund with their minute of the day and their stretch of the session.
    fn returns(&self) -> Vec<Return> {
        let mut returns = Vec::new();
        for (index, (day, prices)) in self.days.iter().zip(&self.minutes).enumerate() {
            for pair in prices.windows(2) {
                let minute = (pair[1].0.saturating_sub(day.open) / MINUTE).saturating_sub(1);
                returns.push(Return {
                    minute,
                    stretch: stretch_of(index, minute),
                    value: libm::log(pair[1].1 / pair[0].1),
                });
            }
        }
        returns
    }

    fn quote_figures(&self) -> Vec<Figure> {
        let counts = &self.counts;
        let of = |part: u64, whole: u64| part as f64 / whole as f64;
        let mut busy: Vec<u32> = self.seconds.values().copied().collect();
        busy.sort_unstable();
        let median = busy.get(busy.len() / 2).copied().unwrap_or(0);
        let peak = busy.last().copied().unwrap_or(0);
        let trades = counts.option_trades;
        vec![
            Figure::new(
                "options: share of size-only updates",
                of(counts.size_only, counts.option_quotes),
                0.5,
                0.99,
            ),
            Figure::new("options: quotes per trade", of(counts.option_quotes, trades), 300.0, 5_000.0),
            Figure::new("peak second over median second", f64::from(peak) / f64::from(median), 50.0, 1e4),
            Figure::new("options: quotes before their opening", counts.early_quotes as f64, 0.0, 0.0),
            Figure::new("prices off the legal tick", counts.illegal as f64, 0.0, 0.0),
            Figure::new("trades: share at bid or ask", of(counts.at_side, trades), 0.60, 0.70),
            Figure::new("trades: share inside", of(counts.inside, trades), 0.25, 0.35),
            Figure::new("trades: share outside", of(counts.outside, trades), 0.0, 0.01),
            Figure::new("trades: outside without a condition", counts.outside_unmarked as f64, 0.0, 0.0),
            Figure::estimate(
                "trades: first and last 30 minutes over midday",
                (1.2, 6.0),
                self.days.len() * STRETCHES_PER_DAY,
                |without| self.trade_smile(without),
            ),
            Figure::new(
                "far wings (1 to 3 deviations): share without a bid",
                self.tally.wings_without_bid_share(),
                0.10,
                0.30,
            ),
        ]
    }

    fn price_figures(&self) -> Vec<Figure> {
        let [conversion, boxes, vertical, butterfly, calendar] = self.tally.arbitrages.map(|n| n as f64);
        let mut gaps = Vec::new();
        for (index, bought) in &self.straddles {
            let from: Vec<(u64, f64)> =
                self.minutes[*index].iter().copied().filter(|(ts, _)| *ts >= bought.ts).collect();
            gaps.extend(hedging_gap(bought, &self.days[*index], &from));
        }
        let gap = gaps.iter().sum::<f64>() / gaps.len() as f64;
        vec![
            Figure::new("snapshots of the chain", self.tally.snapshots as f64, 60.0, 1e9),
            Figure::new("arbitrage: conversions and reversals", conversion, 0.0, 0.0),
            Figure::new("arbitrage: boxes", boxes, 0.0, 0.0),
            Figure::new("arbitrage: verticals", vertical, 0.0, 0.0),
            Figure::new("arbitrage: butterflies", butterfly, 0.0, 0.0),
            Figure::new("arbitrage: calendars", calendar, 0.0, 0.0),
            Figure::new("parity within half the spreads, share", self.tally.parity_share(), 0.999, 1.0),
            Figure::new("implied spot error, 95 % quantile", self.tally.forward_error(), 0.0, 0.0015),
            Figure::new("random trades at mid, standard errors", self.random.mid_in_errors(), -3.0, 3.0),
            Figure::new(
                "random trades at natural plus spread, standard errors",
                self.random.natural_in_errors(),
                -2.0,
                2.0,
            ),
            Figure::new("random trades at natural, mean per share", self.random.natural(), -1.0, -0.01),
            Figure::new("hedged straddle less gamma P&L, over premium", gap, 0.0, 0.25),
            Figure::new("taker of stale quotes at 50 ms, mean per share", self.taker.mean(), -1.0, 1e-9),
        ]
    }

    /// Prints a minute in the first and last half hour over those of midday.
    fn trade_smile(&self, without: Option<usize>) -> f64 {
        let rate = |from: u64, to: u64| {
            let is_left_out = |stretch: usize| without == Some(stretch);
            let prints = self.trade_minutes.iter().filter(|(day, minute)| {
                (from..to).contains(minute) && !is_left_out(stretch_of(*day, *minute))
            });
            let minutes = (0..self.days.len())
                .flat_map(|day| (from..to).map(move |minute| (day, minute)))
                .filter(|(day, minute)| !is_left_out(stretch_of(*day, *minute)));
            (prints.count() as f64, minutes.count() as f64)
        };
        let (first, last, midday) = (rate(0, 30), rate(360, 390), rate(150, 270));
        (first.0 + last.0) / (first.1 + last.1) / (midday.0 / midday.1)
    }
}

impl Sink for Survey {
    fn define(&mut self, _ts: Nanos, def: &InstrumentDef) -> Result<(), GenerateError> {
        let terms = def.option.as_ref();
        self.listed.push(Listed {
            expiry: terms.map_or(u64::MAX, |terms| terms.expiry.0),
            strike: terms.map_or(0.0, |terms| terms.strike.to_f64()),
            right: terms.map(|terms| terms.right),
            tick: def.tick,
            shown: Quote::default(),
            is_seen: false,
            is_firm: true,
        });
        Ok(())
    }

    fn record(&mut self, record: &Record) -> Result<(), GenerateError> {
        if !self.listed.is_empty() {
            self.look(record.ts);
        }
        if self.taker.is_waiting() {
            let listed = &self.listed;
            self.taker.advance(record.ts, |instrument| market(&listed[instrument].shown));
        }
        *self.seconds.entry(record.ts / SECOND).or_default() +=
            u32::from(self.day.is_some_and(|day| record.ts >= day.open));
        match record.body() {
            Some(Body::SessionPhase(phase)) => self.phase(&phase),
            Some(Body::Trade(trade)) => self.trade(record, &trade),
            Some(Body::Quote(quote)) => {
                let index = record.instrument().index();
                let tick = self.listed[index].tick;
                if !tick.is_legal(quote.bid()) || !tick.is_legal(quote.ask()) {
                    self.counts.illegal += 1;
                }
                if index == 0 {
                    self.fund_quote(record.ts, &quote);
                } else {
                    self.option_quote(record, &quote);
                }
                let listed = &mut self.listed[index];
                listed.shown = quote;
                listed.is_seen = true;
                listed.is_firm = !record.has(flags::NON_FIRM);
            }
            _ => {}
        }
        Ok(())
    }
}

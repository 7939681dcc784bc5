//! One live day after another: definitions, open interest, opening rotation, trading, close.

use super::chain::{self, Expiry};
use super::clock::TradingDay;
use super::desk::{At, Desk, outward};
use super::faults::Faults;
use super::fund::{FEED_DELAY_NS, Fund, head};
use super::pace::{Pace, Seen};
use super::path::{Path, STEP_NS};
use super::prints::Tape;
use super::random::{Purpose, Stream};
use super::sink::{Outbox, Sink};
use super::{GenerateError, Progress, Scenario};
use onetape_engine::ids::InstrumentIx;
use onetape_engine::num::{Nanos, SCALE};
use onetape_engine::record::{Body, Head, Phase, Record, SessionPhase, Statistic, StatisticKind};
use onetape_pricing::Right;

const MICRO: u64 = 1_000;
const MILLI: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;
/// Definitions at 06:00 and open interest at 06:30 of a 09:30 open.
const DEFINITIONS_BEFORE_OPEN: u64 = 12_600 * SECOND;
const INTEREST_BEFORE_OPEN: u64 = 10_800 * SECOND;
/// Move of the latent price, in ticks, at which the chain is looked at again.
const LOOK_TICKS: f64 = 0.5;
/// Option quotes per option print.
const QUOTES_PER_PRINT: f64 = 345.0;
/// How far prints may run ahead of the U-shaped day when a wild market replaces quotes at all hours.
const PRINTS_AHEAD: f64 = 1.2;

/// The whole generated market.
pub(super) struct Live {
    pub(super) path: Path,
    pub(super) desk: Desk,
    pub(super) fund: Fund,
    pub(super) tape: Tape,
    pub(super) outbox: Outbox,
    pace: Pace,
    spells: Stream,
    pub(super) faults: Faults,
    pub(super) day_number: usize,
    defined: u32,
    look: f64,
    widening_until: u64,
    quotes_seen: u64,
    print_credit: f64,
    prints_before: u64,
    non_firm_at: u64,
    pub(super) scenario: Scenario,
}

impl Live {
    pub(super) fn new(seed: u64, path: Path, scenario: Scenario, per_day: u64) -> Live {
        Live {
            path,
            desk: Desk::new(seed),
            fund: Fund::new(seed),
            tape: Tape::new(seed),
            outbox: Outbox::default(),
            pace: Pace::new(seed, per_day),
            spells: Stream::new(seed, Purpose::Faults),
            faults: Faults::new(seed),
            day_number: 0,
            defined: 0,
            look: LOOK_TICKS * (150_000.0 / per_day.max(1) as f64).clamp(0.2, 1.0).sqrt(),
            widening_until: 0,
            quotes_seen: 0,
            print_credit: 0.0,
            prints_before: 0,
            non_firm_at: 0,
            scenario,
        }
    }

    /// Generates live day `n`.
    pub(super) fn day(
        &mut self,
        n: usize,
        sink: &mut dyn Sink,
        progress: &mut Progress<'_>,
    ) -> Result<(), GenerateError> {
        self.path.open_day(n);
        self.day_number = n;
        let today = self.path.clock.days()[self.path.day];
        self.morning(&today, sink)?;
        let price_changes = self.desk.quotes - self.desk.size_only;
        self.pace.begin_day(self.outbox.sent, price_changes);
        self.prints_before = self.tape.prints;
        self.phase(&today, Phase::Open, today.open);
        self.rotation(&today);
        // One spell of non-firm quotes on each third day, in one expiry.
        let spell = self.spells.uniform();
        self.non_firm_at =
            if n.is_multiple_of(3) { today.open + ((60.0 + 240.0 * spell) as u64) * 60 * SECOND } else { 0 };
        while !self.path.is_over() {
            self.step(&today)?;
            let until = today.open + self.path.steps_done() * STEP_NS;
            if self.is_silent(&today, until) {
                self.outbox.drop_before(until);
            }
            self.outbox.flush(until, sink)?;
            progress.report(self.outbox.sent);
        }
        self.close(&today, sink)
    }

    fn morning(&mut self, today: &TradingDay, sink: &mut dyn Sink) -> Result<(), GenerateError> {
        let spot = self.path.model.spot();
        let ts = Nanos(today.open - DEFINITIONS_BEFORE_OPEN);
        self.desk.expiries.retain(|expiry| expiry.day.ordinal >= today.ordinal);
        if self.defined == 0 {
            sink.define(ts, &chain::fund_definition())?;
            self.defined = 1;
            self.outbox.sent += 1;
        }
        for index in chain::listed_expiries(self.path.clock.days(), self.path.day) {
            let wanted = self.path.clock.days()[index];
            let at = self.desk.expiries.partition_point(|expiry| expiry.day.ordinal < wanted.ordinal);
            if self.desk.expiries.get(at).is_none_or(|expiry| expiry.day.ordinal != wanted.ordinal) {
                self.desk.expiries.insert(at, Expiry::new(&self.path.clock, index));
            }
        }
        self.desk.refresh_surface(&self.path.model, &self.path.clock, today.open);
        let deviations = self.desk.deviations();
        for (expiry, deviation) in self.desk.expiries.iter_mut().zip(deviations) {
            for cents in expiry.missing_strikes(today, spot, deviation) {
                for right in [Right::Call, Right::Put] {
                    sink.define(ts, &expiry.definition(cents, right))?;
                }
                expiry.add_strike(cents, self.defined, self.defined + 1);
                self.defined += 2;
                self.outbox.sent += 2;
            }
        }
        self.desk.value(spot, today.open, true);
        self.open_interest(today, spot);
        self.outbox.flush(today.open, sink)
    }

    pub(super) fn contracts(&self) -> Vec<At> {
        let mut all = Vec::new();
        for (expiry, listed) in self.desk.expiries.iter().enumerate() {
            for strike in 0..listed.strikes.len() {
                for right in [Right::Call, Right::Put] {
                    all.push(At { expiry, strike, right });
                }
            }
        }
        all
    }

    fn open_interest(&mut self, today: &TradingDay, spot: f64) {
        let ts = today.open - INTEREST_BEFORE_OPEN;
        for at in self.contracts() {
            let contracts = self.tape.open_interest(&mut self.desk, at, spot);
            let statistic = Statistic {
                value: contracts * SCALE,
                stat: StatisticKind::OpenInterest as u16,
                ..Statistic::default()
            };
            let instrument = self.desk.shown(at).instrument;
            self.outbox.push(Record::new(head(ts, instrument), Body::Statistic(statistic)));
        }
    }

    fn phase(&mut self, today: &TradingDay, phase: Phase, ts: u64) {
        let body = SessionPhase {
            open: today.open,
            close: today.close,
            trade_date: today.date,
            utc_offset_s: today.utc_offset_s,
            phase: phase as u8,
            reserved: [0; 15],
        };
        self.outbox.push(Record::new(Head::at(Nanos(ts), InstrumentIx::NONE), Body::SessionPhase(body)));
    }

    /// The fund opens by its cross, then the series open one after another, near the money first.
    fn rotation(&mut self, today: &TradingDay) {
        let spot = self.path.model.spot();
        let cents = self.fund.open(today.open, spot, &mut self.outbox);
        let statistic = Statistic {
            value: i64::from(cents) * 10_000_000,
            stat: StatisticKind::OpenPrice as u16,
            ..Statistic::default()
        };
        let ts = today.open + 182 * MILLI;
        self.outbox.push(Record::new(head(ts, 0), Body::Statistic(statistic)));
        for at in self.contracts() {
            let (fair, _) = self.desk.fair(at);
            let half = self.desk.half(at) * opening_widening(0.3);
            let (bid, ask) = outward(fair, half);
            let strike = self.desk.expiries[at.expiry].strikes[at.strike].strike;
            let away = (strike / spot - 1.0).abs().min(0.25);
            let wait = 250.0 + 1_200.0 * away + 110.0 * self.desk.random.exponential();
            let shown = self.desk.shown(at);
            shown.half = half;
            // Everything is new on the screen this morning.
            (shown.bid_size, shown.ask_size) = (0, 0);
            let ts = today.open + (wait * 1e6) as u64;
            self.desk.display(at, ts, bid, ask, &mut self.outbox);
        }
    }

    fn step(&mut self, today: &TradingDay) -> Result<(), GenerateError> {
        let moved = self.path.step();
        let elapsed = moved.ts - today.open;
        let jitter = self.desk.random.below(60) * MILLI + self.desk.random.below(1_000) * MICRO;
        let ts = moved.ts + jitter + FEED_DELAY_NS;
        if moved.jump.is_some() {
            self.widening_until = moved.ts + SECOND;
        }
        if moved.refreshed {
            let fraction = elapsed as f64 / (today.close - today.open) as f64;
            let price_changes = self.desk.quotes - self.desk.size_only;
            self.desk.patience = self.pace.patience(fraction, price_changes);
        }
        if moved.refreshed || moved.jump.is_some() {
            self.desk.refresh_surface(&self.path.model, &self.path.clock, moved.ts + STEP_NS);
        }
        if self.halt(today, moved.ts, moved.spot) {
            return Ok(());
        }
        self.dirt(today, ts);
        self.non_firm_spell(moved.ts);
        let mut widening = opening_widening(elapsed as f64 / 60e9);
        if moved.ts < self.widening_until {
            widening = widening.max(3.0);
        }
        let changed = elapsed >= 2 * STEP_NS && self.fund.follow(ts, moved.spot, widening, &mut self.outbox);
        let reference = self.fund.reference(moved.spot);
        let look = (reference - self.desk.reference).abs() * 100.0 >= self.look
            || moved.jump.is_some()
            || self.path.steps_done().is_multiple_of(10);
        let mut burst = 0;
        if look && elapsed >= SECOND {
            let every = moved.jump.is_some() || self.desk.patience < 0.5;
            self.desk.value(reference, moved.ts, every);
            burst = self.desk.requote(ts, widening, &mut self.outbox);
        }
        self.fill(today, ts, changed, burst);
        Ok(())
    }

    /// Size-only updates and prints up to the day's pace.
    fn fill(&mut self, today: &TradingDay, ts: u64, changed: bool, burst: u64) {
        let emitted = self.outbox.sent + self.outbox.waiting() as u64;
        let fraction = (ts - today.open) as f64 / (today.close - today.open) as f64;
        let price_changes = self.desk.quotes - self.desk.size_only;
        let seen = Seen {
            fraction,
            emitted,
            changed,
            burst,
            price_changes,
            size_only: self.desk.size_only,
            activity: self.path.activity,
        };
        let due = self.pace.due(&seen);
        for _ in 0..due.fund {
            let at = ts + self.desk.random.below(30) * MILLI;
            self.fund.flicker(at, &mut self.outbox);
        }
        if ts < today.open + 2 * SECOND {
            return;
        }
        let (mut left, mut tries) = (due.options, 4 * due.options);
        while left > 0 && tries > 0 {
            tries -= 1;
            let Some(at) = self.desk.draw(7.0) else { continue };
            let delay = MILLI + (self.desk.random.exponential() * 8e6).min(29e6) as u64;
            left -= u64::from(self.desk.flicker(at, ts + delay, &mut self.outbox));
        }
        self.print_credit += (self.desk.quotes - self.quotes_seen) as f64 / QUOTES_PER_PRINT;
        self.quotes_seen = self.desk.quotes;
        let prints_max = PRINTS_AHEAD * self.pace.quotes_due(fraction) / QUOTES_PER_PRINT;
        let is_ahead = (self.tape.prints - self.prints_before) as f64 > prints_max;
        if is_ahead || ts < today.open + 20 * SECOND {
            self.print_credit = 0.0;
        }
        while self.print_credit >= 1.0 {
            self.print_credit -= 1.0;
            let delay = 40 * MILLI + self.desk.random.below(20_000) * MICRO;
            for _ in 0..8 {
                if self.tape.print(&mut self.desk, ts + delay, &mut self.outbox) {
                    break;
                }
            }
        }
    }

    fn non_firm_spell(&mut self, ts: u64) {
        let is_spell = self.non_firm_at > 0 && ts >= self.non_firm_at && ts < self.non_firm_at + 3 * SECOND;
        let middle = self.desk.expiries.len() / 2;
        let Some(expiry) = self.desk.expiries.get_mut(middle) else { return };
        if expiry.strikes.first().is_some_and(|strike| strike.call_quote.non_firm != is_spell) {
            let mut again = Vec::new();
            for (position, strike) in expiry.strikes.iter_mut().enumerate() {
                (strike.call_quote.non_firm, strike.put_quote.non_firm) = (is_spell, is_spell);
                again.push(position);
            }
            for strike in again {
                for right in [Right::Call, Right::Put] {
                    let at = At { expiry: middle, strike, right };
                    let shown = *self.desk.shown(at);
                    if shown.is_open {
                        let at_ts = ts + FEED_DELAY_NS + self.spells.below(900) * MICRO;
                        self.desk.display(at, at_ts, shown.bid, shown.ask, &mut self.outbox);
                        self.desk.size_only += 1;
                    }
                }
            }
        }
    }

    fn close(&mut self, today: &TradingDay, sink: &mut dyn Sink) -> Result<(), GenerateError> {
        // Whatever was decided late in the last step is never displayed: the market is closed.
        self.outbox.flush(today.close, sink)?;
        self.outbox.clear();
        let cents = self.fund.close(today.close, &mut self.outbox);
        let statistic = Statistic {
            value: i64::from(cents) * 10_000_000,
            stat: StatisticKind::ClosePrice as u16,
            ts_ref: today.close,
            ..Statistic::default()
        };
        self.outbox.push(Record::new(head(today.close, 0), Body::Statistic(statistic)));
        self.phase(today, Phase::Close, today.close);
        for at in self.contracts() {
            let shown = self.desk.shown(at);
            (shown.is_open, shown.non_firm) = (false, false);
        }
        self.outbox.flush(today.close + 1, sink)
    }
}

/// Factor on every spread `minutes` after the open: 5 at first, 3 after five minutes, 1 soon after.
fn opening_widening(minutes: f64) -> f64 {
    match minutes {
        m if m < 5.0 => 5.0 - 0.4 * m,
        m if m < 7.0 => 3.0 - (m - 5.0),
        _ => 1.0,
    }
}

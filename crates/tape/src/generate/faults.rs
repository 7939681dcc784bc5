//! What goes wrong in the scenarios: halts and faulty records. An ordinary session has none of it.

use super::clock::TradingDay;
use super::desk::{At, outward};
use super::fund::{FEED_DELAY_NS, head, quote_record};
use super::live::Live;
use super::random::{Purpose, Stream};
use super::scenario::Scenario;
use onetape_engine::record::{Body, Record, Status};

const MICRO: u64 = 1_000;
const MILLI: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;
const TRADING: u16 = 1;
const HALTED: u16 = 2;
/// Mean time between faulty records.
const FAULT_EVERY_S: f64 = 90.0;
/// The feed is silent from 90 minutes after the open for 45 seconds.
const GAP_FROM: u64 = 90 * 60 * SECOND;
const GAP_LENGTH: u64 = 45 * SECOND;

/// State of the faults of a session.
#[derive(Debug)]
pub(super) struct Faults {
    random: Stream,
    pub(super) is_halted: bool,
    next_fault: u64,
}

impl Faults {
    pub(super) fn new(seed: u64) -> Faults {
        Faults { random: Stream::new(seed ^ 0xd1e7, Purpose::Faults), is_halted: false, next_fault: 0 }
    }
}

impl Live {
    /// Whether nothing arrives at this instant.
    pub(super) fn is_silent(&self, today: &TradingDay, ts: u64) -> bool {
        let since = ts.saturating_sub(today.open);
        self.scenario == Scenario::Dirty
            && self.day_number == 1
            && (GAP_FROM..GAP_FROM + GAP_LENGTH).contains(&since)
    }

    /// Begins and ends a halt; `true` while trading is halted.
    pub(super) fn halt(&mut self, today: &TradingDay, ts: u64, spot: f64) -> bool {
        let wanted = self.scenario.is_halted(self.day_number, today, ts);
        if wanted != self.faults.is_halted {
            self.faults.is_halted = wanted;
            let state = if wanted { HALTED } else { TRADING };
            let status = Body::Status(Status { state, reason: 1, ..Status::default() });
            let at = ts + FEED_DELAY_NS + 90 * MILLI;
            self.outbox.push(Record::new(head(at, 0), status));
            for contract in self.contracts() {
                let instrument = self.desk.shown(contract).instrument;
                self.outbox.push(Record::new(head(at + 2 * MICRO, instrument), status));
            }
            if !wanted {
                self.fund.reopen(at + MILLI, spot, &mut self.outbox);
                self.reopen_options(at + 20 * MILLI, spot);
            }
        }
        wanted
    }

    fn reopen_options(&mut self, ts: u64, spot: f64) {
        self.desk.refresh_surface(&self.path.model, &self.path.clock, ts);
        self.desk.value(spot, ts, true);
        for at in self.contracts() {
            let (fair, _) = self.desk.fair(at);
            let (bid, ask) = outward(fair, 3.0 * self.desk.half(at));
            let wait = MILLI * (1 + self.desk.random.below(300));
            self.desk.display(at, ts + wait, bid, ask, &mut self.outbox);
        }
    }

    /// Adds a faulty record now and then; displayed state is not touched, the next record is right again.
    pub(super) fn dirt(&mut self, today: &TradingDay, ts: u64) {
        if self.scenario != Scenario::Dirty || self.day_number != 1 || ts < self.faults.next_fault {
            return;
        }
        let wait = FAULT_EVERY_S * self.faults.random.exponential();
        let is_first = self.faults.next_fault == 0;
        self.faults.next_fault = ts + (wait * 1e9) as u64;
        if is_first || ts < today.open + 600 * SECOND {
            return;
        }
        let Some(at) = self.desk.draw(5.0) else { return };
        match self.faults.random.below(4) {
            0 => self.outlier(ts),
            1 => self.duplicate(at, ts),
            2 => self.crossed(at, ts),
            _ => self.late(ts),
        }
    }

    fn outlier(&mut self, ts: u64) {
        let mut wrong = self.fund.shown;
        (wrong.bid, wrong.ask) = (wrong.bid * 6 / 5, wrong.ask * 6 / 5);
        self.outbox.push(quote_record(ts, &wrong, 100));
        self.outbox.push(quote_record(ts + 3 * MILLI, &self.fund.shown, 100));
    }

    fn duplicate(&mut self, at: At, ts: u64) {
        let shown = *self.desk.shown(at);
        if shown.is_open {
            self.outbox.push(quote_record(ts, &shown, 1));
            self.outbox.push(quote_record(ts, &shown, 1));
        }
    }

    fn crossed(&mut self, at: At, ts: u64) {
        let shown = *self.desk.shown(at);
        if shown.is_open && shown.bid > 0 {
            let mut wrong = shown;
            (wrong.bid, wrong.ask) = (shown.ask, shown.bid);
            self.outbox.push(quote_record(ts, &wrong, 1));
            self.outbox.push(quote_record(ts + 5 * SECOND, &shown, 1));
        }
    }

    /// A quote that happened ten seconds before it arrived.
    fn late(&mut self, ts: u64) {
        let mut record = quote_record(ts, &self.fund.shown, 100);
        record.ts_src -= 10 * SECOND;
        self.outbox.push(record);
    }
}

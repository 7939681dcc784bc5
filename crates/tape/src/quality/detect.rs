//! Judges records one by one, looking back only.

mod memory;

use super::{Finding, Findings};
use memory::Memory;
use onetape_engine::input::Cold;
use onetape_engine::record::{Body, Kind, Phase, Record, SessionPhase, flags};

/// A feed is never called silent for less than a minute, nor for less than three of its steps.
const GAP_NS: u64 = 60_000_000_000;
const GAP_STEPS: u64 = 3;

/// What one record showed, and what it counts towards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Judgement {
    /// Doubts about the record or the feed before it.
    pub findings: Findings,
    /// Whether it closed a quote, and whether that has both sides.
    pub is_quote: bool,
    /// Both sides are live.
    pub is_two_sided: bool,
    /// It stated a price that was compared with those before.
    pub is_price: bool,
    /// Nanoseconds of silence, where the feed has a gap.
    pub silence_ns: u64,
    /// Nanoseconds of a session before its first and after its last record.
    pub uncovered_ns: u64,
}

/// Judges inputs in the order of the tape.
#[derive(Debug, Default)]
pub struct Detector {
    instruments: Vec<Memory>,
    session: Option<SessionPhase>,
    /// From the session's open to its first record; `None` before one came.
    head_ns: Option<u64>,
    /// Receipt time of the last market record, or of the open.
    fed_at: u64,
    /// Shortest step between two market records, at least one nanosecond.
    step_ns: u64,
    is_fed: bool,
    session_ns: u64,
}

impl Detector {
    /// A detector that has seen nothing.
    pub fn new() -> Detector {
        Detector::default()
    }

    /// Nanoseconds of regular session seen so far.
    pub fn session_ns(&self) -> u64 {
        self.session_ns
    }

    /// Judges one input; definitions and session phases are taken note of.
    pub fn observe(&mut self, record: &Record, cold: Option<&Cold>) -> Judgement {
        if let Some(Cold::Definition(def)) = cold {
            let place = record.instrument as usize;
            // Importers number definitions themselves; a later one of a number replaces the earlier.
            if place >= self.instruments.len() {
                self.instruments.resize(place + 1, Memory::of(def));
            }
            self.instruments[place] = Memory::of(def);
            return Judgement::default();
        }
        match record.body() {
            Some(Body::SessionPhase(phase)) => self.phase(&phase, record.ts),
            Some(body) if record.kind().is_some_and(Kind::is_market) => self.market(record, &body),
            _ => Judgement::default(),
        }
    }

    fn phase(&mut self, phase: &SessionPhase, ts: u64) -> Judgement {
        let mut judgement = Judgement::default();
        if phase.phase == Phase::Open as u8 {
            for memory in &mut self.instruments {
                memory.forget_quotes();
            }
            (self.session, self.head_ns) = (Some(*phase), None);
            self.fed_at = ts;
        } else if let Some(open) = self.session.take() {
            match self.head_ns.take() {
                // A session without any record lies between others.
                None => self.silence(ts, &mut judgement),
                Some(head) => {
                    let bound = self.bound_ns();
                    let ends = [head, ts.saturating_sub(self.fed_at)];
                    judgement.uncovered_ns = ends.into_iter().filter(|silence| *silence > bound).sum();
                }
            }
            if judgement.uncovered_ns > 0 {
                judgement.findings.insert(Finding::Uncovered);
            }
            self.session_ns += ts.saturating_sub(open.open);
        }
        judgement
    }

    /// Silence up to here is the feed's rhythm; before two records are seen that is unknown.
    fn bound_ns(&self) -> u64 {
        if self.step_ns == 0 { u64::MAX } else { GAP_NS.max(GAP_STEPS * self.step_ns) }
    }

    /// A silence of the feed up to `ts`, within a session.
    fn silence(&mut self, ts: u64, judgement: &mut Judgement) {
        let silence = ts.saturating_sub(self.fed_at);
        if silence > self.bound_ns() {
            judgement.findings.insert(Finding::Gap);
            judgement.silence_ns = silence;
        }
    }

    fn market(&mut self, record: &Record, body: &Body) -> Judgement {
        let mut judgement = Judgement::default();
        let is_feed = !matches!(body, Body::Statistic(_) | Body::Status(_));
        if is_feed {
            if self.session.is_some() {
                match self.head_ns {
                    Some(_) => self.silence(record.ts, &mut judgement),
                    None => self.head_ns = Some(record.ts.saturating_sub(self.fed_at)),
                }
            }
            let step = record.ts.saturating_sub(self.fed_at);
            if self.is_fed && step > 0 && (self.step_ns == 0 || step < self.step_ns) {
                self.step_ns = step;
            }
            (self.fed_at, self.is_fed) = (record.ts, true);
        }
        let in_session = self.session.is_some() && !record.has(flags::EXTENDED);
        let Some(memory) = self.instruments.get_mut(record.instrument as usize) else { return judgement };
        if record.ts_src < memory.last_src {
            judgement.findings.insert(Finding::OutOfOrder);
        }
        memory.last_src = memory.last_src.max(record.ts_src);
        if record.ts_src > memory.expiry && is_feed {
            judgement.findings.insert(Finding::AfterExpiry);
        }
        match body {
            Body::Quote(quote) => {
                memory.repeat(record, 0, true, &mut judgement);
                memory.quote(record, quote, in_session, &mut judgement);
            }
            Body::Trade(trade) => {
                // An order-by-order feed numbers orders, not prints.
                let is_numbered = trade.feed == 0 && (trade.trade_id != 0 || trade.sequence != 0);
                memory.repeat(record, 1, is_numbered, &mut judgement);
                memory.trade(record, trade, &mut judgement);
            }
            Body::TradeBar(bar) => {
                memory.repeat(record, 1, true, &mut judgement);
                memory.bar(record, bar, &mut judgement);
            }
            Body::BidBar(half) => {
                memory.repeat(record, 2, true, &mut judgement);
                memory.half(record, half, in_session, &mut judgement);
            }
            Body::AskBar(half) => {
                memory.repeat(record, 3, true, &mut judgement);
                memory.half(record, half, in_session, &mut judgement);
            }
            _ => {}
        }
        judgement
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use onetape_engine::ids::{InstrumentIx, VenueIx};
    use onetape_engine::instrument::InstrumentDef;
    use onetape_engine::num::Nanos;
    use onetape_engine::record::{Bar, HalfBar, Head, Quote, Trade};

    const CENT: i64 = 10_000_000;
    const SECOND: u64 = 1_000_000_000;
    const OPEN: u64 = 1_000_000 * SECOND;

    fn detector() -> Detector {
        let mut detector = Detector::new();
        let cold = Cold::Definition(Box::new(InstrumentDef::equity("ONE")));
        let head = Head::at(Nanos(OPEN - 1), InstrumentIx(0));
        detector.observe(&Record::new(head, Body::Cold(0)), Some(&cold));
        detector.observe(&phase(Phase::Open, OPEN), None);
        detector
    }

    fn phase(phase: Phase, at: u64) -> Record {
        let body = SessionPhase { open: OPEN, phase: phase as u8, ..SessionPhase::default() };
        Record::new(Head::at(Nanos(at), InstrumentIx::NONE), Body::SessionPhase(body))
    }

    fn head(at: u64, flags: u8) -> Head {
        let ts = Nanos(OPEN + at * SECOND);
        Head { ts, ts_src: ts, instrument: InstrumentIx(0), venue: VenueIx(0), flags }
    }

    fn quote(at: u64, bid: i64, ask: i64) -> Record {
        let size = |price: i64| if price == 0 { 0 } else { 1_000_000_000 };
        let quote = Quote {
            bid: bid * CENT,
            ask: ask * CENT,
            bid_size: size(bid),
            ask_size: size(ask),
            ..Quote::default()
        };
        Record::new(head(at, flags::LAST | flags::BID | flags::ASK), Body::Quote(quote))
    }

    fn half(at: u64, kind: Kind, flags: u8, close: i64) -> Record {
        let close = close * CENT;
        let half = HalfBar { open: close, high: close, low: close, close, size: 1_000_000_000 };
        let body = if kind == Kind::BidBar { Body::BidBar(half) } else { Body::AskBar(half) };
        Record::new(head(at, flags), body)
    }

    fn names(judgement: Judgement) -> Vec<&'static str> {
        judgement.findings.iter().map(Finding::name).collect()
    }

    #[test]
    fn quotes_are_judged_as_they_stand() {
        let mut detector = detector();
        for (record, expected) in [
            (quote(1, 5000, 5001), &[][..]),
            (quote(1, 5000, 5001), &["duplicate"]),
            (quote(2, 5001, 5001), &["locked"]),
            (quote(3, 5002, 5001), &["crossed"]),
            (quote(4, 0, 5001), &["one_sided"]),
            (quote(5, 9000, 5001), &["impossible"]),
            (quote(6, -1, 5001), &["impossible"]),
            (quote(7, 5000, 5001), &[]),
            (quote(5, 5000, 5002), &["out_of_order"]),
        ] {
            assert_eq!(names(detector.observe(&record, None)), expected, "{record:?}");
        }
        let mut off = quote(8, 5000, 5001);
        off.body[0] += 1;
        assert_eq!(names(detector.observe(&off, None)), ["off_tick"]);
    }

    #[test]
    fn halves_of_one_bar_are_judged_together() {
        use flags::{ASK, BID, LAST};
        let mut detector = detector();
        let mut see = |record| names(detector.observe(&record, None));
        assert_eq!(see(half(60, Kind::BidBar, BID, 5000)), [""; 0]);
        assert_eq!(see(half(60, Kind::AskBar, ASK | LAST, 5001)), [""; 0]);
        // A lone bid above an ask of another minute: crossed as the book stands, not impossible.
        assert_eq!(see(half(120, Kind::BidBar, BID | LAST, 9000)), ["crossed", "outlier"][..1]);
        assert_eq!(see(half(180, Kind::BidBar, BID, 9000)), [""; 0]);
        assert_eq!(see(half(180, Kind::AskBar, ASK | LAST, 5001)), ["impossible"]);
    }

    #[test]
    fn silence_is_measured_against_the_feeds_rhythm() {
        let mut detector = detector();
        for at in 1..100 {
            assert_eq!(names(detector.observe(&quote(at, 5000, 5001 + at as i64 % 2), None)), [""; 0]);
        }
        let after = detector.observe(&quote(200, 5000, 5001), None);
        assert_eq!((names(after), after.silence_ns), (vec!["gap"], 101 * SECOND));
        let late = quote(200 + 31 * 60, 5000, 5001);
        assert_eq!(names(detector.observe(&late, None)), ["stale", "gap"]);
        detector.observe(&quote(2100, 5000, 5003), None);
        let close = detector.observe(&phase(Phase::Close, OPEN + 2130 * SECOND), None);
        assert_eq!(names(close), [""; 0]);
        assert_eq!(detector.session_ns(), 2130 * SECOND);
    }

    #[test]
    fn an_excerpt_has_no_gap_at_its_ends() {
        let mut detector = detector();
        for at in 3_600..3_700 {
            assert_eq!(names(detector.observe(&quote(at, 5000, 5001 + at as i64 % 2), None)), [""; 0]);
        }
        let close = detector.observe(&phase(Phase::Close, OPEN + 23_400 * SECOND), None);
        assert_eq!((names(close), close.silence_ns), (vec!["uncovered"], 0));
        assert_eq!(close.uncovered_ns, (3_600 + 23_400 - 3_699) * SECOND);
        // A session without a record between others is a gap.
        detector.observe(&phase(Phase::Open, OPEN + 90_000 * SECOND), None);
        let close = detector.observe(&phase(Phase::Close, OPEN + 113_400 * SECOND), None);
        assert_eq!((names(close), close.silence_ns), (vec!["gap"], 23_400 * SECOND));
    }

    #[test]
    fn trades_and_bars() {
        let mut detector = detector();
        let trade = |at, price: i64, trade_id| {
            let body = Trade { price: price * CENT, size: 1, trade_id, ..Trade::default() };
            Record::new(head(at, flags::LAST), Body::Trade(body))
        };
        for (record, expected) in [
            (trade(1, 5000, 0), &[][..]),
            (trade(1, 5000, 0), &[]),
            (trade(2, 5000, 7), &[]),
            (trade(2, 5000, 7), &["duplicate"]),
            (trade(3, 0, 0), &["impossible"]),
            (trade(4, 5001, 0), &[]),
            (trade(5, 9000, 0), &["outlier"]),
        ] {
            assert_eq!(names(detector.observe(&record, None)), expected, "{record:?}");
        }
        let bar = |open: i64, high: i64, low: i64, close: i64| {
            let body =
                Bar { open: open * CENT, high: high * CENT, low: low * CENT, close: close * CENT, volume: 1 };
            Record::new(head(60, flags::LAST), Body::TradeBar(body))
        };
        assert_eq!(
            names(detector.observe(&bar(64557, 64557, 9223, 9242), None))[..],
            ["outlier", "mixed_split"]
        );
        assert_eq!(names(detector.observe(&bar(5000, 5000, 5001, 5000), None)), ["impossible"]);
    }
}

//! The order of records that become known at the same instant.

use onetape_engine::record::{Kind, Phase, Record};

/// A record and where it stands in the source: file and entry by the importer's count, line from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) record: Record,
    pub(crate) file: u32,
    pub(crate) entry: u32,
    /// 0 for what no source states.
    pub(crate) line: u32,
}

impl Placed {
    /// A record that no source states, such as a session phase.
    pub(crate) fn nowhere(record: Record) -> Placed {
        Placed { record, file: 0, entry: 0, line: 0 }
    }
}

/// Sorts by receipt time, then by the tie-break of [`crate::import`]; stable.
pub(crate) fn sort(records: &mut [Placed]) {
    records.sort_by_key(|placed| (placed.record.ts, tie_break(&placed.record)));
}

/// Session open, records by instrument and kind, session close. The kinds' wire numbers are in
/// the order stated: trade, trade bar, bid half, ask half, statistic, status.
pub(crate) fn tie_break(record: &Record) -> u64 {
    let rank = if record.kind == Kind::SessionPhase as u8 {
        // The phase byte follows open, close, trade date and offset: low byte of the fourth word.
        if record.body[3] & 0xff == Phase::Close as u64 { 2 } else { 0 }
    } else {
        1
    };
    rank << 40 | u64::from(record.instrument) << 8 | u64::from(record.kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use onetape_engine::ids::InstrumentIx;
    use onetape_engine::num::Nanos;
    use onetape_engine::record::{Bar, Body, HalfBar, Head, SessionPhase, Statistic};

    #[test]
    fn ties_follow_the_stated_order() {
        let at = |instrument, body| Record::new(Head::at(Nanos(9), InstrumentIx(instrument)), body);
        let phase = |phase: Phase| {
            let body = SessionPhase { phase: phase as u8, trade_date: 20151224, ..Default::default() };
            Record::new(Head::at(Nanos(9), InstrumentIx::NONE), Body::SessionPhase(body))
        };
        let expected = [
            Record::new(Head::at(Nanos(8), InstrumentIx(7)), Body::TradeBar(Bar::default())),
            phase(Phase::Open),
            at(0, Body::TradeBar(Bar::default())),
            at(0, Body::BidBar(HalfBar::default())),
            at(0, Body::AskBar(HalfBar::default())),
            at(0, Body::Statistic(Statistic::default())),
            at(1, Body::BidBar(HalfBar { open: 2, ..Default::default() })),
            at(1, Body::BidBar(HalfBar { open: 1, ..Default::default() })),
            phase(Phase::Close),
        ];
        let mut records = [8, 4, 6, 3, 2, 7, 1, 5, 0].map(|index: usize| Placed::nowhere(expected[index]));
        sort(&mut records);
        assert_eq!(records.map(|placed| placed.record), expected);
    }
}

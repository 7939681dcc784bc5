//! Sessions around the records of an import: phase inputs, and which records are outside hours.

use super::ImportError;
use super::terms::{hours_ns, phases};
use onetape_calendar::{Date, DayClock, Market, Zone, sessions};
use onetape_engine::num::DAY;
use onetape_engine::record::{Phase, Record, flags};
use std::collections::VecDeque;

/// Session phases that wait for the records around them.
#[derive(Debug, Default)]
pub(crate) struct Phases(VecDeque<Record>);

impl Phases {
    /// Phases of the sessions that overlap a span of records; none of an unknown market.
    pub(crate) fn new(market: Option<Market>, first: u64, last: u64) -> Phases {
        let Some(market) = market else { return Phases::default() };
        let date = |ts: u64| market.zone().date_at(ts);
        // The session of an evening carries the next trade date, after a long weekend some days later.
        let until = date(last.saturating_add(5 * DAY));
        let overlapping = sessions(market, date(first)..=until)
            .filter(|session| session.open_ns <= last && session.close_ns >= first);
        Phases(overlapping.flat_map(|session| phases(&session)).collect())
    }

    /// Time of the first phase.
    pub(crate) fn first_ts(&self) -> Option<u64> {
        self.0.front().map(|phase| phase.ts)
    }

    /// The next phase that precedes a record of `ts` (`None`: the end of the records). An opening
    /// precedes the records of its instant, a close follows them.
    pub(crate) fn due(&mut self, ts: Option<u64>) -> Option<Record> {
        let phase = self.0.front()?;
        let is_close = phase.body[3] & 0xff == Phase::Close as u64;
        let is_due = ts.is_none_or(|ts| phase.ts < ts || (phase.ts == ts && !is_close));
        if is_due { self.0.pop_front() } else { None }
    }
}

/// Marks records outside regular hours; remembers the hours of the day last asked for.
#[derive(Debug, Default)]
pub(crate) struct ExtendedMarker {
    day: Option<(DayClock, Date)>,
    hours: Vec<(Market, Option<(u64, u64)>)>,
}

impl ExtendedMarker {
    pub(crate) fn mark(
        &mut self,
        market: Market,
        is_bar: bool,
        records: &mut [Record],
    ) -> Result<(), ImportError> {
        for record in records {
            if !self.day.is_some_and(|(clock, _)| clock.contains(record.ts)) {
                let date = Zone::NewYork.date_at(record.ts);
                let clock = DayClock::new(Zone::NewYork, date)
                    .map_err(|source| ImportError::Calendar { what: format!("data of {date}"), source })?;
                self.day = Some((clock, date));
                self.hours.clear();
            }
            let Some((_, date)) = self.day else { continue };
            let hours = match self.hours.iter().find(|(known, _)| *known == market) {
                Some((_, hours)) => *hours,
                None => {
                    let hours = hours_ns(market, date);
                    self.hours.push((market, hours));
                    hours
                }
            };
            // A bar covers the interval before its end, a tick the instant itself.
            let is_regular = hours.is_some_and(|(open, close)| {
                record.ts <= close && if is_bar { record.ts > open } else { record.ts >= open }
            });
            if !is_regular {
                record.flags |= flags::EXTENDED;
            }
        }
        Ok(())
    }
}

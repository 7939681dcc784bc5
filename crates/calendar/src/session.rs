//! Regular trading sessions per market and trade date.
//!
//! Ignores: pre- and post-market trading, Cboe global and curb sessions, CME
//! halts inside a session (08:15 and 12:00 Chicago on US holidays, 15:15–15:30
//! until 2021), moments of silence and unplanned halts.

use std::ops::RangeInclusive;

use jiff::civil::{Date, date};

use crate::holidays::{
    DayKind, FIRST_DATE, LAST_DATE, day_kind, good_friday, is_christmas, is_new_year, is_weekend, open_time,
    plus_days,
};
use crate::zone::{DayClock, Zone};

/// A set of trading hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Market {
    /// US stocks and funds (NYSE, Nasdaq): 09:30–16:00 New York, half days 13:00.
    UsEquity,
    /// Options on single stocks: as the stock; until 2006-02-10 two minutes longer
    /// (SR-CBOE-2005-104, in force 2006-02-13; earlier close 16:02).
    EquityOption,
    /// Options on index funds with the late close (SPY, QQQ, IWM …): 16:15, half days 13:15.
    FundOption,
    /// Index options (Cboe, Nasdaq PHLX): 09:30–16:15 New York, half days 13:15
    /// (CBOE holiday schedule 2000-11-22). Expiring p.m. series close earlier: see
    /// [`crate::ClassRow`].
    IndexOption,
    /// CME Globex equity-index futures (ES …). A session opens at 17:00 Chicago on the
    /// evening before and closes at 16:00 (since 2015-09-21), 16:15 (since 2012-11-19)
    /// or 15:15, with a 15:30 reopening, before; half days 12:15. Days on which
    /// only New York is closed belong to the next trade date.
    CmeEquityIndex,
    /// Crypto venues: the UTC day, every day.
    Crypto,
}

impl Market {
    /// Zone in which trade dates and wall times of the market are stated.
    #[must_use]
    pub fn zone(self) -> Zone {
        match self {
            Market::UsEquity | Market::EquityOption | Market::FundOption | Market::IndexOption => {
                Zone::NewYork
            }
            Market::CmeEquityIndex => Zone::Chicago,
            Market::Crypto => Zone::Utc,
        }
    }
}

/// One regular session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// Trade date.
    pub trade_date: Date,
    /// First instant, UTC ns.
    pub open_ns: u64,
    /// First instant after the session, UTC ns.
    pub close_ns: u64,
    /// Offset of the market's zone from UTC at the close, seconds (east positive).
    pub utc_offset_s: i32,
    /// Whether the session closes early by schedule.
    pub half_day: bool,
}

/// The session of a trade date; `None` when the market is closed or the date is
/// outside [`FIRST_DATE`]..=[`LAST_DATE`].
///
/// ```
/// use onetape_calendar::{Market, date, session};
/// let s = session(Market::UsEquity, date(2015, 12, 24)).expect("a trading day");
/// assert!(s.half_day);
/// assert_eq!(s.close_ns, 1_450_980_000_000_000_000); // 13:00 New York
/// assert!(session(Market::UsEquity, date(2015, 12, 25)).is_none());
/// ```
#[must_use]
pub fn session(market: Market, trade_date: Date) -> Option<Session> {
    if trade_date < FIRST_DATE || trade_date > LAST_DATE {
        return None;
    }
    let clock = DayClock::new(market.zone(), trade_date).ok()?;
    if market == Market::Crypto {
        let open_ns = clock.midnight_utc_ns();
        let close_ns = clock.utc_ns_at(24, 0);
        return Some(Session { trade_date, open_ns, close_ns, utc_offset_s: 0, half_day: false });
    }
    let half_day = match day_kind(trade_date) {
        DayKind::Closed => return None,
        DayKind::Half => true,
        DayKind::Full => false,
    };
    let (hour, minute) = close_time(market, trade_date, half_day);
    let close_ns = clock.utc_ns_at(hour, minute);
    let open_ns = if market == Market::CmeEquityIndex {
        cme_open_ns(trade_date)?
    } else {
        let (hour, minute) = open_time(trade_date);
        clock.utc_ns_at(hour, minute)
    };
    Some(Session { trade_date, open_ns, close_ns, utc_offset_s: clock.utc_offset_s(close_ns), half_day })
}

/// The first session strictly after a date; `None` past [`LAST_DATE`].
#[must_use]
pub fn next_session(market: Market, after: Date) -> Option<Session> {
    sessions(market, plus_days(after.max(plus_days(FIRST_DATE, -1)), 1)..=LAST_DATE).next()
}

/// The last session strictly before a date; `None` before [`FIRST_DATE`].
#[must_use]
pub fn previous_session(market: Market, before: Date) -> Option<Session> {
    let mut day = plus_days(before.min(plus_days(LAST_DATE, 1)), -1);
    while day >= FIRST_DATE {
        if let Some(found) = session(market, day) {
            return Some(found);
        }
        day = plus_days(day, -1);
    }
    None
}

/// All sessions of a date range, in order.
pub fn sessions(market: Market, range: RangeInclusive<Date>) -> impl Iterator<Item = Session> {
    let (first, last) = range.into_inner();
    let first = first.max(FIRST_DATE);
    let last = last.min(LAST_DATE);
    first
        .series(jiff::Span::new().days(1))
        .take_while(move |d| *d <= last)
        .filter_map(move |d| session(market, d))
}

/// Closing wall time (hour, minute) in the market's zone.
fn close_time(market: Market, day: Date, half_day: bool) -> (u8, u8) {
    match (market, half_day) {
        // SR-CBOE-2005-104: the close moved from 15:02 to 15:00 Chicago on 2006-02-13.
        (Market::EquityOption, half) if day < date(2006, 2, 13) => (if half { 13 } else { 16 }, 2),
        (Market::UsEquity | Market::EquityOption, false) => (16, 0),
        (Market::UsEquity | Market::EquityOption, true) => (13, 0),
        (Market::FundOption | Market::IndexOption, false) => (16, 15),
        (Market::FundOption | Market::IndexOption, true) => (13, 15),
        (Market::CmeEquityIndex, true) => (12, 15),
        // CME notice for trade date 2012-11-19; NinjaTrader advisory 25 for 2015-09-21.
        (Market::CmeEquityIndex, false) if day < date(2012, 11, 19) => (15, 15),
        (Market::CmeEquityIndex, false) if day < date(2015, 9, 21) => (16, 15),
        (Market::CmeEquityIndex, false) => (16, 0),
        (Market::Crypto, _) => (24, 0),
    }
}

/// Opening of the Globex session: the evening before the first weekday after the
/// previous trade date on which Globex trades at all. Until 2012-11-16 it reopened
/// at 15:30 from Monday to Thursday.
fn cme_open_ns(trade_date: Date) -> Option<u64> {
    let mut day = plus_days(trade_date, -1);
    let mut first = trade_date;
    while day >= FIRST_DATE && day_kind(day) == DayKind::Closed {
        let dark = is_new_year(day) || is_christmas(day) || day == good_friday(day.year());
        if !is_weekend(day) && !dark {
            first = day;
        }
        day = plus_days(day, -1);
    }
    let evening = plus_days(first, -1);
    let clock = DayClock::new(Zone::Chicago, evening).ok()?;
    let same_afternoon = trade_date < date(2012, 11, 19) && day_kind(evening) == DayKind::Full;
    Some(if same_afternoon { clock.utc_ns_at(15, 30) } else { clock.utc_ns_at(17, 0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (market, trade date, local open, local close, half) with the offset in hours.
    #[test]
    fn known_sessions() {
        let ny = Market::UsEquity;
        for (market, day, open, close, offset_h, half) in [
            (ny, date(2015, 12, 24), (9, 30), (13, 0), -5, true),
            (ny, date(2013, 10, 7), (9, 30), (16, 0), -4, false),
            (ny, date(2002, 9, 11), (12, 0), (16, 0), -4, false),
            (Market::EquityOption, date(2006, 2, 10), (9, 30), (16, 2), -5, false),
            (Market::EquityOption, date(2006, 2, 13), (9, 30), (16, 0), -5, false),
            (Market::FundOption, date(2024, 7, 3), (9, 30), (13, 15), -4, true),
            (Market::IndexOption, date(2021, 1, 14), (9, 30), (16, 15), -5, false),
            (Market::IndexOption, date(2000, 11, 24), (9, 30), (13, 15), -5, true),
        ] {
            let s = session(market, day).unwrap();
            let clock = DayClock::new(market.zone(), day).unwrap();
            assert_eq!(s.open_ns, clock.utc_ns_at(open.0, open.1), "{market:?} {day} open");
            assert_eq!(s.close_ns, clock.utc_ns_at(close.0, close.1), "{market:?} {day} close");
            assert_eq!(s.utc_offset_s, offset_h * 3_600, "{market:?} {day} offset");
            assert_eq!(s.half_day, half, "{market:?} {day} half");
        }
    }

    /// (trade date, evening on which Globex opens, hour, minute; close hour, minute).
    #[test]
    fn globex_sessions() {
        for (day, evening, open, close) in [
            (date(2013, 10, 7), date(2013, 10, 6), (17, 0), (16, 15)),
            (date(2024, 6, 5), date(2024, 6, 4), (17, 0), (16, 0)),
            (date(2010, 6, 9), date(2010, 6, 8), (15, 30), (15, 15)),
            (date(2010, 6, 7), date(2010, 6, 6), (17, 0), (15, 15)),
            (date(2024, 1, 16), date(2024, 1, 14), (17, 0), (16, 0)), // after Martin Luther King day
            (date(2024, 11, 29), date(2024, 11, 27), (17, 0), (12, 15)), // over Thanksgiving
            (date(2024, 12, 26), date(2024, 12, 25), (17, 0), (16, 0)), // after Christmas
            (date(2015, 3, 9), date(2015, 3, 8), (17, 0), (16, 15)),  // clocks changed that Sunday
        ] {
            let s = session(Market::CmeEquityIndex, day).unwrap();
            let before = DayClock::new(Zone::Chicago, evening).unwrap();
            let on = DayClock::new(Zone::Chicago, day).unwrap();
            assert_eq!(s.open_ns, before.utc_ns_at(open.0, open.1), "{day} open");
            assert_eq!(s.close_ns, on.utc_ns_at(close.0, close.1), "{day} close");
        }
    }

    #[test]
    fn neighbours_skip_closed_days() {
        let ny = Market::UsEquity;
        assert_eq!(next_session(ny, date(2015, 12, 24)).map(|s| s.trade_date), Some(date(2015, 12, 28)));
        assert_eq!(previous_session(ny, date(2001, 9, 17)).map(|s| s.trade_date), Some(date(2001, 9, 10)));
        assert_eq!(next_session(ny, date(1990, 1, 1)).map(|s| s.trade_date), Some(date(1998, 1, 2)));
        assert_eq!(previous_session(ny, date(1998, 1, 2)), None);
        assert_eq!(next_session(ny, LAST_DATE), None);
    }

    #[test]
    fn sessions_per_year() {
        // NYSE trading days of known years.
        for (year, days) in [(2001, 248), (2012, 250), (2015, 252), (2018, 251), (2020, 253), (2023, 250)] {
            let n = sessions(Market::UsEquity, date(year, 1, 1)..=date(year, 12, 31)).count();
            assert_eq!(n, days, "{year}");
        }
        assert_eq!(sessions(Market::Crypto, date(2024, 1, 1)..=date(2024, 12, 31)).count(), 366);
    }

    #[test]
    fn sessions_never_overlap_and_always_have_length() {
        for market in [Market::UsEquity, Market::IndexOption, Market::CmeEquityIndex, Market::Crypto] {
            let mut last_close = 0;
            for s in sessions(market, FIRST_DATE..=date(2035, 12, 31)) {
                assert!(s.open_ns >= last_close, "{market:?} {}", s.trade_date);
                assert!(s.close_ns > s.open_ns, "{market:?} {}", s.trade_date);
                last_close = s.close_ns;
            }
        }
    }
}

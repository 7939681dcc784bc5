//! Dates of a generated session, from the exchange calendar.

use super::GenerateError;
use super::clock::TradingDay;
use jiff::SignedDuration;
use onetape_calendar::{Date, Market, Session, sessions};

/// Trading days of history written with a session.
pub(super) const HISTORY_DAYS: usize = 300;
/// Days simulated before the history so that its start is not special.
pub(super) const WARM_UP_DAYS: usize = 60;
/// Calendar days after the last live day that the table reaches: beyond the last listed expiry.
const REACH_DAYS: i64 = 130;

/// The table of days behind a session.
#[derive(Debug, Clone)]
pub(super) struct Days {
    /// Consecutive trading days, oldest first.
    pub(super) table: Vec<TradingDay>,
    /// Index of the first live day.
    pub(super) first_live: usize,
    /// Number of live days.
    pub(super) live: usize,
}

fn trading_day(day: &Session) -> TradingDay {
    let date = day.trade_date;
    let number = i64::from(date.year()) * 10_000 + i64::from(date.month()) * 100 + i64::from(date.day());
    TradingDay {
        date: u32::try_from(number).unwrap_or(0),
        ordinal: i64::try_from(day.close_ns / 86_400_000_000_000).unwrap_or(0),
        weekday: u8::try_from(date.weekday().to_monday_one_offset()).unwrap_or(0),
        open: day.open_ns,
        close: day.close_ns,
        utc_offset_s: day.utc_offset_s,
    }
}

impl Days {
    /// The table for `live` days from the first trading day at or after `first_date` (yyyymmdd).
    pub(super) fn new(first_date: u32, live: usize) -> Result<Days, GenerateError> {
        let out_of_range = || GenerateError::Date { date: first_date };
        let part = |divisor: u32, modulus: u32| i16::try_from(first_date / divisor % modulus).unwrap_or(0);
        let first = Date::new(part(10_000, 10_000), part(100, 100) as i8, part(1, 100) as i8)
            .map_err(|_| out_of_range())?;
        let before = (HISTORY_DAYS + WARM_UP_DAYS) as i64 * 3 / 2 + 15;
        let after = live as i64 * 3 / 2 + 10 + REACH_DAYS;
        let shift =
            |days: i64| first.checked_add(SignedDuration::from_hours(24 * days)).map_err(|_| out_of_range());
        let range = shift(-before)?..=shift(after)?;
        let table: Vec<TradingDay> =
            sessions(Market::EquityOption, range).map(|day| trading_day(&day)).collect();
        let first_live = table.partition_point(|day| day.date < first_date);
        let enough = first_live > HISTORY_DAYS + WARM_UP_DAYS
            && table.get(first_live + live).is_some_and(|next| {
                table.last().is_some_and(|last| last.ordinal - next.ordinal >= REACH_DAYS - 30)
            });
        if enough { Ok(Days { table, first_live, live }) } else { Err(out_of_range()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_days_are_a_thursday_and_a_monthly_friday() {
        let days = Days::new(20250515, 2).expect("dates inside the calendar");
        let live = &days.table[days.first_live..][..2];
        assert_eq!((live[0].date, live[0].weekday), (20250515, 4));
        assert_eq!((live[1].date, live[1].weekday), (20250516, 5));
        assert_eq!(live[0].close - live[0].open, 23_400_000_000_000);
        assert!(Days::new(20251332, 2).is_err());
        assert!(Days::new(18000101, 2).is_err());
    }
}

//! Trading days of the New York Stock Exchange, which US options follow.
//!
//! Regular holidays are computed by rule (NYSE Rule 7.2); closures and half
//! days that no rule gives are dated exceptions. Sources: NYSE holiday
//! calendars; the exchange's list of special closings (Stocks.NYSE-Closings,
//! as quoted by pandas_market_calendars `nyse.py`); Cboe press release of
//! 2024-12-30 for 2025-01-09.

use jiff::civil::{Date, Weekday, date};

/// First date of the calendar; the Martin Luther King holiday starts in 1998.
pub const FIRST_DATE: Date = date(1998, 1, 1);
/// Last date; dates after 2030 follow the rules in force and may meet later changes.
pub const LAST_DATE: Date = date(2099, 12, 31);

/// How the exchange trades on a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DayKind {
    Closed,
    Half,
    Full,
}

/// Closures outside the rules.
const CLOSURES: [Date; 10] = [
    date(2001, 9, 11), // attack on the World Trade Center, four days
    date(2001, 9, 12),
    date(2001, 9, 13),
    date(2001, 9, 14),
    date(2004, 6, 11),  // mourning for President Reagan
    date(2007, 1, 2),   // mourning for President Ford
    date(2012, 10, 29), // hurricane Sandy, two days
    date(2012, 10, 30),
    date(2018, 12, 5), // mourning for President G. H. W. Bush
    date(2025, 1, 9),  // mourning for President Carter
];

/// Half days outside the rules.
const EXTRA_HALF_DAYS: [Date; 2] = [
    date(2002, 7, 5),   // Friday after a Thursday 4 July
    date(2003, 12, 26), // Friday after Christmas
];

/// Mornings that opened late by announcement: (date, hour, minute) New York.
const LATE_OPENS: [(Date, u8, u8); 1] = [(date(2002, 9, 11), 12, 0)];

/// Opening wall time (hour, minute), New York.
pub(crate) fn open_time(day: Date) -> (u8, u8) {
    LATE_OPENS.iter().find(|l| l.0 == day).map_or((9, 30), |l| (l.1, l.2))
}

/// Kind of the day; dates outside the range are closed.
pub(crate) fn day_kind(day: Date) -> DayKind {
    if day < FIRST_DATE || day > LAST_DATE || is_weekend(day) || is_holiday(day) || CLOSURES.contains(&day) {
        DayKind::Closed
    } else if is_half_day(day) {
        DayKind::Half
    } else {
        DayKind::Full
    }
}

pub(crate) fn is_weekend(day: Date) -> bool {
    matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday)
}

fn is_holiday(day: Date) -> bool {
    let y = day.year();
    is_new_year(day)
        || day == nth_weekday(y, 1, Weekday::Monday, 3)
        || day == nth_weekday(y, 2, Weekday::Monday, 3)
        || day == good_friday(y)
        || day == last_monday_of_may(y)
        || (y >= 2022 && day == observed(date(y, 6, 19)))
        || day == observed(date(y, 7, 4))
        || day == nth_weekday(y, 9, Weekday::Monday, 1)
        || day == thanksgiving(y)
        || is_christmas(day)
}

/// New Year's Day, on Monday when it is a Sunday; no closing when it is a Saturday.
pub(crate) fn is_new_year(day: Date) -> bool {
    let first = date(day.year(), 1, 1);
    day == if first.weekday() == Weekday::Sunday { plus_days(first, 1) } else { first }
}

/// Christmas Day as observed.
pub(crate) fn is_christmas(day: Date) -> bool {
    day == observed(date(day.year(), 12, 25))
}

/// Closing at 13:00: the Friday after Thanksgiving, Christmas Eve from Monday to
/// Thursday, and the weekday before 4 July when that is a Tuesday to Friday. In
/// 2002 the half day was the Friday after instead (dated exception).
fn is_half_day(day: Date) -> bool {
    let y = day.year();
    let fourth = date(y, 7, 4);
    let before_fourth = day == plus_days(fourth, -1)
        && matches!(
            fourth.weekday(),
            Weekday::Tuesday | Weekday::Wednesday | Weekday::Thursday | Weekday::Friday
        )
        && day != date(2002, 7, 3);
    let christmas_eve = day.month() == 12 && day.day() == 24 && day.weekday() != Weekday::Friday;
    before_fourth || christmas_eve || day == plus_days(thanksgiving(y), 1) || EXTRA_HALF_DAYS.contains(&day)
}

/// Saturday holidays move to Friday, Sunday ones to Monday.
fn observed(day: Date) -> Date {
    match day.weekday() {
        Weekday::Saturday => plus_days(day, -1),
        Weekday::Sunday => plus_days(day, 1),
        _ => day,
    }
}

fn thanksgiving(year: i16) -> Date {
    nth_weekday(year, 11, Weekday::Thursday, 4)
}

fn last_monday_of_may(year: i16) -> Date {
    let last = date(year, 5, 31);
    plus_days(last, -i32::from(last.weekday().to_monday_zero_offset()))
}

/// Good Friday: two days before Gregorian Easter (anonymous algorithm, Meeus,
/// *Astronomical Algorithms*, ch. 8).
pub(crate) fn good_friday(year: i16) -> Date {
    let y = i32::from(year);
    let (a, b, c) = (y % 19, y / 100, y % 100);
    let (d, e) = (b / 4, b % 4);
    let g = (8 * b + 13) / 25;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let n = h + l - 7 * m + 114;
    plus_days(date(year, (n / 31) as i8, (n % 31 + 1) as i8), -2)
}

/// The n-th (1-based) given weekday of a month.
pub(crate) fn nth_weekday(year: i16, month: i8, weekday: Weekday, n: i32) -> Date {
    let first = date(year, month, 1);
    let ahead = (weekday.to_monday_zero_offset() - first.weekday().to_monday_zero_offset()).rem_euclid(7);
    plus_days(first, i32::from(ahead) + 7 * (n - 1))
}

pub(crate) fn plus_days(day: Date, days: i32) -> Date {
    day.saturating_add(jiff::Span::new().days(days))
}

/// Whether securities settle on the date: a trading day on which banks are open.
/// Columbus Day and Veterans Day are trading days without settlement (FINRA
/// Notices to Members 95-77, 99-83 and 88-82).
pub(crate) fn is_settlement_day(day: Date) -> bool {
    let y = day.year();
    let veterans = date(y, 11, 11);
    let bank_holiday = day == nth_weekday(y, 10, Weekday::Monday, 2)
        || day == if veterans.weekday() == Weekday::Sunday { plus_days(veterans, 1) } else { veterans };
    day_kind(day) != DayKind::Closed && !bank_holiday
}

#[cfg(test)]
mod tests {
    use super::*;
    use DayKind::{Closed, Full, Half};

    #[test]
    fn known_days() {
        for (day, kind) in [
            (date(1998, 1, 1), Closed),
            (date(1998, 7, 3), Closed),
            (date(1999, 12, 31), Full), // Saturday New Year 2000
            (date(2000, 7, 3), Half),
            (date(2001, 9, 14), Closed),
            (date(2001, 9, 17), Full),
            (date(2002, 7, 3), Full),
            (date(2002, 7, 5), Half),
            (date(2003, 12, 26), Half),
            (date(2004, 12, 31), Full),
            (date(2006, 1, 2), Closed),
            (date(2008, 7, 3), Half),
            (date(2010, 12, 31), Full),
            (date(2012, 10, 30), Closed),
            (date(2013, 7, 3), Half),
            (date(2014, 4, 18), Closed),
            (date(2014, 12, 26), Full),
            (date(2015, 7, 2), Full),
            (date(2015, 12, 24), Half),
            (date(2018, 12, 5), Closed),
            (date(2020, 7, 2), Full),
            (date(2021, 6, 18), Full),
            (date(2021, 12, 31), Full),
            (date(2022, 6, 20), Closed),
            (date(2024, 3, 29), Closed),
            (date(2025, 1, 9), Closed),
            (date(2026, 7, 3), Closed),
            (date(2027, 12, 24), Closed),
            (date(2030, 7, 3), Half),
            (date(2030, 4, 19), Closed),
        ] {
            assert_eq!(day_kind(day), kind, "{day}");
        }
    }

    #[test]
    fn bank_holidays_do_not_settle() {
        assert!(!is_settlement_day(date(1999, 10, 11)));
        assert!(!is_settlement_day(date(2018, 11, 12)));
        assert!(is_settlement_day(date(2023, 11, 10)));
    }
}

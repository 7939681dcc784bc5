//! Local times of day at the exchange, from the session's own UTC offset.

use onetape_engine::num::{DAY, MINUTE, Nanos, SECOND};
use onetape_engine::record::SessionPhase;
use onetape_engine::strategy::{Ctx, days_from_civil};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A time of day, in nanoseconds since local midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct TimeOfDay(pub(crate) u64);

impl TimeOfDay {
    /// `hour`:`minute`.
    pub(crate) const fn at(hour: u64, minute: u64) -> TimeOfDay {
        TimeOfDay((hour * 60 + minute) * MINUTE)
    }
}

impl FromStr for TimeOfDay {
    type Err = ();

    /// Reads `HH:MM` or `HH:MM:SS`.
    fn from_str(text: &str) -> Result<TimeOfDay, ()> {
        let mut units = [0u64; 3];
        let parts: Vec<&str> = text.split(':').collect();
        if !(2..=3).contains(&parts.len()) {
            return Err(());
        }
        for (unit, part) in units.iter_mut().zip(&parts) {
            if part.len() != 2 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(());
            }
            *unit = part.parse().map_err(|_| ())?;
        }
        let [hour, minute, second] = units;
        if hour > 23 || minute > 59 || second > 59 {
            return Err(());
        }
        Ok(TimeOfDay((hour * 60 + minute) * MINUTE + second * SECOND))
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / SECOND;
        write!(f, "{:02}:{:02}", seconds / 3600, seconds / 60 % 60)?;
        if seconds.is_multiple_of(60) { Ok(()) } else { write!(f, ":{:02}", seconds % 60) }
    }
}

/// The instant of a civil date (yyyymmdd) and time of day at a UTC offset; `None` before 1970.
pub(crate) fn instant(date: u32, time: TimeOfDay, utc_offset_s: i32) -> Option<Nanos> {
    let local = i128::from(days_from_civil(date)) * i128::from(DAY) + i128::from(time.0);
    u64::try_from(local - i128::from(utc_offset_s) * i128::from(SECOND)).ok().map(Nanos)
}

/// The instant of a time of day on a session's trade date.
pub(crate) fn on_trade_date(phase: &SessionPhase, time: TimeOfDay) -> Option<Nanos> {
    instant(phase.trade_date, time, phase.utc_offset_s)
}

/// Event time as `HH:MM:SS` local (UTC on tapes without sessions), with the weekday when it is not the trade date's.
pub(crate) fn stamp(ctx: &Ctx<'_>) -> String {
    const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let offset_s = ctx.session().map_or(0, |session| i128::from(session.utc_offset_s));
    let seconds = i128::from(ctx.now().0 / SECOND) + offset_s;
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let time = format!("{:02}:{:02}:{:02}", of_day / 3600, of_day / 60 % 60, of_day % 60);
    let trade_day = ctx.session().map(|session| i128::from(days_from_civil(session.trade_date)));
    if trade_day.is_some_and(|day| day != days) {
        let weekday = usize::try_from(days.rem_euclid(7)).unwrap_or(0);
        format!("{} {time}", WEEKDAYS[weekday])
    } else {
        time
    }
}

/// Reads a civil date, `YYYYMMDD` or `YYYY-MM-DD`.
pub(crate) fn parse_date(text: &str) -> Option<u32> {
    let digits: String = match text.len() {
        8 => text.to_string(),
        10 => {
            let mut parts = text.splitn(3, '-');
            let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
            if (year.len(), month.len(), day.len()) != (4, 2, 2) {
                return None;
            }
            format!("{year}{month}{day}")
        }
        _ => return None,
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let date: u32 = digits.parse().ok()?;
    let (year, month, day) = (date / 10_000, date / 100 % 100, date % 100);
    let is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let days = match month {
        2 => 28 + u32::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    (year >= 1970 && (1..=days).contains(&day)).then_some(date)
}

/// Calendar days from one date (yyyymmdd) to another.
pub(crate) fn days_between(from: u32, to: u32) -> i64 {
    days_from_civil(to) - days_from_civil(from)
}

/// Monday-based week number of a date (yyyymmdd), counted from 1970.
pub(crate) fn week_of(date: u32) -> i64 {
    (days_from_civil(date) + 3).div_euclid(7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_parse_and_print() {
        for (text, printed) in [("09:45", "09:45"), ("15:45:00", "15:45"), ("23:59:59", "23:59:59")] {
            assert_eq!(text.parse::<TimeOfDay>().unwrap().to_string(), printed, "{text}");
        }
        for text in ["", "9:45", "24:00", "10:60", "10", "10:00:00:00", "10:0x", "-1:00"] {
            assert!(text.parse::<TimeOfDay>().is_err(), "{text}");
        }
        assert_eq!(TimeOfDay::at(9, 45).to_string(), "09:45");
    }

    #[test]
    fn local_times_become_instants() {
        let time: TimeOfDay = "09:31".parse().unwrap();
        // 2015-12-24 14:31:00 UTC.
        assert_eq!(instant(20151224, time, -18_000), Some(Nanos(1_450_967_460_000_000_000)));
        assert_eq!(instant(19690101, time, 0), None);
    }

    #[test]
    fn dates_are_real_days() {
        for (text, date) in [("20151224", 20151224), ("2015-12-24", 20151224), ("2016-02-29", 20160229)] {
            assert_eq!(parse_date(text), Some(date), "{text}");
        }
        for text in
            ["", "2015-2-24", "20150229", "20151301", "2015/12/24", "19691231", "2015-12-2x", "201512244"]
        {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }

    #[test]
    fn weeks_begin_on_monday() {
        // 2015-12-24 was a Thursday, 2015-12-27 a Sunday.
        assert_eq!(week_of(20151221), week_of(20151227));
        assert_eq!(week_of(20151227) + 1, week_of(20151228));
    }
}

//! Time zones and the clock of one civil day.
//!
//! The zone data are the ones bundled with jiff, never the machine's, so the
//! same input gives the same instants everywhere. Instants are `u64`
//! nanoseconds since 1970-01-01T00:00Z; wall times are nanoseconds since the
//! start of the local day *as shown by a clock on the wall* (09:30 is always
//! 9.5 h, also on the day the clocks change).

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::civil::{Date, date};
use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::Error;

/// Nanoseconds in one second.
pub const NS_PER_S: u64 = 1_000_000_000;
const NS_PER_MS: u64 = 1_000_000;
const NS_PER_DAY: u64 = 86_400 * NS_PER_S;

const FIRST_DAY: Date = date(1970, 1, 2);
const LAST_DAY: Date = date(2261, 12, 31);

/// A time zone of a market.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Zone {
    /// Coordinated Universal Time.
    Utc,
    /// America/New_York.
    NewYork,
    /// America/Chicago.
    Chicago,
}

impl Zone {
    fn tz(self) -> &'static TimeZone {
        static NEW_YORK: LazyLock<TimeZone> = LazyLock::new(|| bundled("America/New_York"));
        static CHICAGO: LazyLock<TimeZone> = LazyLock::new(|| bundled("America/Chicago"));
        static UTC: TimeZone = TimeZone::UTC;
        match self {
            Zone::Utc => &UTC,
            Zone::NewYork => &NEW_YORK,
            Zone::Chicago => &CHICAGO,
        }
    }

    /// Civil date shown in this zone at a UTC instant (ns).
    #[must_use]
    pub fn date_at(self, utc_ns: u64) -> Date {
        self.tz().to_datetime(timestamp(utc_ns)).date()
    }

    /// Offset from UTC in seconds (east positive) in force at a UTC instant (ns).
    #[must_use]
    pub fn utc_offset_s(self, utc_ns: u64) -> i32 {
        self.tz().to_offset(timestamp(utc_ns)).seconds()
    }
}

fn bundled(name: &str) -> TimeZone {
    TimeZoneDatabase::bundled().get(name).expect("jiff is built with its bundled zone data")
}

fn timestamp(utc_ns: u64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(utc_ns)).expect("u64 nanoseconds end in 2554, jiff's range in 9999")
}

/// A change of the UTC offset inside one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Change {
    at_utc_ns: u64,
    /// Wall times from here on belong to the new offset.
    wall_from_ns: u64,
    /// New offset minus old, ns.
    delta_ns: i64,
}

/// Converts wall times of one civil day to UTC instants and back by one addition.
///
/// Build it once per date and reuse it: importers call it for every row. A wall
/// time that the spring change skips is moved forward by the change; one that
/// occurs twice in autumn means the first.
///
/// ```
/// use onetape_calendar::{DayClock, Zone, date};
/// let clock = DayClock::new(Zone::NewYork, date(2015, 12, 24))?;
/// let open = clock.utc_ns_at_ms(34_200_000); // 09:30:00.000
/// assert_eq!(open, 1_450_967_400_000_000_000); // 14:30 UTC
/// # Ok::<(), onetape_calendar::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayClock {
    date: Date,
    midnight_utc_ns: u64,
    end_utc_ns: u64,
    offset_s: i32,
    change: Option<Change>,
}

impl DayClock {
    /// The clock of `date` in `zone`.
    ///
    /// # Errors
    /// [`Error::DateOutOfRange`] outside 1970-01-02..=2261-12-31.
    pub fn new(zone: Zone, date: Date) -> Result<Self, Error> {
        if date < FIRST_DAY || date > LAST_DAY {
            return Err(Error::DateOutOfRange { date, first: FIRST_DAY, last: LAST_DAY });
        }
        let midnight = local_midnight(zone, date);
        let midnight_utc_ns = instant_ns(midnight);
        let tomorrow = date.tomorrow().expect("the range ends before jiff's last date");
        let end_utc_ns = instant_ns(local_midnight(zone, tomorrow));
        let offset_s = zone.tz().to_offset(midnight).seconds();
        let change = if end_utc_ns - midnight_utc_ns == NS_PER_DAY {
            None
        } else {
            zone.tz().following(midnight).next().map(|t| {
                let at_utc_ns = instant_ns(t.timestamp());
                let delta_ns = i64::from(t.offset().seconds() - offset_s) * NS_PER_S as i64;
                let wall_before = at_utc_ns - midnight_utc_ns;
                let wall_from_ns = wall_before.max(wall_before.saturating_add_signed(delta_ns));
                Change { at_utc_ns, wall_from_ns, delta_ns }
            })
        };
        Ok(DayClock { date, midnight_utc_ns, end_utc_ns, offset_s, change })
    }

    /// The civil date.
    #[must_use]
    pub fn date(&self) -> Date {
        self.date
    }

    /// UTC instant (ns) at which the local day starts.
    #[must_use]
    pub fn midnight_utc_ns(&self) -> u64 {
        self.midnight_utc_ns
    }

    /// Whether the UTC instant (ns) falls on this local day.
    #[must_use]
    pub fn contains(&self, utc_ns: u64) -> bool {
        (self.midnight_utc_ns..self.end_utc_ns).contains(&utc_ns)
    }

    /// UTC instant (ns) of a wall time (ns since local midnight; may pass the end of the day).
    #[must_use]
    pub fn utc_ns(&self, wall_ns: u64) -> u64 {
        let plain = self.midnight_utc_ns + wall_ns;
        match self.change {
            Some(c) if wall_ns >= c.wall_from_ns => plain.saturating_add_signed(-c.delta_ns),
            _ => plain,
        }
    }

    /// UTC instant (ns) of a wall time in milliseconds since local midnight.
    #[must_use]
    pub fn utc_ns_at_ms(&self, wall_ms: u32) -> u64 {
        self.utc_ns(u64::from(wall_ms) * NS_PER_MS)
    }

    /// UTC instant (ns) of a wall time in hours and minutes.
    #[must_use]
    pub fn utc_ns_at(&self, hour: u8, minute: u8) -> u64 {
        self.utc_ns((u64::from(hour) * 60 + u64::from(minute)) * 60 * NS_PER_S)
    }

    /// Wall time (ns since local midnight) at a UTC instant; `None` on another day.
    #[must_use]
    pub fn wall_ns(&self, utc_ns: u64) -> Option<u64> {
        if !self.contains(utc_ns) {
            return None;
        }
        let plain = utc_ns - self.midnight_utc_ns;
        Some(match self.change {
            Some(c) if utc_ns >= c.at_utc_ns => plain.saturating_add_signed(c.delta_ns),
            _ => plain,
        })
    }

    /// Offset from UTC in seconds at a UTC instant of this day.
    #[must_use]
    pub fn utc_offset_s(&self, utc_ns: u64) -> i32 {
        match self.change {
            Some(c) if utc_ns >= c.at_utc_ns => self.offset_s + (c.delta_ns / NS_PER_S as i64) as i32,
            _ => self.offset_s,
        }
    }
}

fn local_midnight(zone: Zone, date: Date) -> Timestamp {
    zone.tz().to_timestamp(date.at(0, 0, 0, 0)).expect("dates are range-checked before conversion")
}

fn instant_ns(t: Timestamp) -> u64 {
    u64::try_from(t.as_nanosecond()).expect("the date range starts after the epoch and ends before 2262")
}

#[cfg(test)]
mod tests {
    use super::*;

    const H: u64 = 3_600 * NS_PER_S;

    #[test]
    fn offsets_of_known_dates() {
        for (zone, day, hours) in [
            (Zone::NewYork, date(2013, 10, 7), -4),
            (Zone::NewYork, date(2015, 12, 24), -5),
            (Zone::Chicago, date(2013, 10, 7), -5),
            (Zone::Chicago, date(2015, 12, 24), -6),
            // Before 2007 summer time began on the first Sunday of April.
            (Zone::NewYork, date(2006, 3, 20), -5),
            (Zone::NewYork, date(2007, 3, 20), -4),
            (Zone::Utc, date(2020, 2, 29), 0),
        ] {
            let clock = DayClock::new(zone, day).unwrap();
            let noon = clock.utc_ns_at(12, 0);
            assert_eq!(clock.utc_offset_s(noon), hours * 3_600, "{zone:?} {day}");
            assert_eq!(zone.utc_offset_s(noon), hours * 3_600, "{zone:?} {day}");
            assert_eq!(zone.date_at(noon), day);
            assert_eq!(clock.wall_ns(noon), Some(12 * H));
        }
    }

    #[test]
    fn spring_day_has_23_hours_and_skipped_times_move_forward() {
        let c = DayClock::new(Zone::NewYork, date(2015, 3, 8)).unwrap();
        assert_eq!(c.end_utc_ns - c.midnight_utc_ns, 23 * H);
        assert_eq!(c.utc_ns_at(1, 59), c.midnight_utc_ns + 2 * H - 60 * NS_PER_S);
        assert_eq!(c.utc_ns_at(2, 30), c.utc_ns_at(3, 30));
        assert_eq!(c.utc_ns_at(3, 0), c.midnight_utc_ns + 2 * H);
        assert_eq!(c.utc_ns_at(9, 30), c.midnight_utc_ns + 8 * H + H / 2);
        assert_eq!(c.utc_offset_s(c.utc_ns_at(1, 0)), -5 * 3_600);
        assert_eq!(c.utc_offset_s(c.utc_ns_at(9, 30)), -4 * 3_600);
    }

    #[test]
    fn autumn_day_has_25_hours_and_repeated_times_mean_the_first() {
        let c = DayClock::new(Zone::NewYork, date(2015, 11, 1)).unwrap();
        assert_eq!(c.end_utc_ns - c.midnight_utc_ns, 25 * H);
        assert_eq!(c.utc_ns_at(1, 30), c.midnight_utc_ns + H + H / 2);
        assert_eq!(c.utc_ns_at(2, 0), c.midnight_utc_ns + 3 * H);
        assert_eq!(c.utc_ns_at(9, 30), c.midnight_utc_ns + 10 * H + H / 2);
    }

    #[test]
    fn every_instant_of_a_change_day_round_trips_with_the_zone() {
        for day in [date(2015, 3, 8), date(2015, 11, 1), date(2015, 6, 1)] {
            let c = DayClock::new(Zone::Chicago, day).unwrap();
            for t in (c.midnight_utc_ns..c.end_utc_ns).step_by((600 * NS_PER_S) as usize) {
                assert_eq!(Zone::Chicago.date_at(t), day);
                assert_eq!(c.utc_offset_s(t), Zone::Chicago.utc_offset_s(t));
                let wall = i128::from(t) + i128::from(c.utc_offset_s(t)) * i128::from(NS_PER_S);
                assert_eq!(c.wall_ns(t).map(i128::from), Some(wall % i128::from(NS_PER_DAY)));
            }
            assert!(!c.contains(c.end_utc_ns));
            assert_eq!(c.wall_ns(c.end_utc_ns), None);
        }
    }

    #[test]
    fn dates_outside_the_range_are_errors() {
        assert!(DayClock::new(Zone::Utc, date(1969, 12, 31)).is_err());
        assert!(DayClock::new(Zone::Utc, date(2262, 1, 1)).is_err());
    }
}

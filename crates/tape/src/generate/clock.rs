//! The variance clock: how much variance the market expects between two instants.
//!
//! One unit is one business year (252 trading days from open to open). Within a session the clock
//! runs by the diurnal profile (first 30 minutes about 3 × midday, last 30 about 1.8 ×: the U shape of
//! Wood, McInish and Ord, 1985); nights, weekends and holidays carry a fixed share that passes evenly.
//! An option on its last day therefore loses value with the variance left, not with the minutes left.

/// A trading day as the generator needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TradingDay {
    /// Trade date as yyyymmdd.
    pub date: u32,
    /// Days since 1970-01-01 of the trade date.
    pub ordinal: i64,
    /// ISO weekday, 1 Monday … 7 Sunday.
    pub weekday: u8,
    /// Regular open, UTC nanoseconds.
    pub open: u64,
    /// Regular close, UTC nanoseconds.
    pub close: u64,
    /// Local time minus UTC, seconds.
    pub utc_offset_s: i32,
}

/// Trading days a year.
pub(super) const DAYS_PER_YEAR: f64 = 252.0;
/// Share of a day's variance that falls into a full session.
const SESSION_SHARE: f64 = 0.78;
/// Share of one night.
const NIGHT_SHARE: f64 = 0.22;
/// Additional share of each further calendar day without a session.
const EXTRA_DAY_SHARE: f64 = 0.05;
/// Opening burst: height over midday and decay in minutes. Mean over the first 30 minutes: 3.04.
const OPEN_BURST: (f64, f64) = (4.2, 18.0);
/// Closing burst. Mean over the last 30 minutes: 1.80.
const CLOSE_BURST: (f64, f64) = (1.54, 20.0);
const FULL_SESSION_MIN: f64 = 390.0;
const MINUTE_NS: f64 = 60e9;

/// Intensity of variance `minute` minutes after the open of a session of `length` minutes; 1 at midday.
#[cfg(test)]
fn diurnal(minute: f64, length: f64) -> f64 {
    1.0 + OPEN_BURST.0 * libm::exp(-minute / OPEN_BURST.1)
        + CLOSE_BURST.0 * libm::exp(-(length - minute) / CLOSE_BURST.1)
}

/// ∫ diurnal from the open to `minute`.
fn diurnal_integral(minute: f64, length: f64) -> f64 {
    let opening = OPEN_BURST.0 * OPEN_BURST.1 * (1.0 - libm::exp(-minute / OPEN_BURST.1));
    let closing = CLOSE_BURST.0
        * CLOSE_BURST.1
        * (libm::exp(-(length - minute) / CLOSE_BURST.1) - libm::exp(-length / CLOSE_BURST.1));
    minute + opening + closing
}

/// Variance time over a table of consecutive trading days.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    days: Vec<TradingDay>,
    at_open: Vec<f64>,
    full_integral: f64,
}

impl Clock {
    /// A clock over consecutive trading days, oldest first.
    pub(super) fn new(days: Vec<TradingDay>) -> Clock {
        let full_integral = diurnal_integral(FULL_SESSION_MIN, FULL_SESSION_MIN);
        let mut clock = Clock { at_open: Vec::with_capacity(days.len()), days, full_integral };
        let mut total = 0.0;
        for index in 0..clock.days.len() {
            clock.at_open.push(total);
            total += clock.session(index) + clock.night(index);
        }
        clock
    }

    /// The days of the table.
    pub(super) fn days(&self) -> &[TradingDay] {
        &self.days
    }

    /// Variance time of the whole session of a day.
    pub(super) fn session(&self, index: usize) -> f64 {
        self.since_open(index, self.days[index].close)
    }

    /// Variance time from a day's close to the next open.
    pub(super) fn night(&self, index: usize) -> f64 {
        let gap = self.days.get(index + 1).map_or(1, |next| next.ordinal - self.days[index].ordinal);
        (NIGHT_SHARE + EXTRA_DAY_SHARE * (gap - 1).max(0) as f64) / DAYS_PER_YEAR
    }

    fn since_open(&self, index: usize, ts: u64) -> f64 {
        let day = &self.days[index];
        let minute = ts.saturating_sub(day.open) as f64 / MINUTE_NS;
        let length = (day.close - day.open) as f64 / MINUTE_NS;
        SESSION_SHARE / DAYS_PER_YEAR * diurnal_integral(minute.min(length), length) / self.full_integral
    }

    /// Variance time at an instant, business years since the first open; clamped to the table.
    pub(super) fn at(&self, ts: u64) -> f64 {
        let after = self.days.partition_point(|day| day.open <= ts);
        let Some(index) = after.checked_sub(1) else { return 0.0 };
        let day = &self.days[index];
        let base = self.at_open[index] + self.since_open(index, ts.min(day.close));
        match self.days.get(index + 1) {
            Some(next) if ts > day.close => {
                let passed = (ts - day.close) as f64 / (next.open - day.close) as f64;
                base + self.night(index) * passed
            }
            _ => base,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn week() -> Vec<TradingDay> {
        (0..5)
            .map(|n| {
                let midnight = (20_000 + n as u64) * 86_400_000_000_000;
                TradingDay {
                    date: 0,
                    ordinal: 20_000 + n,
                    weekday: 1 + n as u8,
                    open: midnight + 48_600_000_000_000,
                    close: midnight + 72_000_000_000_000,
                    utc_offset_s: -14_400,
                }
            })
            .collect()
    }

    #[test]
    fn a_business_day_is_one_unit() {
        let clock = Clock::new(week());
        let days = clock.days().to_vec();
        let unit = 1.0 / DAYS_PER_YEAR;
        assert!((clock.at(days[1].open) - unit).abs() < 1e-15);
        assert!((clock.at(days[3].close) - clock.at(days[2].close) - unit).abs() < 1e-15);
        let mut last = -1.0;
        for step in 0..2_000 {
            let at = clock.at(days[0].open + step * 100_000_000_000);
            assert!(at >= last);
            last = at;
        }
    }

    #[test]
    fn the_day_is_u_shaped() {
        let mean =
            |from: f64, to: f64| (diurnal_integral(to, 390.0) - diurnal_integral(from, 390.0)) / (to - from);
        let midday = mean(180.0, 210.0);
        assert!((mean(0.0, 30.0) / midday - 3.0).abs() < 0.15);
        assert!((mean(360.0, 390.0) / midday - 1.8).abs() < 0.1);
        assert!((diurnal(195.0, 390.0) - 1.0).abs() < 0.01);
    }
}

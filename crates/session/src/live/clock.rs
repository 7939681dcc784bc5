//! What the sequencer reads the time from.
//!
//! Event time in a live run is the feed's time: a record keeps the receipt time its source gave it,
//! and between records the clock runs on. The wall clock decides only when things happen, never what
//! a record says.

use onetape_engine::num::Nanos;
use std::time::{Duration, Instant};

/// The sequencer's clock. The live stack reads no other.
pub trait Clock: Send {
    /// Event time now; `None` while time stands still between records: then nothing ticks.
    fn now(&mut self) -> Option<Nanos>;

    /// Wall time until event time `ts`, zero when it has come.
    fn until(&mut self, ts: Nanos) -> Duration;

    /// Wall time since the clock began: what seals are timed by.
    fn elapsed(&self) -> Duration;

    /// A record of this receipt time is there.
    fn observe(&mut self, ts: Nanos);
}

/// How fast a recorded source is played.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Speed {
    /// As fast as the loop takes it; time stands still between records.
    Max,
    /// So many seconds of event time a second.
    Times(f64),
}

impl Speed {
    /// Reads `max` or a number above zero.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<Speed, String> {
        if text == "max" {
            return Ok(Speed::Max);
        }
        let times = text.parse::<f64>().ok().filter(|x| x.is_finite() && *x > 0.0 && *x <= 1e9);
        times.map(Speed::Times).ok_or_else(|| {
            format!("'{text}' is neither 'max' nor a number above 0, such as 1 (real time) or 60")
        })
    }
}

impl std::fmt::Display for Speed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Speed::Max => f.write_str("max"),
            Speed::Times(times) => write!(f, "{times}"),
        }
    }
}

/// The clock of a run over a real source.
#[derive(Debug, Clone, Copy)]
pub struct RunClock {
    began: Instant,
    pace: Pace,
}

#[derive(Debug, Clone, Copy)]
enum Pace {
    /// Records come as fast as they can.
    Still,
    /// From an instant on, so many times as fast as the wall.
    Times { from: Nanos, speed: f64 },
    /// The last record's time, and the wall since it came.
    Feed { last: Nanos, at: Instant },
}

impl RunClock {
    /// A clock that plays a recording from `from` on.
    pub fn recorded(from: Nanos, speed: Speed) -> RunClock {
        let pace = match speed {
            Speed::Max => Pace::Still,
            Speed::Times(speed) => Pace::Times { from, speed },
        };
        RunClock { began: Instant::now(), pace }
    }

    /// A clock that follows a feed whose records come when they come.
    pub fn feed(from: Nanos) -> RunClock {
        let began = Instant::now();
        RunClock { began, pace: Pace::Feed { last: from, at: began } }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Clock for RunClock {
    fn now(&mut self) -> Option<Nanos> {
        match self.pace {
            Pace::Still => None,
            Pace::Times { from, speed } => {
                let passed = nanos(self.began.elapsed()) as f64 * speed;
                Some(Nanos(from.0.saturating_add(passed as u64)))
            }
            Pace::Feed { last, at } => Some(Nanos(last.0.saturating_add(nanos(at.elapsed())))),
        }
    }

    fn until(&mut self, ts: Nanos) -> Duration {
        let Some(now) = self.now() else { return Duration::ZERO };
        let left = ts.0.saturating_sub(now.0);
        match self.pace {
            Pace::Times { speed, .. } => Duration::from_nanos((left as f64 / speed) as u64),
            Pace::Still | Pace::Feed { .. } => Duration::from_nanos(left),
        }
    }

    fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    fn observe(&mut self, ts: Nanos) {
        if let Pace::Feed { last, at } = &mut self.pace
            && ts.0 > last.0.saturating_add(nanos(at.elapsed()))
        {
            (*last, *at) = (ts, Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_parse() {
        assert_eq!(Speed::parse("max"), Ok(Speed::Max));
        assert_eq!(Speed::parse("2.5"), Ok(Speed::Times(2.5)));
        for bad in ["0", "-1", "fast", "inf", "NaN", ""] {
            assert!(Speed::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_feed_clock_never_runs_behind_a_record() {
        let mut clock = RunClock::feed(Nanos(5));
        clock.observe(Nanos(1_000_000_000_000));
        assert!(clock.now() >= Some(Nanos(1_000_000_000_000)));
        clock.observe(Nanos(7));
        assert!(clock.now() >= Some(Nanos(1_000_000_000_000)), "and never goes back");
    }
}

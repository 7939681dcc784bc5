//! How many updates are due when: a U-shaped day, self-exciting bursts, and the request's total.

use super::random::{Purpose, Stream};

/// Share of a day's inputs that are size changes of the fund.
const FUND_SHARE: f64 = 0.08;
/// Size-only option updates per price change that the tape keeps at least.
const SIZE_ONLY_RATIO_MIN: f64 = 1.12;

/// Share of a day's inputs that price changes of options may take before quotes become patient.
const PRICE_SHARE: f64 = 0.40;

/// Updates due in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) fund: u64,
    pub(super) options: u64,
}

/// What a step did before size changes are added.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Seen {
    /// Share of the session that has passed.
    pub(super) fraction: f64,
    /// Records decided so far.
    pub(super) emitted: u64,
    /// The fund's price changed.
    pub(super) changed: bool,
    /// Option quotes replaced.
    pub(super) burst: u64,
    /// Option price changes and size-only changes so far.
    pub(super) price_changes: u64,
    pub(super) size_only: u64,
    /// Activity factor of the moment.
    pub(super) activity: f64,
}

/// Pacing of a day.
#[derive(Debug)]
pub(super) struct Pace {
    per_day: f64,
    sent_before: u64,
    excitement: f64,
    random: Stream,
    price_changes_before: u64,
    patience: f64,
}

/// Share of the day's updates before a fraction of the session: intensity 0.72 + 0.84 (2x − 1)².
fn cumulative(x: f64) -> f64 {
    let centred = 2.0 * x - 1.0;
    0.72 * x + 0.14 * (centred * centred * centred + 1.0)
}

impl Pace {
    pub(super) fn new(seed: u64, per_day: u64) -> Pace {
        Pace {
            per_day: per_day as f64,
            sent_before: 0,
            excitement: 1.0,
            price_changes_before: 0,
            patience: 1.0,
            random: Stream::new(seed ^ 0x9ace, Purpose::OptionQuotes),
        }
    }

    /// A day begins after `sent` records, `price_changes` of them changes of option prices.
    pub(super) fn begin_day(&mut self, sent: u64, price_changes: u64) {
        (self.sent_before, self.price_changes_before) = (sent, price_changes);
    }

    /// How long quotes wait before they follow fair value: 1 when the tape is sparse, toward 0 as the
    /// requested number of inputs leaves room for more changes of price.
    pub(super) fn patience(&mut self, fraction: f64, price_changes: u64) -> f64 {
        let room = PRICE_SHARE * self.per_day * cumulative(fraction.clamp(0.0, 1.0));
        let used = price_changes.saturating_sub(self.price_changes_before) as f64;
        let step = if used > room { 0.02 } else { -0.02 };
        self.patience = (self.patience + step).clamp(0.0, 1.0);
        self.patience
    }

    /// Updates that the shape of the day alone brings before a fraction of it.
    pub(super) fn quotes_due(&self, fraction: f64) -> f64 {
        self.per_day.max(super::INPUTS_PER_DAY as f64) * cumulative(fraction.clamp(0.0, 1.0))
    }

    /// What a step adds.
    pub(super) fn due(&mut self, seen: &Seen) -> Due {
        let target = self.per_day * cumulative(seen.fraction.clamp(0.0, 1.0));
        let behind = target - seen.emitted.saturating_sub(self.sent_before) as f64;
        // Hawkes-like: price changes excite, excitement decays with a half-life of a second.
        self.excitement =
            0.93 * self.excitement + if seen.changed { 0.9 } else { 0.0 } + 0.02 * seen.burst.min(60) as f64;
        let smoothing = 40.0;
        let mean = (behind / smoothing).max(0.0) * self.excitement.min(6.0) * seen.activity.sqrt().min(2.5);
        let missing = SIZE_ONLY_RATIO_MIN * seen.price_changes as f64 - seen.size_only as f64;
        let floor = if missing > 0.0 { missing / 20.0 } else { 0.0 };
        Due {
            fund: self.random.poisson(mean * FUND_SHARE),
            options: self.random.poisson((mean * (1.0 - FUND_SHARE)).max(floor)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_adds_up() {
        assert!((cumulative(1.0) - 1.0).abs() < 1e-12);
        assert_eq!(cumulative(0.0), 0.0);
    }
}

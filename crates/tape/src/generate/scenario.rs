//! Named scenarios: one thing goes wrong, or comes to a head, on the second day of the session.

use super::clock::TradingDay;
use super::model::Model;

const MINUTE_NS: u64 = 60_000_000_000;

/// What a session contains besides an ordinary market.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scenario {
    /// Nothing.
    #[default]
    Plain,
    /// A fall of about 5 % in two minutes halts the underlying and its options for five.
    Halt,
    /// The second day opens 4 % lower.
    Gap,
    /// Faulty records: crossed and outlying quotes, duplicates, a feed gap.
    Dirty,
    /// About −7 % over half an hour, with a partial recovery.
    Crash,
    /// A scheduled announcement at 14:00: variance is high from the open, the price jumps, variance falls.
    Fomc,
    /// The price is drawn to the nearest listed strike in the last two hours.
    Pin,
}

impl Scenario {
    /// Every scenario.
    pub const ALL: [Scenario; 7] = [
        Scenario::Plain,
        Scenario::Halt,
        Scenario::Gap,
        Scenario::Dirty,
        Scenario::Crash,
        Scenario::Fomc,
        Scenario::Pin,
    ];

    /// Stable lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            Scenario::Plain => "plain",
            Scenario::Halt => "halt",
            Scenario::Gap => "gap",
            Scenario::Dirty => "dirty",
            Scenario::Crash => "crash",
            Scenario::Fomc => "fomc",
            Scenario::Pin => "pin",
        }
    }

    /// The scenario of a name.
    pub fn from_name(name: &str) -> Option<Scenario> {
        Scenario::ALL.into_iter().find(|scenario| scenario.name() == name)
    }

    /// Whether trading is halted at an instant of live day `n`.
    pub(super) fn is_halted(self, n: usize, day: &TradingDay, ts: u64) -> bool {
        let minute = ts.saturating_sub(day.open) / MINUTE_NS;
        self == Scenario::Halt && n == 1 && (92..97).contains(&minute)
    }

    /// What the night before live day `n` adds.
    pub(super) fn night(self, n: usize, model: &mut Model) {
        if self == Scenario::Gap && n == 1 {
            model.shock(-0.04, 0.12);
        }
        if self == Scenario::Fomc && n == 1 {
            model.shock(0.0, 0.04);
        }
    }

    /// What the second at `ts` of live day `n` adds; the log size when it is a jump.
    pub(super) fn second(self, n: usize, day: &TradingDay, ts: u64, model: &mut Model) -> Option<f64> {
        if n != 1 {
            return None;
        }
        let second = (ts - day.open) / 1_000_000_000;
        let minute = second / 60;
        match self {
            Scenario::Halt if (90..92).contains(&minute) => {
                model.shock(-0.05 / 120.0, 0.0015);
                None
            }
            Scenario::Crash if (150..180).contains(&minute) => {
                model.shock(-0.07 / 1_800.0, 0.000_12);
                None
            }
            Scenario::Crash if (185..225).contains(&minute) => {
                model.shock(0.025 / 2_400.0, -0.000_02);
                None
            }
            Scenario::Fomc if (ts - day.open) / MINUTE_NS == 270 && second.is_multiple_of(60) => {
                let size = 0.9 * (model.spot_variance() / 252.0).sqrt();
                model.shock(-size, -0.05);
                Some(-size)
            }
            Scenario::Pin if minute >= 270 => {
                let spot = model.spot();
                let strike = libm::rint(spot * 2.0) * 0.5;
                let left = ((day.close - ts) / 1_000_000_000).max(60) as f64;
                model.shock(1.5 / left * libm::log(strike / spot), 0.0);
                None
            }
            _ => None,
        }
    }
}

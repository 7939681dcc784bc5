//! The resolved configuration of a run: the first input of every journal.
//!
//! Everything that can change a result is here and nothing else is: no paths, output
//! folders, durability levels, thread counts or secrets.

use crate::num::{Money, Price, Qty};
use serde::{Deserialize, Serialize};

/// Version of the loop's semantics; a change that can alter any derived event raises it.
pub const SEMANTICS_VERSION: u32 = 1;

/// How the simulated venue fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FillProfile {
    /// Displayed size with memory, resting orders filled on evidence only.
    Realistic,
    /// Every marketable order fills whole at the midpoint: an upper bound.
    Mid,
    /// Every marketable order fills whole at the opposite quote: a lower bound on price, not on size.
    Natural,
    /// QuantConnect LEAN's conventions, for comparison with its published cases.
    Lean,
}

impl FillProfile {
    /// Lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            FillProfile::Realistic => "realistic",
            FillProfile::Mid => "mid",
            FillProfile::Natural => "natural",
            FillProfile::Lean => "lean",
        }
    }
}

/// Order latencies in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Latency {
    /// Decision to venue.
    pub entry_ns: u64,
    /// Venue to strategy.
    pub response_ns: u64,
    /// Stated delay of the feed: a clock tick or session phase proves venue time only after it.
    pub feed_ns: u64,
}

/// Dated fee tables by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeeSchedule {
    /// 0.65 a contract, 0.005 a share, minimum 1.00 an order.
    Retail,
    /// LEAN's default brokerage model, for its published cases.
    Lean,
    /// No fees.
    Free,
}

impl FeeSchedule {
    /// Lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            FeeSchedule::Retail => "retail",
            FeeSchedule::Lean => "lean",
            FeeSchedule::Free => "free",
        }
    }
}

/// How positions are marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkPolicy {
    /// Midpoint; one-sided: long at bid, short at offer. Stock without quotes: last trade.
    Mid,
    /// Options at mid, stock at the last trade (LEAN).
    LastTrade,
}

/// Whether buying power is checked, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BuyingPower {
    /// Regulation T initial requirements.
    RegT,
    /// Unchecked.
    Off,
}

/// Pre-trade limits. `None` switches a check off.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RiskLimits {
    /// Most contracts or shares of one order leg.
    pub order_quantity_max: Option<Qty>,
    /// Most contracts or shares held or on order in one option or future, absolute.
    pub position_max: Option<Qty>,
    /// Most shares held or on order in one equity, absolute.
    pub shares_max: Option<Qty>,
    /// A limit may be worse than the opposite quote by at most this fraction (0.10 = 10 %) …
    pub collar_fraction: Option<Price>,
    /// … or by this amount, whichever is wider.
    pub collar_amount: Price,
    /// Buying power rule.
    pub buying_power: BuyingPower,
    /// Most money one order may turn over: quantity × limit (else opposite quote) × multiplier.
    pub order_value_max: Option<Money>,
    /// Most orders a strategy may submit within any second of event time.
    pub orders_per_second_max: Option<u32>,
}

impl Default for RiskLimits {
    fn default() -> RiskLimits {
        RiskLimits {
            order_quantity_max: Qty::from_whole(10_000),
            position_max: Qty::from_whole(25_000),
            shares_max: Qty::from_whole(1_000_000),
            collar_fraction: Some(Price(500_000_000)),
            collar_amount: Price(1_000_000_000),
            buying_power: BuyingPower::RegT,
            order_value_max: None,
            orders_per_second_max: None,
        }
    }
}

/// A strategy of the run, as the journal records it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StrategyConfig {
    /// Registered name.
    pub name: String,
    /// Version of its code.
    pub version: String,
    /// Every parameter with its resolved value, in the order of the strategy's schema.
    pub params: Vec<(String, String)>,
}

/// An account of the run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AccountConfig {
    /// Name.
    pub name: String,
    /// Cash at the start.
    pub cash: Money,
}

/// Everything that decides a run's result, besides the session's inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunConfig {
    /// [`SEMANTICS_VERSION`] of the engine that ran.
    pub semantics: u32,
    /// Content hash of the replayed session, hex; empty for a live run.
    pub session: String,
    /// Strategies in order of their index.
    pub strategies: Vec<StrategyConfig>,
    /// Accounts in order of their index.
    pub accounts: Vec<AccountConfig>,
    /// Fill model.
    pub profile: FillProfile,
    /// Latencies.
    pub latency: Latency,
    /// Fees.
    pub fees: FeeSchedule,
    /// Marking policy.
    pub marks: MarkPolicy,
    /// Event time between marks, nanoseconds; 0 marks at session ends only.
    pub mark_interval_ns: u64,
    /// Pre-trade limits.
    pub risk: RiskLimits,
    /// Continuously compounded annual rate that analytics use where the tape states none.
    pub rate: f64,
    /// Seed of every random stream.
    pub seed: u64,
    /// Whether quotes outside regular sessions reach books and strategies.
    pub extended_hours: bool,
}

impl Default for RunConfig {
    fn default() -> RunConfig {
        RunConfig {
            semantics: SEMANTICS_VERSION,
            session: String::new(),
            strategies: Vec::new(),
            accounts: vec![AccountConfig { name: "main".to_string(), cash: Money(100_000_000_000_000) }],
            profile: FillProfile::Realistic,
            latency: Latency { entry_ns: 1_000_000, response_ns: 1_000_000, feed_ns: 0 },
            fees: FeeSchedule::Retail,
            marks: MarkPolicy::Mid,
            mark_interval_ns: crate::num::MINUTE,
            risk: RiskLimits::default(),
            rate: 0.04,
            seed: 1,
            extended_hours: false,
        }
    }
}

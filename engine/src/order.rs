//! Orders. **An order is a package of one to eight legs**, also while only one leg is executed.
//!
//! The life cycle is an explicit table, [`OrderState::may_become`]; the OMS refuses every
//! transition outside it and journals the refusal.

use crate::ids::{AccountIx, InstrumentIx, OrderIx, StrategyIx, VenueIx};
use crate::num::{Nanos, Price, Qty};
use serde::{Deserialize, Serialize};
use smallvec::{SmallVec, smallvec};

/// Most legs of one package.
pub const LEGS_MAX: usize = 8;

/// Buy or sell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Buy.
    Buy,
    /// Sell.
    Sell,
}

/// What a stop looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopSource {
    /// The midpoint of a live two-sided quote: the default, one print cannot trigger it.
    Mid,
    /// The side the order would trade against: the ask for buys, the bid for sells.
    Touch,
    /// The last eligible trade.
    Last,
}

/// When a stop becomes an order. A buy triggers at or above `price`, a sell at or below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Trigger {
    /// Stop price.
    pub price: Price,
    /// What it is compared with.
    pub source: StopSource,
    /// Quotes wider than this fraction of their midpoint (and wider than three ticks) trigger nothing.
    pub spread_max: Price,
    /// The condition must have held for so long, in nanoseconds of event time.
    pub persist_ns: u64,
}

impl Trigger {
    /// A trigger on the midpoint with a spread of at most 20 %, held for two seconds.
    pub fn at(price: Price) -> Trigger {
        Trigger {
            price,
            source: StopSource::Mid,
            spread_max: Price(200_000_000),
            persist_ns: 2 * crate::num::SECOND,
        }
    }
}

/// How an order may be priced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderType {
    /// At the market.
    Market,
    /// At the limit or better. A package's limit is the net price of one unit, debit positive.
    Limit(Price),
    /// At the market once triggered; the venue holds it until then.
    Stop(Trigger),
    /// At the limit once triggered; the venue holds it until then.
    StopLimit(Trigger, Price),
}

impl OrderType {
    /// The limit, when there is one.
    pub fn limit(self) -> Option<Price> {
        match self {
            OrderType::Limit(limit) | OrderType::StopLimit(_, limit) => Some(limit),
            OrderType::Market | OrderType::Stop(_) => None,
        }
    }

    /// The trigger, when there is one.
    pub fn trigger(self) -> Option<Trigger> {
        match self {
            OrderType::Stop(trigger) | OrderType::StopLimit(trigger, _) => Some(trigger),
            OrderType::Market | OrderType::Limit(_) => None,
        }
    }
}

/// How long an order lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeInForce {
    /// Until the session closes.
    Day,
    /// Until cancelled.
    Gtc,
    /// Fill what is there on arrival, cancel the rest.
    Ioc,
    /// Fill whole on arrival or cancel.
    Fok,
    /// Until an instant.
    Gtd(Nanos),
}

/// One leg: an instrument and its signed quantity for the whole package (positive buys).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Leg {
    /// Instrument.
    pub instrument: InstrumentIx,
    /// Signed quantity.
    pub quantity: Qty,
}

impl Leg {
    /// Direction of the leg.
    pub fn side(&self) -> Side {
        if self.quantity.0 >= 0 { Side::Buy } else { Side::Sell }
    }
}

/// The legs of a package; a single leg, the usual case, takes no allocation of its own.
pub type Legs = SmallVec<[Leg; 1]>;

/// A strategy's intent: what it asks to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// One to [`LEGS_MAX`] legs.
    pub legs: Legs,
    /// Pricing.
    pub order_type: OrderType,
    /// Lifetime.
    pub tif: TimeInForce,
    /// Account that pays.
    pub account: AccountIx,
    /// Venue the order is sent to.
    pub venue: VenueIx,
    /// Orders with one group number are legs of one intended position: buying power is
    /// judged on the group as a whole.
    pub group: Option<u32>,
    /// Parent order of a contingent or algorithmic child.
    pub parent: Option<OrderIx>,
}

impl Package {
    /// A one-leg market order, DAY, on the strategy's first account and the consolidated venue.
    pub fn market(instrument: InstrumentIx, quantity: Qty) -> Package {
        Package {
            legs: smallvec![Leg { instrument, quantity }],
            order_type: OrderType::Market,
            tif: TimeInForce::Day,
            account: AccountIx(0),
            venue: VenueIx(0),
            group: None,
            parent: None,
        }
    }

    /// A one-leg limit order, DAY.
    pub fn limit(instrument: InstrumentIx, quantity: Qty, limit: Price) -> Package {
        Package { order_type: OrderType::Limit(limit), ..Package::market(instrument, quantity) }
    }

    /// The same with another lifetime.
    #[must_use]
    pub fn with_tif(self, tif: TimeInForce) -> Package {
        Package { tif, ..self }
    }

    /// The same as a member of a group.
    #[must_use]
    pub fn in_group(self, group: u32) -> Package {
        Package { group: Some(group), ..self }
    }
}

/// State of an order. `Filled`, `Cancelled`, `Rejected` and `Expired` are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// The intent is in the log; risk has not spoken.
    Submitted,
    /// Risk approved; on its way to the venue.
    Approved,
    /// At the venue, nothing filled.
    Working,
    /// At the venue, partly filled.
    PartiallyFilled,
    /// A cancel is on its way to the venue.
    PendingCancel,
    /// Durable here, unknown at the broker (live modes after a fault).
    InDoubt,
    /// Completely filled.
    Filled,
    /// Cancelled; what was filled stays.
    Cancelled,
    /// Refused by risk, OMS or venue.
    Rejected,
    /// Its lifetime ended.
    Expired,
}

impl OrderState {
    /// Every state.
    pub const ALL: [OrderState; 10] = [
        OrderState::Submitted,
        OrderState::Approved,
        OrderState::Working,
        OrderState::PartiallyFilled,
        OrderState::PendingCancel,
        OrderState::InDoubt,
        OrderState::Filled,
        OrderState::Cancelled,
        OrderState::Rejected,
        OrderState::Expired,
    ];

    /// No transition leaves a final state.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            OrderState::Filled | OrderState::Cancelled | OrderState::Rejected | OrderState::Expired
        )
    }

    /// The transition table.
    pub fn may_become(self, next: OrderState) -> bool {
        use OrderState::*;
        match self {
            // Cancelled in the callback that submitted it: it never leaves.
            Submitted => matches!(next, Approved | Rejected | Cancelled),
            Approved => matches!(
                next,
                Working | PartiallyFilled | Filled | PendingCancel | InDoubt | Cancelled | Rejected | Expired
            ),
            Working => {
                matches!(next, PartiallyFilled | Filled | PendingCancel | InDoubt | Cancelled | Expired)
            }
            PartiallyFilled => {
                matches!(next, PartiallyFilled | Filled | PendingCancel | InDoubt | Cancelled | Expired)
            }
            // A fill or the venue's refusal may overtake the cancel; one that came too late leaves the order where it was.
            PendingCancel => {
                matches!(
                    next,
                    Working
                        | PartiallyFilled
                        | Filled
                        | PendingCancel
                        | InDoubt
                        | Cancelled
                        | Rejected
                        | Expired
                )
            }
            InDoubt => matches!(next, Working | PartiallyFilled | Filled | Cancelled | Rejected | Expired),
            Filled | Cancelled | Rejected | Expired => false,
        }
    }
}

/// An order as the OMS holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Position among the run's orders.
    pub ix: OrderIx,
    /// Who asked.
    pub strategy: StrategyIx,
    /// What was asked.
    pub package: Package,
    /// State.
    pub state: OrderState,
    /// Signed filled quantity of each leg.
    pub filled: SmallVec<[Qty; 2]>,
    /// Seq of the submit event.
    pub submit_seq: u64,
    /// Event time of the submit.
    pub submit_ts: Nanos,
}

impl Order {
    /// Signed quantity of leg `leg` still open.
    pub fn remaining(&self, leg: usize) -> Qty {
        self.package.legs[leg].quantity - self.filled[leg]
    }

    /// Whether every leg is filled.
    pub fn is_filled(&self) -> bool {
        (0..self.filled.len()).all(|leg| self.remaining(leg) == Qty::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn final_states_are_left_by_no_transition_and_submitted_is_never_entered() {
        for from in OrderState::ALL {
            for to in OrderState::ALL {
                assert!(!(from.is_final() && from.may_become(to)), "{from:?} -> {to:?}");
                assert!(!from.may_become(OrderState::Submitted), "{from:?} -> Submitted");
            }
        }
    }

    #[test]
    fn only_risk_approval_opens_the_way_to_the_venue() {
        for to in OrderState::ALL {
            let allowed = matches!(to, OrderState::Approved | OrderState::Rejected | OrderState::Cancelled);
            assert_eq!(OrderState::Submitted.may_become(to), allowed, "{to:?}");
        }
    }
}

//! Derived events: what the loop concluded. Re-running the inputs must re-derive them byte for byte.
//!
//! Variant order is the wire format (fixed-int bincode): append only.

use crate::ids::{AccountIx, InstrumentIx, OrderIx, Seq, StrategyIx};
use crate::num::{Money, Nanos, Price, Qty};
use crate::order::{OrderState, Package};
use serde::{Deserialize, Serialize};

/// A derived event in its block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Derived {
    /// How many inputs of the same block precede it.
    pub after: u32,
    /// Event time.
    pub ts: Nanos,
    /// The seq that led to it; `explain` walks these.
    pub cause: Seq,
    /// What happened.
    pub event: Event,
}

/// Why risk, OMS or venue refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectReason {
    /// No leg, more than eight, or the same instrument twice.
    BadLegs,
    /// Multi-leg packages have no executing venue in this profile.
    MultiLegUnsupported,
    /// A leg's quantity is zero or no multiple of the lot.
    BadQuantity,
    /// Account, venue or instrument index unknown.
    UnknownId,
    /// An index is not tradable.
    NotTradable,
    /// The limit is zero, negative or off the tick.
    BadPrice,
    /// `order_quantity_max`.
    OrderQuantity,
    /// `position_max` or `shares_max`, open orders counted.
    Position,
    /// The limit lies beyond the collar around the opposite quote.
    PriceCollar,
    /// Initial margin or cash, open orders counted.
    BuyingPower,
    /// The session is closed or the series expired.
    MarketClosed,
    /// The instrument is halted.
    Halted,
    /// The strategy is being stopped, or the tape ended.
    Stopped,
    /// A stop's trigger price is not positive or its order type has no meaning under the profile.
    BadTrigger,
    /// `orders_per_second_max`.
    OrderRate,
    /// `order_value_max`.
    OrderValue,
    /// The journal is too far behind ([`JOURNAL_LAG_MAX`](crate::block::JOURNAL_LAG_MAX) blocks).
    JournalLag,
}

/// Why an order changed state outside risk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateReason {
    /// Risk approved.
    RiskApproved,
    /// Risk refused.
    RiskRefused,
    /// The venue acknowledged.
    VenueAck,
    /// A fill.
    Fill,
    /// The strategy asked to cancel.
    CancelRequested,
    /// The venue confirmed the cancel.
    VenueCancelled,
    /// Immediate-or-cancel remainder.
    IocRemainder,
    /// DAY order at the session's close.
    DayEnd,
    /// The series stopped trading.
    SeriesExpired,
    /// The owner was stopped.
    StrategyStopped,
    /// Kill switch.
    Kill,
    /// Operator.
    Operator,
    /// The venue refused.
    VenueRejected,
    /// Cash fell below zero or a record became impossible to account for.
    Halt,
    /// Fill-or-kill order that could not be filled whole.
    FokUnfilled,
    /// Good-till-date order whose instant came.
    DateReached,
}

/// Why a fill was allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FillReason {
    /// Marketable on arrival against displayed size.
    Taker,
    /// The opposite quote reached the resting limit.
    Crossed,
    /// A print strictly beyond the resting limit.
    PrintThrough,
    /// A pro-rata share of a print at the limit.
    PrintAt,
    /// The profile's own rule (`mid`, `natural`, `lean`).
    Profile,
}

/// An execution at the simulated venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Execution {
    /// Order.
    pub order: OrderIx,
    /// Leg.
    pub leg: u8,
    /// Instrument of the leg.
    pub instrument: InstrumentIx,
    /// Signed quantity.
    pub quantity: Qty,
    /// Price.
    pub price: Price,
    /// Venue time.
    pub at: Nanos,
    /// Best bid then, zero when none.
    pub bid: Price,
    /// Best ask then, zero when none.
    pub ask: Price,
    /// Seq of the record that justified it.
    pub justification: Seq,
    /// Rule that allowed it.
    pub reason: FillReason,
}

/// Why cash moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CashReason {
    /// Price of a fill.
    Trade,
    /// Fee of a fill.
    Fee,
    /// Cash settlement, or the strike paid or received at exercise and assignment.
    Settlement,
}

/// How a series ended for a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpiryOutcome {
    /// Long, exercised by exception or on advice.
    Exercised,
    /// Short, assigned.
    Assigned,
    /// Settled at nothing.
    Worthless,
}

/// A derived event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// A strategy's intent entered the OMS as an order.
    Submitted {
        /// Order.
        order: OrderIx,
        /// Owner.
        strategy: StrategyIx,
        /// What was asked.
        package: Package,
    },
    /// A strategy asked to cancel an order.
    CancelRequested {
        /// Order.
        order: OrderIx,
    },
    /// Risk's verdict on an order.
    Risk {
        /// Order.
        order: OrderIx,
        /// `None` approves.
        refused: Option<RejectReason>,
        /// The value the deciding check saw (buying power: initial requirement after the order).
        value: Money,
        /// Its limit (buying power: what the account has).
        limit: Money,
    },
    /// An order changed state.
    State {
        /// Order.
        order: OrderIx,
        /// From.
        from: OrderState,
        /// To.
        to: OrderState,
        /// Why.
        reason: StateReason,
    },
    /// The OMS refused a transition outside its table.
    IllegalTransition {
        /// Order.
        order: OrderIx,
        /// From.
        from: OrderState,
        /// To.
        to: OrderState,
    },
    /// The order reached the venue; the book it found.
    Arrived {
        /// Order.
        order: OrderIx,
        /// Venue time.
        at: Nanos,
        /// First leg's best bid, zero when none.
        bid: Price,
        /// First leg's best ask, zero when none.
        ask: Price,
    },
    /// The venue executed; the strategy learns of it with [`Event::Fill`].
    Executed(Execution),
    /// An execution report was booked: order, position and cash change here.
    Fill {
        /// What was executed.
        execution: Execution,
        /// Account.
        account: AccountIx,
        /// Fee charged.
        fee: Money,
    },
    /// Cash moved.
    Cash {
        /// Account.
        account: AccountIx,
        /// Signed amount.
        amount: Money,
        /// Why.
        reason: CashReason,
        /// Balance after.
        balance: Money,
    },
    /// A position changed.
    Position {
        /// Account.
        account: AccountIx,
        /// Instrument.
        instrument: InstrumentIx,
        /// Signed quantity after.
        quantity: Qty,
        /// Cost of the open lots, signed (debit positive).
        cost: Money,
        /// Realised by this change, before fees.
        realized: Money,
    },
    /// Scheduled mark of an account.
    Mark {
        /// Account.
        account: AccountIx,
        /// Cash.
        cash: Money,
        /// Cash plus positions at the mark policy.
        equity: Money,
        /// Cash plus positions closed at natural prices.
        liquidation: Money,
        /// Initial requirement of the positions.
        requirement: Money,
    },
    /// An option position ended.
    Expired {
        /// Account.
        account: AccountIx,
        /// Series.
        instrument: InstrumentIx,
        /// Signed quantity that ended.
        quantity: Qty,
        /// How.
        outcome: ExpiryOutcome,
        /// Underlying price the decision used.
        underlying: Price,
        /// True when the tape lacked the published settlement value.
        estimated: bool,
    },
    /// A strategy's timer rang.
    Timer {
        /// Owner.
        strategy: StrategyIx,
        /// The strategy's own number.
        id: u64,
    },
    /// A strategy's remark, part of the run's story.
    Note {
        /// Owner.
        strategy: StrategyIx,
        /// Text.
        text: String,
    },
    /// A strategy was stopped.
    StrategyStopped {
        /// Which.
        strategy: StrategyIx,
        /// Reason code: `panic`, `flow`, `event_budget`, `kill`.
        reason: StopReason,
    },
    /// A command was applied, or refused with the reason.
    CommandApplied {
        /// Empty when applied.
        refused: String,
    },
    /// Hash of the whole state.
    StateHash {
        /// BLAKE3 over accounts, open orders, schedule, random streams and strategy bytes.
        hash: [u8; 32],
    },
    /// A holder's advice on exercising a series.
    ExerciseAdvised {
        /// Owner.
        strategy: StrategyIx,
        /// Account.
        account: AccountIx,
        /// Series.
        instrument: InstrumentIx,
        /// Contracts to exercise; zero is contrary advice (do not exercise).
        quantity: Qty,
    },
    /// A stop's condition held: it is an order at the venue from here on.
    Triggered {
        /// Order.
        order: OrderIx,
        /// Venue time.
        at: Nanos,
        /// Price that triggered it.
        price: Price,
        /// Seq of the record that did.
        justification: Seq,
    },
}

/// Why a strategy was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// A callback panicked.
    Panic,
    /// It asked to stop.
    Flow,
    /// Its orders, timers and notes led to more events at one instant than
    /// [`STRATEGY_EVENTS_MAX`](crate::block::STRATEGY_EVENTS_MAX).
    EventBudget,
    /// Kill switch.
    Kill,
}

impl Event {
    /// Every name that [`Event::name`] gives, in wire order.
    pub const NAMES: [&'static str; 19] = [
        "submitted",
        "cancel_requested",
        "risk",
        "state",
        "illegal_transition",
        "arrived",
        "executed",
        "fill",
        "cash",
        "position",
        "mark",
        "expired",
        "timer",
        "note",
        "strategy_stopped",
        "command_applied",
        "state_hash",
        "exercise_advised",
        "triggered",
    ];

    /// Stable lower-case name, as printed and filtered on.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Submitted { .. } => "submitted",
            Event::CancelRequested { .. } => "cancel_requested",
            Event::Risk { .. } => "risk",
            Event::State { .. } => "state",
            Event::IllegalTransition { .. } => "illegal_transition",
            Event::Arrived { .. } => "arrived",
            Event::Executed(_) => "executed",
            Event::Fill { .. } => "fill",
            Event::Cash { .. } => "cash",
            Event::Position { .. } => "position",
            Event::Mark { .. } => "mark",
            Event::Expired { .. } => "expired",
            Event::Timer { .. } => "timer",
            Event::Note { .. } => "note",
            Event::StrategyStopped { .. } => "strategy_stopped",
            Event::CommandApplied { .. } => "command_applied",
            Event::StateHash { .. } => "state_hash",
            Event::ExerciseAdvised { .. } => "exercise_advised",
            Event::Triggered { .. } => "triggered",
        }
    }
}

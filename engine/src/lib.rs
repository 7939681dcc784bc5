//! The deterministic event loop: everything between an input and its consequences.
//!
//! ```text
//!  input ──> Kernel::apply ──┬─ what is due before it      schedule
//!  (record    one door       ├─ orders that arrived        venue
//!   or cold)                 ├─ books, chains, settlements book · depth · chain · lifecycle
//!                            ├─ strategies ──> intents     strategy
//!                            │     └─ risk ──> OMS ──> venue ──> reports
//!                            └─ accounts, margin, marks    account · margin
//!                                   │
//!                                   └──> derived events (take_derived) ──> journal
//! ```
//!
//! State is a pure function of the inputs. An input is a 64-byte [`record::Record`] (market data,
//! session phases, clock ticks, seals) or a [`input::Cold`] payload (configuration, definitions,
//! commands). What the loop concludes are [`event::Event`]s; re-running the inputs derives them again,
//! byte for byte.
//!
//! | to … | read |
//! |---|---|
//! | feed the loop and take what it derived | [`Kernel`], [`block`] |
//! | write a strategy | [`Strategy`], [`Ctx`], [`order::Package`] |
//! | read the books behind best bid and ask | [`depth`], [`Ctx::depth`] |
//! | know what is journaled | [`event`], [`record`], [`input`] |
//! | know how orders fill, stops trigger and series end | the heads of `venue.rs`, `stops.rs`, `lifecycle.rs` |
//! | see the state at a place of the log | [`view`], [`Kernel::watch`] |
//! | know what risk checks | [`event::RejectReason`], [`config::RiskLimits`], [`margin`] |
//!
//! # Example
//!
//! ```
//! use onetape_engine::config::RunConfig;
//! use onetape_engine::ids::InstrumentIx;
//! use onetape_engine::input::Cold;
//! use onetape_engine::instrument::InstrumentDef;
//! use onetape_engine::order::Package;
//! use onetape_engine::record::{Body, Head, Quote, Record, flags};
//! use onetape_engine::strategy::{Ctx, Flow, StateError, Strategy};
//! use onetape_engine::{Kernel, Nanos, Qty};
//!
//! /// Buys one share at the first quote.
//! struct BuyOnce(bool);
//!
//! impl Strategy for BuyOnce {
//!     fn name(&self) -> &'static str { "buy-once" }
//!     fn version(&self) -> &'static str { "1" }
//!     fn save(&self, out: &mut Vec<u8>) { out.push(u8::from(self.0)); }
//!     fn load(&mut self, bytes: &[u8]) -> Result<(), StateError> {
//!         self.0 = bytes == [1];
//!         Ok(())
//!     }
//!     fn on_quote(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx) -> Flow {
//!         if !std::mem::replace(&mut self.0, true) {
//!             ctx.submit(Package::market(instrument, Qty::ONE));
//!         }
//!         Flow::Continue
//!     }
//! }
//!
//! let config = RunConfig::default();
//! let mut kernel = Kernel::new(config.clone(), vec![BuyOnce(false)]);
//! let head = |ms: u64, ix| Head::at(Nanos(1_767_623_400_000_000_000 + ms * 1_000_000), ix);
//! let cold = Record::new(head(0, InstrumentIx::NONE), Body::Cold(0));
//! kernel.apply(&cold, Some(&Cold::Start(Box::new(config))))?;
//! kernel.apply(&cold, Some(&Cold::Definition(Box::new(InstrumentDef::equity("ONE")))))?;
//!
//! let quote = Quote { bid: 99_990_000_000, ask: 100_010_000_000, bid_size: 100_000_000_000,
//!                     ask_size: 100_000_000_000, ..Quote::default() };
//! for ms in [1, 5, 10] {
//!     let mut head = head(ms, InstrumentIx(0));
//!     head.flags |= flags::BID | flags::ASK;
//!     kernel.apply(&Record::new(head, Body::Quote(quote)), None)?;
//! }
//! // Sent at 1 ms, at the venue at 2 ms, its report here with the record that proved it.
//! assert_eq!(kernel.accounts()[0].quantity(InstrumentIx(0)), Qty::ONE);
//! let names: Vec<_> = kernel.take_derived(Vec::new()).iter().map(|d| d.event.name()).collect();
//! assert_eq!(names[..4], ["submitted", "risk", "state", "arrived"]);
//! # Ok::<(), onetape_engine::KernelError>(())
//! ```
//!
//! # Invariants
//!
//! - **One door.** State changes inside [`Kernel::apply`] only. An input it refuses changed nothing.
//! - **Order.** Inputs have non-decreasing `ts`; event time never decreases along the log; a cause
//!   precedes its effect; what a prefix of the inputs derives is a prefix of what all derive.
//! - **No look-ahead.** An order is matched on the state before the record that revealed its arrival,
//!   and its report is never delivered before that record.
//! - **Risk.** The OMS sends only what the risk module approved (a type without public constructor).
//! - **States.** Orders move along [`order::OrderState::may_become`] only.
//! - **Conservation.** `equity = cash + Σ value` and `equity − initial = realised + unrealised − fees`,
//!   to the last nano, at every input.
//! - **Bounds.** One input derives at most [`block::DERIVED_PER_INPUT_MAX`] events; cost per event grows
//!   neither with instruments nor with orders sent; no allocation per market event.
//! - **Determinism.** No clock, thread, environment, file, hash-map order or `f64` money; random streams
//!   are seeded, one per strategy; overflow checks stay on in release (see `clippy.toml`).
//!
//! # Limits
//!
//! One consolidated venue and one session clock: classes that trade past the phase's close end with it.
//! Packages of several legs are types without a venue. No early exercise or assignment; futures stop
//! trading at expiry and do not settle. LEAN's profile is exact for market orders only. A cancel costs
//! time in the number of orders resting in its instrument.
#![deny(missing_docs)]

pub mod account;
pub mod block;
pub mod book;
pub mod chain;
pub mod config;
pub mod depth;
pub mod event;
mod exposure;
pub mod fees;
mod fixed_map;
pub mod ids;
pub mod input;
pub mod instrument;
mod kernel;
mod lifecycle;
pub mod live_chain;
pub mod margin;
pub mod num;
mod oms;
pub mod order;
pub mod record;
mod risk;
mod schedule;
mod state;
mod state_hash;
mod stops;
pub mod strategy;
mod venue;
pub mod view;

pub use kernel::{Kernel, KernelError, SnapshotError};
pub use num::{Money, Nanos, Price, Qty};
pub use strategy::{Ctx, Flow, Strategy};

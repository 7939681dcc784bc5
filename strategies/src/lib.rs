//! The strategy library: what can be named after `--strategy`.
//!
//! ```text
//!  Registry ── name → constructor ──> Box<dyn Strategy> ──> Kernel
//! ```
//!
//! A user's crate adds its own types with [`registry!`]; each implements
//! [`Strategy`](onetape_engine::Strategy) and [`Default`]:
//!
//! ```
//! use onetape_strategies::{BuyAndHold, Registry, registry};
//!
//! let registry: Registry = registry![BuyAndHold => "my own variant"];
//! assert!(registry.create("buy-and-hold").is_some());
//! assert!(registry.create("no-such-name").is_none());
//! ```
//!
//! **Invariants.** A strategy here sees event time only and holds its whole state in serialisable
//! fields: `save` writes parameters and state, `load` restores them, and a run cut off at any input
//! has derived a prefix of what the whole tape derives (tested for each strategy).
#![deny(missing_docs)]

mod buy_and_hold;
mod clock;
mod condor;
mod demo;
mod ema_cross;
mod market_maker;
mod measure;
mod params;
mod premium;
mod registry;
mod saved;
mod script;
mod secured_put;
mod short_strangle;
mod target;
mod walk;

pub use buy_and_hold::BuyAndHold;
pub use demo::Demo;
pub use ema_cross::EmaCross;
pub use market_maker::MarketMaker;
pub use measure::{Count, Dense};
pub use registry::{Constructor, Entry, Registry};
pub use script::Script;
pub use short_strangle::ShortStrangle;

//! Runs: what wires a session, the loop, a journal and a run folder together.
//!
//! ```text
//!  SessionReader ─(reader thread)─> Driver{Kernel} ─> Collector ─> Sink ─(writer thread)─> journal
//!                                                        └─> metrics.json, trades.csv, story
//! ```
//!
//! [`replay()`] makes a run, [`live`] one that is fed as time passes; [`Rederivation`] and [`parity()`]
//! prove one; [`audit`] answers questions about one; [`fork()`] runs one again with a change from some
//! place on. Business rules live in the engine, none here.
//!
//! # Invariants
//! - The run id is a hash of everything that decides the result, and of nothing else.
//! - A run folder appears whole, by rename, or stays `.partial`.
#![deny(missing_docs)]

pub mod audit;
pub mod bench;
mod collect;
pub mod doctor;
mod driver;
mod error;
mod fork;
mod inputs;
pub mod live;
mod parity;
mod rederive;
mod replay;
mod run_folder;
pub mod settings;
mod sink;

pub use collect::{BookedFill, Collector, FillBand, StoryLine, reason_name};
pub use driver::{BlockSink, DriveError, Driver};
pub use error::RunError;
pub use fork::{ForkOf, ForkRequest, fork};
pub use inputs::Sessions;
pub use parity::{Parity, parity};
pub use rederive::{
    Mismatch, Rederivation, Rederived, build_strategies, config_of, create as create_strategy,
};
pub use replay::{PositionLine, Progress, ReplayRequest, RunSummary, replay};
pub use run_folder::{Outcome, RunFolder, RunId, hex, run_id};
pub use sink::{Sink, SinkSummary};

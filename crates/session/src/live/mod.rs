//! Live runs: the same loop, fed as time passes.
//!
//! ```text
//!  Source ─(source thread)─> bounded queue ─> Sequencer{Driver{Kernel}} ─(bounded)─> journal thread
//!                                               clock, ticks, seals, lag      │        └─> released.jsonl (`order`)
//!                                                       released.jsonl, at the hand-over (other levels)
//!                                                               follower, tail.sock (read beside it)
//! ```
//!
//! [`paper`] runs one with simulated fills, [`resume`] goes on with one whose process died. Everything that
//! was measured outside — clock ticks, seals, journal lag, the gap of a resumption — is an input of its
//! journal, so the journal re-derives like any other.
//!
//! # Invariants
//! - A record keeps the receipt time of its source unless that was promised away; the wall clock paces.
//! - Nothing is dropped: a full queue makes the one who fills it wait; behind a bound orders are refused.
//! - The durability level decides when commits happen and whether an order waits for one. It enters no hashed byte.

mod clock;
mod follower;
mod plan;
mod recover;
mod release;
mod runtime;
mod sequencer;
mod source;
mod wait;

pub use clock::{Clock, RunClock, Speed};
pub use follower::Followed;
pub use plan::{Durability, PaperPlan};
pub use recover::{Recovered, recover};
pub use release::{Found, RELEASE_FILE, ReleaseLog};
pub use runtime::{PaperRequest, PaperSummary, ResumeRequest, Stop, paper, resume};
pub use sequencer::{Added, LiveSink, Next, SEAL_EVERY, Sequencer, is_sequencers};
pub use source::{DbnSource, SessionSource, Source};
pub(crate) use wait::{Came, Intake};

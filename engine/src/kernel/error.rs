//! What the loop refuses to take.

use crate::ids::Seq;

/// An input the loop cannot take. The run ends; nothing of the input was applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KernelError {
    /// Receipt time went backwards.
    #[error(
        "input at seq {seq} has ts {ts}, before the previous input's {previous}: the tape must be sorted by receipt time"
    )]
    OutOfOrder {
        /// Position.
        seq: Seq,
        /// Its time.
        ts: u64,
        /// The time before.
        previous: u64,
    },
    /// The kind byte is unknown.
    #[error("input at seq {seq} has record kind {kind}, which this version does not know")]
    UnknownKind {
        /// Position.
        seq: Seq,
        /// The byte.
        kind: u8,
    },
    /// A record names an instrument that was not defined before it.
    #[error("input at seq {seq} names instrument {instrument}, but only {defined} are defined before it")]
    UndefinedInstrument {
        /// Position.
        seq: Seq,
        /// Its index.
        instrument: u32,
        /// Definitions so far.
        defined: usize,
    },
    /// A definition's underlying or symbol is not usable.
    #[error("definition at seq {seq} of '{symbol}': {problem}")]
    BadDefinition {
        /// Position.
        seq: Seq,
        /// Symbol.
        symbol: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// A cold record came without its payload.
    #[error("cold input at seq {seq} has no payload in its block")]
    MissingPayload {
        /// Position.
        seq: Seq,
    },
    /// An input came after the end of the tape.
    #[error("input at seq {seq} follows the end of the tape: a kernel runs one tape")]
    Finished {
        /// Position.
        seq: Seq,
    },
    /// The journal's configuration is not the one this kernel was made for.
    #[error("the start input at seq {seq} holds another configuration than this run's")]
    OtherConfig {
        /// Position.
        seq: Seq,
    },
}

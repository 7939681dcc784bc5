//! A block of the log: the unit that is hashed, stored and re-derived.
//!
//! Two lanes. `inputs` holds 64-byte records, `cold` the payloads of its [`crate::record::Kind::Cold`]
//! records in order; `derived` holds what the loop concluded, each event with the number
//! of inputs that precede it. A seq is a position: the block's `first_seq` plus the count
//! of inputs and derived events before it, so it is stored nowhere.

use crate::event::Derived;
use crate::ids::Seq;
use crate::input::Cold;
use crate::record::Record;

/// Inputs at which a block seals.
pub const INPUTS_MAX: usize = 4_096;
/// Derived events at which a block seals, after the drain that reached it.
pub const DERIVED_SEAL: usize = 4_096;
/// Most derived events one input may lead to: a block's derived lane is bounded by this and [`DERIVED_SEAL`].
pub const DERIVED_PER_INPUT_MAX: usize = 65_536;
/// Most derived events a strategy may cause at one instant of event time before it is stopped as a run-away.
pub const STRATEGY_EVENTS_MAX: usize = 16_384;
/// Blocks that a live journal's writer may be behind before orders are refused.
pub const JOURNAL_LAG_MAX: u32 = 48;
/// Derived events after which the loop starts no further due entry, arrival or resting match for the
/// same input: what waits continues at the next input.
pub(crate) const DERIVED_PAUSE: usize = DERIVED_PER_INPUT_MAX / 2;

/// One block. Sessions hold blocks whose `derived` lane is empty.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Block {
    /// Seq of the first element, input or derived.
    pub first_seq: Seq,
    /// Input lane.
    pub inputs: Vec<Record>,
    /// Payloads of the lane's cold records, in order.
    pub cold: Vec<Cold>,
    /// Derived lane.
    pub derived: Vec<Derived>,
}

/// An element of a block in log order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Entry<'a> {
    /// An input and, when cold, its payload.
    Input(&'a Record, Option<&'a Cold>),
    /// A derived event.
    Derived(&'a Derived),
}

impl Block {
    /// Inputs plus derived events.
    pub fn len(&self) -> usize {
        self.inputs.len() + self.derived.len()
    }

    /// Whether both lanes are empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Seq of the `n`-th derived event, which follows `after` inputs of the block.
    pub fn derived_seq(&self, n: usize, after: u32) -> Seq {
        self.first_seq + u64::from(after) + n as u64
    }

    /// The derived events with their seqs.
    pub fn derived(&self) -> impl Iterator<Item = (Seq, &Derived)> {
        self.derived.iter().enumerate().map(|(n, event)| (self.derived_seq(n, event.after), event))
    }

    /// The elements with their seqs, in log order.
    pub fn entries(&self) -> impl Iterator<Item = (Seq, Entry<'_>)> {
        let (mut input, mut derived, mut cold) = (0usize, 0usize, 0usize);
        (0..self.len() as u64).map(move |offset| {
            let is_derived = self.derived.get(derived).is_some_and(|event| event.after as usize <= input);
            let entry = if is_derived || input == self.inputs.len() {
                derived += 1;
                Entry::Derived(&self.derived[derived - 1])
            } else {
                let record = &self.inputs[input];
                input += 1;
                let payload = (record.kind == crate::record::Kind::Cold as u8).then(|| {
                    cold += 1;
                    self.cold.get(cold - 1)
                });
                Entry::Input(record, payload.flatten())
            };
            (self.first_seq + offset, entry)
        })
    }
}

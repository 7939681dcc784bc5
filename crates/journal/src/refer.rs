//! Journal mode `refs`: which of a block's inputs the session holds.
//!
//! A replay adds little of its own to a session's inputs: the configuration with a seal before them and the
//! closing seal behind them. Everything between is the session's, in its order; how it is cut into blocks does
//! not matter.

use onetape_engine::block::Block;
use onetape_engine::record::{Kind, Record, flags};
use onetape_tape::codec::{Hash, References, Run};

/// Names the session's inputs in the blocks of a replay, in log order.
#[derive(Debug, Clone)]
pub(crate) struct Referrer {
    session: Hash,
    /// Position of the session's next input.
    next: u64,
}

impl Referrer {
    /// At the session's first input.
    pub(crate) fn new(session: Hash) -> Referrer {
        Referrer { session, next: 0 }
    }

    /// Where the inputs of the log's next block are.
    pub(crate) fn refer(&mut self, block: &Block) -> References {
        let count = block.inputs.len() as u32;
        let is_end = |record: &Record| record.kind == Kind::Seal as u8 && record.has(flags::END);
        let own_first = if block.first_seq == 0 { count } else { 0 };
        let own_last = u32::from(own_first == 0 && block.inputs.last().is_some_and(is_end));
        let runs = [
            Run::Own { count: own_first },
            Run::Session { first: self.next, count: count - own_first - own_last },
            Run::Own { count: own_last },
        ];
        self.next += u64::from(runs[1].count());
        let runs = runs.into_iter().filter(|run| run.count() > 0).collect();
        References { session: self.session, runs }
    }
}

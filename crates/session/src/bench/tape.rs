//! The tapes that are measured: workload W1 over any number of instruments, and recorded sessions.

use crate::error::RunError;
use onetape_engine::block::{Block, INPUTS_MAX};
use onetape_engine::ids::InstrumentIx;
use onetape_engine::input::Cold;
use onetape_engine::instrument::InstrumentDef;
use onetape_engine::num::{Nanos, SCALE};
use onetape_engine::record::{Body, Head, Quote, Record, flags};
use onetape_tape::session::SessionReader;
use std::path::Path;

const T0: u64 = 1_700_000_000_000_000_000;
/// Event time between quotes.
const STEP_NS: u64 = 1_000_000;
const CENT: i64 = SCALE / 100;

/// W1: a wrapping LCG walks the midpoint by a cent a millisecond; dealt round robin over instruments that
/// each walk on their own. An iterator of whole blocks, the definitions first.
#[derive(Debug, Clone)]
pub(super) struct Walk {
    state: u64,
    mids: Vec<i64>,
    defined: usize,
    quotes: u64,
    end: u64,
    /// A buffer that came back, to be filled again.
    pub(super) spare: Block,
}

impl Walk {
    /// `quotes` quotes over `instruments`.
    pub(super) fn new(instruments: usize, quotes: u64) -> Walk {
        Walk {
            state: 42,
            mids: vec![100_000; instruments],
            defined: 0,
            quotes: 0,
            end: quotes,
            spare: Block::default(),
        }
    }

    /// The next quote.
    pub(super) fn quote(&mut self) -> Record {
        let index = (self.quotes % self.mids.len() as u64) as usize;
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let r = (self.state >> 33) as i64;
        let mid = &mut self.mids[index];
        *mid = (*mid + r % 3 - 1).clamp(50_000, 150_000);
        let quote = Quote {
            bid: (*mid - 1) * CENT,
            ask: (*mid + 1) * CENT,
            bid_size: (10 + (r / 3) % 90) * SCALE,
            ask_size: (10 + (r / 270) % 90) * SCALE,
            ..Quote::default()
        };
        let mut head = Head::at(Nanos(T0 + self.quotes * STEP_NS), InstrumentIx(index as u32));
        head.flags |= flags::BID | flags::ASK;
        self.quotes += 1;
        Record::new(head, Body::Quote(quote))
    }

    /// Replaces `block` by the next one; false at the end.
    fn fill(&mut self, block: &mut Block) -> bool {
        block.inputs.clear();
        block.cold.clear();
        while block.inputs.len() < INPUTS_MAX {
            if self.defined < self.mids.len() {
                let head = Head::at(Nanos(T0), InstrumentIx::NONE);
                block.inputs.push(Record::new(head, Body::Cold(block.cold.len() as u64)));
                let symbol = format!("TEST{}", self.defined);
                block.cold.push(Cold::Definition(Box::new(InstrumentDef::equity(&symbol))));
                self.defined += 1;
            } else if self.quotes < self.end {
                block.inputs.push(self.quote());
            } else {
                break;
            }
        }
        !block.inputs.is_empty()
    }
}

impl Iterator for Walk {
    type Item = Block;
    fn next(&mut self) -> Option<Block> {
        let mut block = std::mem::take(&mut self.spare);
        self.fill(&mut block).then_some(block)
    }
}

/// Blocks of a tape that lies in memory.
#[derive(Debug, Clone)]
pub(super) struct Tape {
    pub(super) name: String,
    pub(super) blocks: Vec<Block>,
    pub(super) inputs: u64,
    /// CPU of reading and decoding it, per input; `None` of a generated tape.
    pub(super) read_ns: Option<f64>,
}

impl Tape {
    pub(super) fn walk(instruments: usize, quotes: u64) -> Tape {
        let blocks: Vec<Block> = Walk::new(instruments, quotes).collect();
        Tape::of(format!("W1, {instruments} instruments"), blocks, None)
    }

    pub(super) fn of(name: String, blocks: Vec<Block>, read_ns: Option<f64>) -> Tape {
        let inputs = blocks.iter().map(|block| block.inputs.len() as u64).sum();
        Tape { name, blocks, inputs, read_ns }
    }

    /// A recorded session, at most about `inputs` of it.
    pub(super) fn session(path: &Path, inputs: u64) -> Result<Tape, RunError> {
        let mut reader = SessionReader::open(path)?;
        let (mut blocks, mut read) = (Vec::new(), 0);
        let started = super::thread_cpu();
        loop {
            let mut block = Block::default();
            if read >= inputs || !reader.next_block(&mut block)? {
                break;
            }
            read += block.inputs.len() as u64;
            blocks.push(block);
        }
        let spent = super::thread_cpu() - started;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Tape::of(name, blocks, Some(spent.as_nanos() as f64 / read.max(1) as f64)))
    }

    pub(super) fn first_ts(&self) -> Nanos {
        self.blocks.first().and_then(|block| block.inputs.first()).map_or(Nanos(T0), Record::ts)
    }

    pub(super) fn last_ts(&self) -> Nanos {
        self.blocks.last().and_then(|block| block.inputs.last()).map_or(Nanos(T0), Record::ts)
    }
}

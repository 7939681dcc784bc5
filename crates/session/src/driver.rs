//! Feeds a kernel and builds the log's blocks around it.
//!
//! A session's blocks are moved into the log, not copied: the run's first block holds the `Start`
//! input and a seal, so that the blocks that follow line up with the session's own. Only when a
//! block has to seal early is it split.

use onetape_engine::block::Block;
use onetape_engine::config::RunConfig;
use onetape_engine::ids::{InstrumentIx, Seq};
use onetape_engine::input::Cold;
use onetape_engine::num::Nanos;
use onetape_engine::record::{Body, Head, Kind, Record, flags};
use onetape_engine::{Kernel, KernelError, Strategy};

/// Takes sealed blocks; returns an emptied one to fill again.
pub trait BlockSink {
    /// What may go wrong.
    type Error;
    /// Takes a sealed block.
    ///
    /// # Errors
    /// Whatever the sink's medium reports; the run ends.
    fn put(&mut self, block: Block) -> Result<Block, Self::Error>;
}

/// Why a drive ended early.
#[derive(Debug)]
pub enum DriveError<E> {
    /// The loop refused an input.
    Kernel(KernelError),
    /// The sink failed.
    Sink(E),
}

impl<E> From<KernelError> for DriveError<E> {
    fn from(error: KernelError) -> DriveError<E> {
        DriveError::Kernel(error)
    }
}

/// A kernel with the block under construction.
#[derive(Debug)]
pub struct Driver<S> {
    kernel: Kernel<S>,
    /// Inputs applied but not sealed yet.
    pending: Block,
    spare: Block,
    first_seq: Seq,
}

fn cold_record(ts: Nanos, index: usize) -> Record {
    Record::new(Head::at(ts, InstrumentIx::NONE), Body::Cold(index as u64))
}

fn seal_record(ts: Nanos, is_end: bool) -> Record {
    let mut head = Head::at(ts, InstrumentIx::NONE);
    head.flags |= if is_end { flags::END } else { 0 };
    Record::new(head, Body::Seal)
}

impl<S: Strategy> Driver<S> {
    /// A driver; nothing has entered the log yet.
    pub fn new(config: RunConfig, strategies: Vec<S>) -> Driver<S> {
        let kernel = Kernel::new(config, strategies);
        Driver { kernel, pending: Block::default(), spare: Block::default(), first_seq: 0 }
    }

    /// A driver that goes on with a kernel whose last block sealed.
    pub fn over(kernel: Kernel<S>) -> Driver<S> {
        let first_seq = kernel.seq();
        Driver { kernel, pending: Block::default(), spare: Block::default(), first_seq }
    }

    /// The kernel, to read its state.
    pub fn kernel(&self) -> &Kernel<S> {
        &self.kernel
    }

    /// Opens the log with the run's configuration.
    ///
    /// # Errors
    /// When the sink fails.
    pub fn start<K: BlockSink>(
        &mut self,
        config: &RunConfig,
        at: Nanos,
        sink: &mut K,
    ) -> Result<(), DriveError<K::Error>> {
        let first = Block {
            inputs: vec![cold_record(at, 0), seal_record(at, false)],
            cold: vec![Cold::Start(Box::new(config.clone()))],
            ..Block::default()
        };
        self.drive(first, sink).map(|_| ())
    }

    /// Closes the log: what is due up to the last settlement runs, and the last block seals.
    ///
    /// # Errors
    /// When the sink fails.
    pub fn end<K: BlockSink>(&mut self, at: Nanos, sink: &mut K) -> Result<(), DriveError<K::Error>> {
        let last = Block { inputs: vec![seal_record(at, true)], ..Block::default() };
        self.drive(last, sink).map(|_| ())
    }

    /// Applies a block of inputs and hands every block that seals to the sink; returns an emptied block.
    ///
    /// # Errors
    /// When the loop refuses an input or the sink fails.
    pub fn drive<K: BlockSink>(
        &mut self,
        mut block: Block,
        sink: &mut K,
    ) -> Result<Block, DriveError<K::Error>> {
        let (mut n, mut cold) = (0, 0);
        while n < block.inputs.len() {
            let record = &block.inputs[n];
            let payload = if record.kind == Kind::Cold as u8 {
                cold += 1;
                block.cold.get(cold - 1)
            } else {
                None
            };
            self.kernel.apply(record, payload)?;
            let must_seal = self.kernel.must_seal(record);
            n += 1;
            if must_seal {
                let rest = split_off(&mut block, n, cold);
                self.seal(block, sink)?;
                block = rest;
                (n, cold) = (0, 0);
            }
        }
        self.hold(block)
    }

    /// Applies one input and hands its block to the sink when that seals.
    ///
    /// # Errors
    /// When the loop refuses the input or the sink fails.
    pub fn push<K: BlockSink>(
        &mut self,
        mut record: Record,
        cold: Option<Cold>,
        sink: &mut K,
    ) -> Result<(), DriveError<K::Error>> {
        if cold.is_some() {
            record.body[0] = self.pending.cold.len() as u64;
        }
        self.kernel.apply(&record, cold.as_ref())?;
        self.pending.inputs.push(record);
        self.pending.cold.extend(cold);
        if self.kernel.must_seal(&record) {
            let block = std::mem::take(&mut self.pending);
            self.seal(block, sink)?;
            self.pending.inputs = std::mem::take(&mut self.spare.inputs);
            self.pending.cold = std::mem::take(&mut self.spare.cold);
        }
        Ok(())
    }

    /// Whether inputs were applied that have not sealed.
    pub fn has_pending(&self) -> bool {
        !self.pending.inputs.is_empty()
    }

    /// Keeps applied inputs that have not sealed.
    fn hold<E>(&mut self, mut block: Block) -> Result<Block, DriveError<E>> {
        if self.pending.inputs.is_empty() {
            std::mem::swap(&mut self.pending, &mut block);
        } else {
            append(&mut self.pending, &mut block);
        }
        block.inputs.clear();
        block.cold.clear();
        Ok(block)
    }

    fn seal<K: BlockSink>(&mut self, mut block: Block, sink: &mut K) -> Result<(), DriveError<K::Error>> {
        if !self.pending.inputs.is_empty() {
            let mut whole = std::mem::take(&mut self.pending);
            append(&mut whole, &mut block);
            block = whole;
        }
        block.first_seq = self.first_seq;
        let empty = std::mem::take(&mut self.spare.derived);
        block.derived = self.kernel.take_derived(empty);
        self.first_seq = self.kernel.seq();
        self.spare = sink.put(block).map_err(DriveError::Sink)?;
        Ok(())
    }
}

/// Splits the inputs after the first `n` (with their `cold` payloads) into a block of their own.
fn split_off(block: &mut Block, n: usize, cold: usize) -> Block {
    if n == block.inputs.len() {
        return Block::default();
    }
    let mut rest =
        Block { inputs: block.inputs.split_off(n), cold: block.cold.split_off(cold), ..Block::default() };
    renumber_cold(&mut rest, 0, 0);
    rest
}

fn append(whole: &mut Block, tail: &mut Block) {
    let (from, base) = (whole.inputs.len(), whole.cold.len());
    whole.inputs.append(&mut tail.inputs);
    whole.cold.append(&mut tail.cold);
    renumber_cold(whole, from, base);
}

/// A cold record's body is the index of its payload within its block.
fn renumber_cold(block: &mut Block, from: usize, base: usize) {
    let cold_records = block.inputs[from..].iter_mut().filter(|record| record.kind == Kind::Cold as u8);
    for (index, record) in cold_records.enumerate() {
        record.body[0] = (base + index) as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use onetape_engine::instrument::InstrumentDef;
    use onetape_engine::record::Quote;

    struct Collected(Vec<Block>);

    impl BlockSink for Collected {
        type Error = std::convert::Infallible;
        fn put(&mut self, block: Block) -> Result<Block, Self::Error> {
            self.0.push(block);
            Ok(Block::default())
        }
    }

    fn define(block: &mut Block, ts: u64, symbol: &str) {
        block.inputs.push(cold_record(Nanos(ts), block.cold.len()));
        block.cold.push(Cold::Definition(Box::new(InstrumentDef::equity(symbol))));
    }

    fn quote(ts: u64) -> Record {
        let quote = Quote { bid: 1, ask: 2, bid_size: 1, ask_size: 1, ..Quote::default() };
        let mut head = Head::at(Nanos(ts), InstrumentIx(0));
        head.flags |= flags::BID | flags::ASK;
        Record::new(head, Body::Quote(quote))
    }

    /// The log is the same however the inputs are cut into blocks on their way in.
    #[test]
    fn blocks_do_not_depend_on_how_inputs_arrive() {
        let logs: Vec<Vec<Block>> = [7usize, 1000, 4096, 9000]
            .into_iter()
            .map(|chunk| {
                let config = RunConfig::default();
                let mut driver: Driver<Box<dyn Strategy>> = Driver::new(config.clone(), Vec::new());
                let mut sink = Collected(Vec::new());
                driver.start(&config, Nanos(1), &mut sink).unwrap();
                let mut all = Block::default();
                define(&mut all, 1, "A");
                all.inputs.extend((1..6000).map(quote));
                define(&mut all, 6000, "B");
                all.inputs.extend((6000..9000).map(quote));
                while !all.inputs.is_empty() {
                    let n = chunk.min(all.inputs.len());
                    let cold = all.inputs[..n].iter().filter(|r| r.kind == Kind::Cold as u8).count();
                    let rest = split_off(&mut all, n, cold);
                    driver.drive(std::mem::replace(&mut all, rest), &mut sink).unwrap();
                }
                driver.end(Nanos(9000), &mut sink).unwrap();
                sink.0
            })
            .collect();
        for log in &logs[1..] {
            assert_eq!(log, &logs[0]);
        }
        let lengths: Vec<usize> = logs[0].iter().map(|block| block.inputs.len()).collect();
        assert_eq!(lengths, [2, 4096, 4096, 810]);
        let seqs =
            logs[0].windows(2).all(|pair| pair[0].first_seq + pair[0].len() as u64 == pair[1].first_seq);
        assert!(seqs, "seqs are contiguous");
    }
}

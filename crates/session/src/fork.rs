//! A fork: a run's inputs again, with a change from one place of the log on.
//!
//! Up to that place everything is as it was, by construction: the same configuration and the same
//! inputs. There operator commands enter the log — a parameter, a cancel, another fill profile — and the
//! run's remaining inputs follow. The result is a run of its own, with a journal that verifies and
//! re-derives without its parent; `audit diff` tells what the change did.

use crate::collect::Collector;
use crate::driver::{DriveError, Driver};
use crate::error::RunError;
use crate::rederive::{build_strategies, config_of};
use crate::replay::{Progress, RunSummary, Watched, summarize};
use crate::run_folder::{Finished, RunFolder, fork_id};
use crate::settings::Settings;
use crate::sink::Sink;
use onetape_engine::Strategy;
use onetape_engine::block::Block;
use onetape_engine::config::SEMANTICS_VERSION;
use onetape_engine::ids::{InstrumentIx, Seq};
use onetape_engine::input::{Cold, Command};
use onetape_engine::num::Nanos;
use onetape_engine::record::{Body, Head, Kind, Record};
use onetape_journal::{JournalReader, SealState};
use onetape_strategies::Registry;
use serde::Serialize;
use std::path::Path;
use std::time::Instant;

/// What to fork, where, and what changes.
pub struct ForkRequest<'a> {
    /// The parent's journal.
    pub parent: &'a JournalReader,
    /// The parent's settings, kept with the fork for its reader.
    pub settings: &'a Settings,
    /// Strategies by name.
    pub registry: &'a Registry,
    /// Last entry that stays as it was.
    pub seq: Seq,
    /// What enters the log after it.
    pub commands: Vec<Command>,
    /// Folder that holds run folders.
    pub out: &'a Path,
}

/// Where a run was forked from, as its summary says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ForkOf {
    /// The parent's run id.
    pub run: String,
    /// Last seq asked to stay as it was.
    pub seq: Seq,
    /// Seq of the first command: everything before it is the parent's.
    pub first_seq: Seq,
    /// What entered the log there.
    pub commands: Vec<Command>,
}

/// Runs a fork into a run folder.
///
/// # Errors
/// The parent cannot be read or re-run, ends before the place, or refuses a command; nothing is left
/// behind then but a `.partial` folder.
pub fn fork(request: &ForkRequest<'_>, progress: &mut dyn FnMut(Progress)) -> Result<RunSummary, RunError> {
    let path = request.parent.path();
    let (mut blocks, mut block) = (request.parent.blocks(), Block::default());
    if !blocks.next_block(&mut block)? {
        return Err(RunError::NoStart { path: path.to_string() });
    }
    let config = config_of(&block, path)?;
    if config.semantics != SEMANTICS_VERSION {
        return Err(RunError::Semantics { found: SEMANTICS_VERSION, journaled: config.semantics });
    }
    check_parameters(&request.commands, build_strategies(&config, request.registry)?, path)?;
    let strategies = build_strategies(&config, request.registry)?;
    let parent = request.parent.header().run_id.clone();
    let id = fork_id(&config, &parent, request.seq, &request.commands);
    let folder = RunFolder::begin(request.out, &id)?;
    let started = Instant::now();
    // It holds its inputs itself, whatever its parent's mode.
    let mut sink = Sink::full(&folder, &id)?;
    let mut collector = Collector::default();
    let mut driver = Driver::new(config.clone(), strategies);
    let mut forking = Forking { request, driver: &mut driver, first_seq: None, last: Nanos(0), first: None };
    let mut watched = Watched { sink: &mut sink, collector: &mut collector };
    let total = match request.parent.seal() {
        SealState::Intact(seal) => seal.inputs,
        _ => 0,
    };
    let mut inputs = 0;
    loop {
        inputs += block.inputs.len() as u64;
        forking.block(std::mem::take(&mut block), &mut watched)?;
        progress(Progress { inputs, total: total.max(inputs) });
        if !blocks.next_block(&mut block)? {
            break;
        }
    }
    let (first_seq, span) = forking.end(&mut watched)?;
    let stored = sink.finish()?;
    let mut summary = summarize(driver.kernel(), &config, &collector, &stored);
    summary.session = format!("fork of {} after seq {}", parent.get(..16).unwrap_or(&parent), request.seq);
    summary.run_id = id.short();
    (summary.first_ts, summary.last_ts) = (span.0.0, span.1.0);
    summary.wall_seconds = started.elapsed().as_secs_f64();
    summary.events_per_second = summary.events as f64 / summary.wall_seconds.max(1e-9);
    summary.fork =
        Some(ForkOf { run: parent, seq: request.seq, first_seq, commands: request.commands.clone() });
    let (settings, instruments) = (request.settings, driver.kernel().instruments());
    folder.finish(Finished { summary: &mut summary, settings, collector: &collector, instruments })?;
    Ok(summary)
}

/// Tries every parameter on strategies as the run began with, before anything is written.
fn check_parameters(
    commands: &[Command],
    mut strategies: Vec<Box<dyn Strategy>>,
    path: &str,
) -> Result<(), RunError> {
    for command in commands {
        let Command::Set { strategy, key, value } = command else { continue };
        let Some(target) = strategies.get_mut(strategy.index()) else {
            return Err(RunError::Fork {
                path: path.to_string(),
                problem: format!("no strategy {}", strategy.0),
            });
        };
        let name = target.name().to_string();
        target.set(key, value).map_err(|source| RunError::Param { strategy: name, source })?;
    }
    Ok(())
}

/// A fork under way.
struct Forking<'a, 'r> {
    request: &'a ForkRequest<'r>,
    driver: &'a mut Driver<Box<dyn Strategy>>,
    first_seq: Option<Seq>,
    first: Option<Nanos>,
    last: Nanos,
}

impl Forking<'_, '_> {
    fn problem(&self, problem: String) -> RunError {
        RunError::Fork { path: self.request.parent.path().to_string(), problem }
    }

    /// Feeds a block of the parent; the one that holds the place input by input.
    fn block(&mut self, mut block: Block, sink: &mut Watched<'_>) -> Result<(), RunError> {
        let is_last_before = block.first_seq + block.len() as u64 > self.request.seq;
        block.derived.clear();
        self.last = block.inputs.last().map_or(self.last, Record::ts);
        self.first = self.first.or(block.inputs.first().map(Record::ts));
        if self.first_seq.is_some() || !is_last_before {
            return self.drive(block, sink);
        }
        let mut cold = block.cold.into_iter();
        for mut record in block.inputs {
            let mut payload = Vec::new();
            if record.kind == Kind::Cold as u8 {
                payload.extend(cold.next());
                record.body[0] = 0;
            }
            self.drive(Block { inputs: vec![record], cold: payload, ..Block::default() }, sink)?;
            if self.first_seq.is_none() && self.driver.kernel().seq() > self.request.seq {
                self.command(record.ts(), sink)?;
            }
        }
        Ok(())
    }

    /// Puts the commands into the log.
    fn command(&mut self, ts: Nanos, sink: &mut Watched<'_>) -> Result<(), RunError> {
        if self.driver.kernel().is_finished() {
            return Err(self.problem("the run has ended there; fork before its last input".to_string()));
        }
        self.first_seq = Some(self.driver.kernel().seq());
        for command in &self.request.commands {
            self.check_cancel(command)?;
            let record = Record::new(Head::at(ts, InstrumentIx::NONE), Body::Cold(0));
            let cold = vec![Cold::Command(command.clone())];
            self.drive(Block { inputs: vec![record], cold, ..Block::default() }, sink)?;
        }
        Ok(())
    }

    fn check_cancel(&self, command: &Command) -> Result<(), RunError> {
        let Command::Cancel { order } = command else { return Ok(()) };
        let at = self.request.seq;
        match self.driver.kernel().orders().get(order.index()) {
            None => Err(self.problem(format!("there is no order {} yet at seq {at}", order.0))),
            Some(found) if found.state.is_final() => {
                let state = format!("{:?}", found.state).to_lowercase();
                Err(self.problem(format!("order {} is {state} at seq {at}: nothing to cancel", order.0)))
            }
            Some(_) => Ok(()),
        }
    }

    fn drive(&mut self, block: Block, sink: &mut Watched<'_>) -> Result<(), RunError> {
        let driven = self.driver.drive(block, sink);
        driven.map(|_| ()).map_err(|error| self.failed(error))
    }

    fn failed(&self, error: DriveError<RunError>) -> RunError {
        match error {
            DriveError::Kernel(source) => {
                RunError::Input { path: self.request.parent.path().to_string(), source }
            }
            DriveError::Sink(error) => error,
        }
    }

    /// Closes the log; returns the first command's seq and the inputs' span.
    fn end(self, sink: &mut Watched<'_>) -> Result<(Seq, (Nanos, Nanos)), RunError> {
        let Some(first_seq) = self.first_seq else {
            let (path, end) = (self.request.parent.path().to_string(), self.driver.kernel().seq());
            return Err(RunError::NoSuchSeq { path, seq: self.request.seq, end });
        };
        // A parent that was not closed ends without its last input.
        if !self.driver.kernel().is_finished() {
            let ended = self.driver.end(self.last, sink);
            ended.map_err(|error| self.failed(error))?;
        }
        Ok((first_seq, (self.first.unwrap_or_default(), self.last)))
    }
}

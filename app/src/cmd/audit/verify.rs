//! `onetape audit verify`.

use super::RunArg;
use super::export::signature_of;
use crate::Session;
use crate::failure::{CHECK, Failure};
use crate::report::{self, count};
use clap::Args;
use onetape_engine::block::{Block, Entry};
use onetape_journal::{JournalError, Names, VerifyReport, check_signature};
use onetape_session::{Rederivation, Rederived, RunError};
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  onetape audit verify 3f2a --rederive")]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    run: RunArg,
    /// Run the inputs through the loop again and compare every derived event.
    #[arg(long)]
    rederive: bool,
    /// Head hash that the journal must have: at least its first 16 digits.
    #[arg(long, value_name = "HEAD", value_parser = parse_head)]
    expect: Option<String>,
    /// Ed25519 public key (PEM) under which the head must be signed.
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
    /// Signature, when it is not head.sig in the run folder.
    #[arg(long, value_name = "FILE", requires = "public_key")]
    signature: Option<PathBuf>,
}

/// What anyone could forge by trying pins nothing.
const HEAD_DIGITS_MIN: usize = 16;

fn parse_head(text: &str) -> Result<String, String> {
    let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hex && (HEAD_DIGITS_MIN..=64).contains(&text.len()) {
        return Ok(text.to_ascii_lowercase());
    }
    Err(format!("a head is 64 hexadecimal digits, of which at least the first {HEAD_DIGITS_MIN} are given"))
}

impl VerifyArgs {
    /// Why the head is not signed as it should be; `None` when it is, or when nobody asked.
    fn signature_problem(&self, run: &Path, report: &VerifyReport) -> Result<Option<String>, Failure> {
        let Some(key) = &self.public_key else { return Ok(None) };
        let reader = self.run.open()?;
        let signature = self.signature.clone().unwrap_or_else(|| signature_of(run));
        Ok(check_signature(&reader.header().run_id, report, &signature, key)?)
    }
}

pub(crate) fn run(args: &VerifyArgs, session: &Session<'_>) -> Result<u8, Failure> {
    verify(&args.run.find()?, args, session)
}

#[derive(Debug, Serialize)]
struct Verified {
    ok: bool,
    run: String,
    events: u64,
    blocks: u64,
    head: String,
    derived_hash: String,
    inputs_checked: bool,
    signed: bool,
    rederived: bool,
    derived_mismatches: u64,
    first_bad_seq: Option<u64>,
    message: String,
}

fn verify(run: &Path, args: &VerifyArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let journal = run.join("journal");
    let mut again = Again {
        session,
        path: journal.display().to_string(),
        names: Names::default(),
        rederivation: None,
        failure: None,
    };
    let sessions = args.run.sessions();
    let refers = std::cell::Cell::new(false);
    let find = |wanted| {
        refers.set(true);
        sessions.find(run, wanted)
    };
    let report = onetape_journal::verify_with(&journal, &find, |block| {
        if args.rederive {
            again.visit(block);
        }
    })?;
    args.run.check_session(refers.get())?;
    if let Some(session) = report.unchecked_session.as_ref().filter(|_| args.rederive) {
        let (path, session) = (journal.display().to_string(), session.clone());
        return Err(JournalError::NeedsSession { path, session }.into());
    }
    let unsigned = if report.ok { args.signature_problem(run, &report)? } else { None };
    let mut result = Verified {
        ok: report.ok,
        run: run.display().to_string(),
        events: report.events,
        blocks: report.blocks,
        head: report.head,
        derived_hash: report.derived_hash,
        inputs_checked: report.unchecked_session.is_none(),
        signed: false,
        rederived: false,
        derived_mismatches: 0,
        first_bad_seq: report.first_bad_seq,
        message: report.message,
    };
    if let Some(problem) = unsigned {
        result.ok = false;
        result.message = problem;
    } else if report.ok && args.public_key.is_some() {
        result.signed = true;
        result.message += "; signed";
    }
    if let Some(expected) =
        args.expect.as_deref().filter(|expected| result.ok && !result.head.starts_with(*expected))
    {
        result.ok = false;
        result.message = format!("the head is {}, expected was {expected}", result.head);
    }
    if args.rederive && report.ok {
        let (rederived, names) = again.result()?;
        result.rederived = true;
        result.derived_mismatches = rederived.mismatches;
        if let Some(first) = &rederived.first {
            result.ok = false;
            result.first_bad_seq = Some(first.seq);
            let text = |event: &Option<onetape_engine::event::Derived>| match event {
                Some(event) => names.render(first.seq, &Entry::Derived(event)).to_string(),
                None => "nothing".to_string(),
            };
            result.message = format!(
                "{} of {} derived events differ; the first at seq {}\n  journal  {}\n  derived  {}",
                rederived.mismatches,
                rederived.derived,
                first.seq,
                text(&first.journaled),
                text(&first.derived)
            );
        } else if result.ok {
            result.message =
                format!("{}; {} derived events re-derived", result.message, count(rederived.derived));
        }
    }
    if session.json {
        report::json(&result)?;
    } else {
        report::line(&format!("{}  {}", if result.ok { "ok  " } else { "BAD " }, result.message));
        report::line(&format!("run {}   head {}", result.run, result.head));
    }
    Ok(if result.ok { 0 } else { CHECK })
}

/// The log as the loop sees it again, beside the one that is verified.
struct Again<'a> {
    session: &'a Session<'a>,
    path: String,
    names: Names,
    rederivation: Option<Rederivation>,
    failure: Option<RunError>,
}

impl Again<'_> {
    fn visit(&mut self, block: &Block) {
        if self.failure.is_none() {
            self.failure = self.block(block).err();
        }
    }

    fn block(&mut self, block: &Block) -> Result<(), RunError> {
        block.entries().for_each(|(_, entry)| self.names.learn(&entry));
        if self.rederivation.is_none() {
            self.rederivation = Some(Rederivation::begin(block, self.session.registry, &self.path)?);
        }
        self.rederivation.as_mut().map_or(Ok(()), |rederivation| rederivation.block(block))
    }

    fn result(self) -> Result<(Rederived, Names), RunError> {
        let result = self.rederivation.map(|rederivation| rederivation.result().clone());
        self.failure.map_or(Ok((result.unwrap_or_default(), self.names)), Err)
    }
}

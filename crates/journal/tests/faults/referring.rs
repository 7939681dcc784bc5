//! Damage to journals that refer to a session, and to the session.

use crate::run::{Rng, seed_of};
use crate::trials::{Counts, Damage, copy, damage, damage_copies};
use onetape_engine::block::Block;
use onetape_engine::event::{Derived, Event};
use onetape_engine::ids::{InstrumentIx, StrategyIx};
use onetape_engine::input::Cold;
use onetape_engine::instrument::InstrumentDef;
use onetape_engine::num::Nanos;
use onetape_engine::record::{Body, Head, Kind, Quote, Record, flags};
use onetape_journal::{JournalError, JournalWriter, VerifyReport, verify_with};
use onetape_tape::codec::Hash;
use onetape_tape::session::{SessionMeta, SessionPlace, SessionReader, SessionWriter};
use std::fs;
use std::path::{Path, PathBuf};

const INPUTS: u64 = 12_000;

/// A session and the journal of a run over it.
pub struct Referring {
    folder: tempfile::TempDir,
    head: String,
    /// Of every record that went in.
    inputs: Hash,
}

impl Referring {
    pub fn new(seed: u64) -> Referring {
        let folder = tempfile::tempdir().unwrap();
        let mut rng = Rng(seed);
        let session = write_session(&folder.path().join("session"), &mut rng);
        let journal = folder.path().join("original");
        let mut writer = JournalWriter::create_referring(&journal, [7; 32], session).unwrap();
        for block in blocks(&folder.path().join("session"), &mut rng) {
            writer.append(&block).unwrap();
            if rng.chance(20) {
                writer.commit().unwrap();
            }
        }
        let head = writer.finish().unwrap().head_hash.to_string();
        let mut made = Referring { folder, head, inputs: Hash::ZERO };
        made.inputs = made.verify(&journal, &made.session()).unwrap().1;
        made
    }

    fn session(&self) -> PathBuf {
        self.folder.path().join("session")
    }

    /// The journal's report and the hash of the inputs that it and the session at `session` make up.
    fn verify(&self, journal: &Path, session: &Path) -> Result<(VerifyReport, Hash), JournalError> {
        let mut seen = Vec::new();
        let find = |_| Ok(Some(SessionPlace::Folder(session.to_path_buf())));
        let report = verify_with(journal, &find, |block| {
            for record in &block.inputs {
                seen.extend_from_slice(&record.ts.to_le_bytes());
                record.body.iter().for_each(|word| seen.extend_from_slice(&word.to_le_bytes()));
            }
            seen.extend(block.cold.iter().flat_map(|cold| format!("{cold:?}").into_bytes()));
        })?;
        Ok((report, Hash::of(&seen)))
    }

    /// The journal damaged, with and without its SEAL; the session is as it was.
    pub fn finished(&self, kind: Damage, sealed: bool, trials: u64, seed: u64) -> Counts {
        let verify = |dir: &Path| self.verify(dir, &self.session()).map(|(report, _)| report);
        let original = self.folder.path().join("original");
        damage_copies(&original, &self.head, &verify, (kind, sealed), (trials, seed))
    }

    /// The session damaged, the journal as it was: named, or every input is the same.
    pub fn session_damaged(&self, kind: Damage, trials: u64, seed: u64) -> Counts {
        let mut counts = Counts::default();
        let (journal, place) = (self.folder.path().join("original"), self.folder.path().join("changed"));
        for trial in 0..trials {
            let seed = seed_of(seed, trial);
            copy(&self.session(), &place);
            counts.trials += 1;
            if damage(&place, "blocks.tape", kind, &mut Rng(seed)) {
                match self.verify(&journal, &place) {
                    Ok((report, inputs)) => {
                        let is_same = report.ok && inputs == self.inputs && report.head == self.head;
                        counts.tally(if is_same { "harmless, every input the same" } else { "OTHER INPUTS" });
                        counts.check(is_same, seed, || format!("session {kind:?}: {report:?}"));
                    }
                    Err(JournalError::Session { .. } | JournalError::OtherSession { .. }) => {
                        counts.tally("named");
                    }
                    Err(error) => counts.check(false, seed, || format!("session {kind:?}: {error}")),
                }
            } else {
                counts.tally("no byte changed");
            }
            fs::remove_dir_all(&place).unwrap();
        }
        counts
    }
}

/// A session of random quotes with definitions among them; returns its content hash.
fn write_session(dir: &Path, rng: &mut Rng) -> Hash {
    let mut writer = SessionWriter::create(dir, SessionMeta::new("trial", "faults", "1")).unwrap();
    for n in 0..INPUTS {
        if n % 3_000 == 0 {
            writer.define(Nanos(n + 1), InstrumentDef::equity(&format!("S{n}"))).unwrap();
        }
        let noise = rng.next() as i64 % 1_000_000;
        let quote =
            Quote { bid: noise, ask: noise + 1 + n as i64 % 9, bid_size: 5, ask_size: 7, ..Quote::default() };
        let mut head = Head::at(Nanos(n + 1), InstrumentIx(0));
        head.flags |= flags::BID | flags::ASK;
        writer.push(Record::new(head, Body::Quote(quote)), None).unwrap();
    }
    writer.finish().unwrap().manifest.content_hash
}

/// The log of a run over the session: its blocks are cut anywhere, some have notes.
fn blocks(session: &Path, rng: &mut Rng) -> Vec<Block> {
    let at = |ts: u64, body| Record::new(Head::at(Nanos(ts), InstrumentIx::NONE), body);
    let mut blocks = vec![Block {
        inputs: vec![at(1, Body::Cold(0)), at(1, Body::Seal)],
        cold: vec![Cold::Start(Box::default())],
        ..Block::default()
    }];
    let mut block = Block { first_seq: 2, ..Block::default() };
    let mut end = rng.below(200) + 1;
    for mut source in SessionReader::open(session).unwrap().blocks().map(Result::unwrap) {
        let mut cold = source.cold.drain(..);
        for mut record in source.inputs {
            if record.kind == Kind::Cold as u8 {
                record.body[0] = block.cold.len() as u64;
                block.cold.extend(cold.next());
            }
            let ts = record.ts;
            block.inputs.push(record);
            if block.inputs.len() == end {
                end = if rng.chance(10) { rng.below(3_000) } else { rng.below(60) } + 1;
                seal(&mut blocks, &mut block, ts, rng);
            }
        }
    }
    let mut last = at(INPUTS + 2, Body::Seal);
    last.flags |= flags::END;
    block.inputs.push(last);
    seal(&mut blocks, &mut block, INPUTS + 2, rng);
    blocks
}

fn seal(blocks: &mut Vec<Block>, block: &mut Block, ts: u64, rng: &mut Rng) {
    let note = |_| Derived {
        after: block.inputs.len() as u32,
        ts: Nanos(ts),
        cause: block.first_seq,
        event: Event::Note { strategy: StrategyIx(0), text: "y".repeat(60) },
    };
    let derived = (0..rng.below(3)).map(note).collect();
    block.derived = derived;
    let next_seq = block.first_seq + block.len() as u64;
    blocks.push(std::mem::replace(block, Block { first_seq: next_seq, ..Block::default() }));
}

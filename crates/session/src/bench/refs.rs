//! The journal that refers to the session's inputs (mode `refs`): what it adds to the loop's thread, and its size.

use super::Row;
use super::journal::{Folder, pairs, verify_again};
use super::strategy::{Discard, WORK_ROUNDS};
use super::tape::Tape;
use super::throughput::{drive_tape, each};
use crate::error::RunError;
use crate::sink::Sink;
use onetape_journal::{JournalThread, JournalWriter};
use onetape_tape::codec::Hash;

/// Loop thread's CPU with the journal over without, bytes and the writer's time per input, for a tape in memory.
pub(super) fn rows(tape: &Tape, rows: &mut Vec<Row>) -> Result<(), RunError> {
    let (mut writer, mut bytes) = (f64::MAX, 0.0);
    let off = || Ok(each(drive_tape(tape, WORK_ROUNDS, &mut Discard)?.cpu, tape.inputs));
    let on = || {
        let folder = Folder::new("refs");
        // The tape is no session: what the blocks refer to is not read again here.
        let journal = JournalWriter::create_referring(folder.path(), [0; 32], Hash::of(b"the tape"))?;
        let mut sink = Sink::Journal(Box::new(JournalThread::start(journal)?));
        let on = each(drive_tape(tape, WORK_ROUNDS, &mut sink)?.cpu, tape.inputs);
        let done = sink.finish()?;
        writer = writer.min(each(done.cpu.unwrap_or_default(), tape.inputs));
        bytes = done.frame_bytes as f64 / tape.inputs.max(1) as f64;
        verify_again(&folder, &done.head_hash)?;
        Ok(on)
    };
    let (off, ratio) = pairs(off, on)?;
    rows.extend([
        Row::context("refs.off", "journal that refers: loop thread without it", off, "ns"),
        Row::cost("refs.on", "  with it ÷ without", ratio, "×", Some(1.10)),
        Row::context("refs.writer", "  writer's thread per input", writer, "ns"),
        Row::context("refs.bytes", "  bytes per input", bytes, "B"),
    ]);
    Ok(())
}

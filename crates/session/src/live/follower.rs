//! The follower: runs the sealed blocks again beside the loop, and takes its snapshots.
//!
//! It reads the owner's database at its own pace, so neither the loop nor the journal's writer ever waits for it.
//! What it derives is compared with the journal: a live run is proven while it lasts.

use crate::error::RunError;
use crossbeam::channel::Sender;
use onetape_engine::block::Block;
use onetape_engine::ids::Seq;
use onetape_engine::record::Kind;
use onetape_engine::{Kernel, Strategy};
use onetape_journal::{LiveLog, Snapshot};
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Least seqs between snapshots.
const SNAPSHOT_EVERY: u64 = 1 << 16;
/// A snapshot costs at most so many bytes for each seq since the last.
const BYTES_PER_SEQ: u64 = 16;
/// Wait for the next block.
const PAUSE: Duration = Duration::from_millis(20);

/// What a follower did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Followed {
    /// Seq up to which the journal was derived again.
    pub verified_to: Seq,
    /// Snapshots handed to the journal.
    pub snapshots: u64,
    /// First seq of a block that derived something else.
    pub diverged_at: Option<Seq>,
}

/// A follower on a thread of its own.
#[derive(Debug)]
pub(super) struct Follower {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Followed>,
}

impl Follower {
    /// Follows `log` from the kernel's seq on.
    pub(super) fn start(
        log: LiveLog,
        kernel: Kernel<Box<dyn Strategy>>,
        snapshots: Sender<Snapshot>,
    ) -> Result<Follower, RunError> {
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("follower".to_string())
            .spawn(move || follow(log, kernel, &snapshots, &asked))
            .map_err(|source| RunError::Io { path: "follower thread".to_string(), source })?;
        Ok(Follower { stop, thread })
    }

    /// Stops where it is and lets go of the journal.
    pub(super) fn finish(self) -> Result<Followed, RunError> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| RunError::Thread { thread: "follower" })
    }
}

fn follow(
    mut log: LiveLog,
    mut kernel: Kernel<Box<dyn Strategy>>,
    snapshots: &Sender<Snapshot>,
    stop: &AtomicBool,
) -> Followed {
    let mut followed = Followed { verified_to: kernel.seq(), ..Followed::default() };
    let (mut block, mut derived) = (Block::default(), Vec::new());
    let mut due = kernel.seq() + SNAPSHOT_EVERY;
    while !stop.load(Ordering::Relaxed) {
        let seq = kernel.seq();
        // A store that fails stops the writer, which says so.
        let Ok(sealed) = log.block(seq, &mut block) else { break };
        let Some(head) = sealed else {
            std::thread::sleep(PAUSE);
            continue;
        };
        if apply(&mut kernel, &block).is_none() {
            followed.diverged_at = Some(seq);
            break;
        }
        derived = kernel.take_derived(derived);
        if derived != block.derived {
            followed.diverged_at = Some(seq);
            break;
        }
        followed.verified_to = kernel.seq();
        if kernel.seq() < due {
            continue;
        }
        let Ok(bytes) = kernel.save() else { continue };
        due = kernel.seq() + SNAPSHOT_EVERY.max(bytes.len() as u64 / BYTES_PER_SEQ);
        // A writer that is busy gets the next one.
        if snapshots.try_send(Snapshot { seq: kernel.seq(), head, bytes }).is_ok() {
            followed.snapshots += 1;
        }
    }
    followed
}

/// Applies a block's inputs; `None` when the loop refuses one.
fn apply(kernel: &mut Kernel<Box<dyn Strategy>>, block: &Block) -> Option<()> {
    let mut cold = block.cold.iter();
    for record in &block.inputs {
        let payload = if record.kind == Kind::Cold as u8 { cold.next() } else { None };
        kernel.apply(record, payload).ok()?;
    }
    Some(())
}

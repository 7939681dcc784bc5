//! Walking a whole journal on several cores, in order.
//!
//! ```text
//!  store ─ Frames (one thread) ─┬─> worker: BLAKE3, decode ─┬─> Chain, visitor (the caller's thread)
//!                               └─> worker: BLAKE3, decode ─┘
//! ```
//! Frame n goes to worker n modulo their number and is taken back from it in the same order, so the chain
//! and the visitor see the log as it is. A block that refers to a session's inputs is completed between them. At most a few blocks per worker are in memory; their buffers go
//! round.

use crate::blocks::{Chain, Frames, Referring, SessionInputs, apart};
use crate::error::JournalError;
use crate::store::Store;
use crossbeam::channel::{Receiver, Sender, bounded};
use onetape_engine::block::Block;
use onetape_tape::codec::{CodecError, Decoder, Hash, Header};
use std::num::NonZero;

/// Frames that wait for, or lie ready at, one worker.
const AHEAD: usize = 4;
/// Beyond this many workers the one thread that reads the store is the limit.
const WORKERS_MAX: usize = 6;

/// A frame on its way and the block it becomes.
#[derive(Default)]
struct Parcel {
    frame: Vec<u8>,
    block: Block,
    references: Option<Referring>,
}

type Read = Result<Parcel, JournalError>;
type Decoded = Result<(Parcel, Result<(Header, Hash), CodecError>), JournalError>;

/// Calls `visit` with every block that fits the chain, in order; returns the first error, after which nothing
/// is visited. `visit` sees each block with the chain that ends in it, and no block when its inputs are those of a
/// session that is not at hand.
pub(crate) fn scan(
    store: &dyn Store,
    path: &str,
    chain: &mut Chain<'_>,
    mut inputs: SessionInputs<'_>,
    mut visit: impl FnMut(&Chain<'_>, Option<&Block>),
) -> Option<JournalError> {
    let workers = std::thread::available_parallelism().map_or(1, NonZero::get).min(WORKERS_MAX);
    let (spares, spare) = bounded::<Parcel>(workers * 2 * AHEAD);
    let frames = Frames::of(store, path);
    std::thread::scope(|scope| {
        let (mut inboxes, mut outboxes) = (Vec::new(), Vec::new());
        for _ in 0..workers {
            let (inbox, frames) = bounded::<Read>(AHEAD);
            let (blocks, outbox) = bounded::<Decoded>(AHEAD);
            inboxes.push(inbox);
            outboxes.push(outbox);
            scope.spawn(move || decode(&frames, &blocks));
        }
        scope.spawn(move || read(frames, &inboxes, &spare));
        // A worker that has nothing more at its turn is at the log's end. Returning drops the outboxes, which
        // ends the workers and with them the reader.
        for outbox in outboxes.iter().cycle() {
            let (mut parcel, decoded) = match outbox.recv() {
                Ok(Ok(parcel)) => parcel,
                Ok(Err(error)) => return Some(error),
                Err(_) => return None,
            };
            let mut is_whole = true;
            let mut fitted = chain.extend(&parcel.frame, decoded);
            if let Some((header, references)) = &parcel.references {
                is_whole = inputs.are_at_hand();
                fitted = fitted.and_then(|()| chain.check_session(references));
                if is_whole {
                    let block = &mut parcel.block;
                    fitted = fitted.and_then(|()| inputs.complete(header, references, block));
                }
            }
            if let Err(error) = fitted {
                return Some(error);
            }
            visit(chain, is_whole.then_some(&parcel.block));
            spares.try_send(parcel).ok();
        }
        None
    })
}

/// Reads frames and deals them out until the end, an error, or until nobody takes them.
fn read(mut frames: Frames<'_>, inboxes: &[Sender<Read>], spare: &Receiver<Parcel>) {
    for inbox in inboxes.iter().cycle() {
        let mut parcel = spare.try_recv().unwrap_or_default();
        let read = match frames.next_frame(&mut parcel.frame) {
            Ok(true) => Ok(parcel),
            Ok(false) => return,
            Err(error) => Err(error),
        };
        let is_last = read.is_err();
        if inbox.send(read).is_err() || is_last {
            return;
        }
    }
}

fn decode(frames: &Receiver<Read>, blocks: &Sender<Decoded>) {
    let mut decoder = Decoder::new();
    for read in frames {
        let decoded = read.map(|mut parcel| {
            let (decoded, references) = apart(decoder.decode_parts(&parcel.frame, &mut parcel.block));
            parcel.references = references;
            (parcel, decoded)
        });
        if blocks.send(decoded).is_err() {
            return;
        }
    }
}

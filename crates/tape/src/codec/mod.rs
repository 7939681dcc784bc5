//! Blocks as bytes: `header ‖ input lane ‖ cold lane ‖ derived lane ‖ hash`.
//!
//! Sessions and journals store the same frames. The hash is BLAKE3 over header and payload
//! and the header holds the previous block's hash, so a chain's last hash fixes every byte
//! before it. `docs/format.md` describes the frame byte by byte.
//!
//! What can never change: a frame once written decodes to the same block in every later
//! version; a different layout gets another codec number.

mod columns;
mod error;
mod header;
mod lane;
mod pack;
mod schema;

pub use error::CodecError;
pub use header::{
    DERIVED_MAX, FORMAT_VERSION, HASH_LEN, HEADER_LEN, Hash, Header, LANE_BYTES_MAX, MAGIC, ParseHashError,
};

use columns::Columns;
use onetape_engine::block::{Block, INPUTS_MAX};
use onetape_engine::record::Kind;
use std::ops::Range;

/// The codec this program writes.
pub const CODEC: u16 = 1;

/// What sealing a block yields besides its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Header as written.
    pub header: Header,
    /// Hash of header and payload: the next block's previous hash.
    pub hash: Hash,
    /// Where the derived lane lies in the frame.
    pub derived: Range<usize>,
}

/// Turns blocks into frames; keeps its buffers between blocks.
#[derive(Debug, Default)]
pub struct Encoder {
    columns: Columns,
}

impl Encoder {
    /// An encoder with empty buffers.
    pub fn new() -> Encoder {
        Encoder::default()
    }

    /// Replaces `frame` by the block's bytes.
    ///
    /// # Errors
    /// A record of unknown kind, cold records that do not match the payloads, derived events
    /// out of place, or a lane beyond its bound. `frame` then holds nothing of use.
    pub fn encode(
        &mut self,
        block: &Block,
        id: &Hash,
        previous: &Hash,
        frame: &mut Vec<u8>,
    ) -> Result<Sealed, CodecError> {
        check_block(block)?;
        frame.clear();
        frame.resize(HEADER_LEN, 0);
        self.columns.encode(&block.inputs, frame);
        let inputs_len = (frame.len() - HEADER_LEN) as u32;
        let cold_len = lane::encode("cold", &block.cold, frame)?;
        let derived_start = frame.len();
        let derived_len = lane::encode("derived", &block.derived, frame)?;
        let header = Header {
            codec: CODEC,
            id: *id,
            first_seq: block.first_seq,
            inputs: block.inputs.len() as u32,
            cold: block.cold.len() as u32,
            derived: block.derived.len() as u32,
            inputs_len,
            cold_len,
            derived_len,
            first_ts: block.inputs.first().map_or(0, |record| record.ts),
            last_ts: block.inputs.last().map_or(0, |record| record.ts),
            previous: *previous,
        };
        let derived = derived_start..frame.len();
        frame[..HEADER_LEN].copy_from_slice(&header.to_bytes());
        let hash = Hash::of(frame);
        frame.extend_from_slice(&hash.0);
        assert_eq!(frame.len(), header.frame_len(), "the header states the frame's length");
        Ok(Sealed { header, hash, derived })
    }
}

/// Appends the bytes of a block's derived lane: those that [`Sealed::derived`] spans in its frame.
///
/// # Errors
/// Derived events out of place, or a lane beyond its bound. What was appended is then of no use.
pub fn encode_derived(block: &Block, out: &mut Vec<u8>) -> Result<(), CodecError> {
    check_derived(block)?;
    lane::encode("derived", &block.derived, out).map(|_| ())
}

/// Checks what the format presumes of a block before it is written.
fn check_block(block: &Block) -> Result<(), CodecError> {
    for (lane, found, max) in
        [("input", block.inputs.len(), INPUTS_MAX), ("derived", block.derived.len(), DERIVED_MAX)]
    {
        if found > max {
            return Err(CodecError::TooMany { lane, max, found });
        }
    }
    check_inputs(block)?;
    check_derived(block)
}

/// Time never decreases, kinds are known and cold records name the payloads in order.
fn check_inputs(block: &Block) -> Result<(), CodecError> {
    let (mut expected, count, mut previous) = (0u64, block.cold.len(), 0);
    for (index, record) in block.inputs.iter().enumerate() {
        if record.ts < previous {
            return Err(CodecError::TimeOrder { index, previous, found: record.ts });
        }
        previous = record.ts;
        if record.kind == Kind::Cold as u8 {
            let found = record.body[0];
            if found != expected || expected >= count as u64 {
                return Err(CodecError::ColdIndex { index, expected, found, count });
            }
            expected += 1;
        } else if Kind::from_wire(record.kind).is_none() {
            return Err(CodecError::UnknownKind { index, kind: record.kind });
        }
    }
    if expected != count as u64 {
        let index = block.inputs.len();
        return Err(CodecError::ColdIndex { index, expected, found: count as u64, count });
    }
    Ok(())
}

/// Derived events lie within the block, in order.
fn check_derived(block: &Block) -> Result<(), CodecError> {
    let (mut min, max) = (0, block.inputs.len() as u32);
    for (index, event) in block.derived.iter().enumerate() {
        if event.after < min || event.after > max {
            return Err(CodecError::DerivedPosition { index, min, max, found: event.after });
        }
        min = event.after;
    }
    Ok(())
}

/// Checks a frame's header, length and hash without decoding the payload.
///
/// # Errors
/// A damaged header, a frame of another length, or bytes that do not match the hash.
pub fn check_frame(frame: &[u8]) -> Result<(Header, Hash), CodecError> {
    let header = Header::from_bytes(frame)?;
    if frame.len() != header.frame_len() {
        let (expected, found) = (header.frame_len() as u64, frame.len() as u64);
        return Err(CodecError::Truncated { part: "payload", expected, found });
    }
    let (hashed, stored) = frame.split_at(frame.len() - HASH_LEN);
    let hash = Hash::of(hashed);
    if hash.0 != stored {
        let expected = stored.iter().map(|byte| format!("{byte:02x}")).collect();
        let first_seq = header.first_seq;
        return Err(CodecError::Hash { first_seq, expected, found: hash.to_string() });
    }
    Ok((header, hash))
}

/// Turns frames into blocks; keeps its buffers between blocks.
#[derive(Debug, Default)]
pub struct Decoder {
    columns: Columns,
}

impl Decoder {
    /// A decoder with empty buffers.
    pub fn new() -> Decoder {
        Decoder::default()
    }

    /// Checks a whole frame and fills `block` from it.
    ///
    /// # Errors
    /// Everything [`check_frame`] finds, and a payload that does not decode to what the
    /// header promises. `block` then holds nothing of use.
    pub fn decode(&mut self, frame: &[u8], block: &mut Block) -> Result<(Header, Hash), CodecError> {
        let (header, hash) = check_frame(frame)?;
        self.payload(&header, &frame[HEADER_LEN..frame.len() - HASH_LEN], block)?;
        Ok((header, hash))
    }

    fn payload(&mut self, header: &Header, payload: &[u8], block: &mut Block) -> Result<(), CodecError> {
        assert_eq!(payload.len(), header.payload_len(), "the caller checked the frame's length");
        let (inputs, rest) = payload.split_at(header.inputs_len as usize);
        let (cold, derived) = rest.split_at(header.cold_len as usize);
        block.first_seq = header.first_seq;
        let count = header.inputs as usize;
        self.columns.decode(inputs, count, header.first_ts, &mut block.inputs)?;
        let last_ts = block.inputs.last().map_or(0, |record| record.ts);
        if last_ts != header.last_ts {
            let what = format!("the last record has time {last_ts}, the header says {}", header.last_ts);
            return Err(CodecError::Lane { lane: "input", at: inputs.len(), what });
        }
        lane::decode("cold", cold, header.cold as usize, &mut block.cold)?;
        lane::decode("derived", derived, header.derived as usize, &mut block.derived)?;
        check_block(block)
    }
}

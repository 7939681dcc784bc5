//! Blocks as bytes: `header ‖ input lane ‖ cold lane ‖ derived lane ‖ hash`.
//!
//! Sessions and journals store the same frames. The hash is BLAKE3 over header and payload
//! and the header holds the previous block's hash, so a chain's last hash fixes every byte
//! before it. `docs/format.md` describes the frame byte by byte.
//!
//! What can never change: a frame once written decodes to the same block in every later
//! version; a different layout gets another codec number. Codec 1 holds every input, codec 2 names those
//! that a session holds.

mod columns;
mod error;
mod header;
mod lane;
mod pack;
mod refer;
mod schema;

pub use error::CodecError;
pub use header::{
    DERIVED_MAX, FORMAT_VERSION, HASH_LEN, HEADER_LEN, Hash, Header, LANE_BYTES_MAX, MAGIC, ParseHashError,
};
pub use refer::{References, Run, complete};

use columns::Columns;
use onetape_engine::block::{Block, INPUTS_MAX};
use onetape_engine::record::{Kind, Record};
use std::ops::Range;

/// The codec of blocks that hold their inputs.
pub const CODEC: u16 = 1;
/// The codec of blocks that name inputs of a session.
pub const CODEC_REFER: u16 = 2;

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
    own: Vec<Record>,
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
        let lanes = Lanes { codec: CODEC, cold: block.cold.len() as u32, inputs_len, cold_len };
        seal(block, &lanes, id, previous, frame)
    }

    /// As [`Encoder::encode`], naming the inputs that a session holds instead of writing them.
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    ///
    /// # Panics
    /// When the references are not to as many inputs as the block has.
    pub fn encode_referring(
        &mut self,
        block: &Block,
        references: &References,
        id: &Hash,
        previous: &Hash,
        frame: &mut Vec<u8>,
    ) -> Result<Sealed, CodecError> {
        check_block(block)?;
        let total: usize = references.runs.iter().map(|run| run.count() as usize).sum();
        assert_eq!(total, block.inputs.len(), "every input of a block is of one run");
        frame.clear();
        frame.resize(HEADER_LEN, 0);
        let cold = references.own(block, &mut self.own);
        references.put(self.own.first(), frame);
        self.columns.encode(&self.own, frame);
        let inputs_len = (frame.len() - HEADER_LEN) as u32;
        let cold_len = lane::encode("cold", cold.iter().copied(), frame)?;
        let lanes = Lanes { codec: CODEC_REFER, cold: cold.len() as u32, inputs_len, cold_len };
        seal(block, &lanes, id, previous, frame)
    }
}

/// What a header says of the lanes before the derived one.
struct Lanes {
    codec: u16,
    cold: u32,
    inputs_len: u32,
    cold_len: u32,
}

/// Appends the derived lane, writes the header before everything and the hash behind it.
fn seal(
    block: &Block,
    lanes: &Lanes,
    id: &Hash,
    previous: &Hash,
    frame: &mut Vec<u8>,
) -> Result<Sealed, CodecError> {
    let derived_start = frame.len();
    let derived_len = lane::encode("derived", &block.derived, frame)?;
    let header = Header {
        codec: lanes.codec,
        id: *id,
        first_seq: block.first_seq,
        inputs: block.inputs.len() as u32,
        cold: lanes.cold,
        derived: block.derived.len() as u32,
        inputs_len: lanes.inputs_len,
        cold_len: lanes.cold_len,
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
    /// Everything [`check_frame`] finds, a payload that does not decode to what the
    /// header promises, and a frame that names inputs of a session. `block` then holds nothing of use.
    pub fn decode(&mut self, frame: &[u8], block: &mut Block) -> Result<(Header, Hash), CodecError> {
        match self.decode_parts(frame, block)? {
            (header, hash, None) => Ok((header, hash)),
            (_, _, Some(references)) => Err(CodecError::Refers { session: references.session.to_string() }),
        }
    }

    /// Checks a whole frame and fills `block` from what it holds. When it names inputs of a session, `block` has the
    /// others alone, and [`complete`] makes it whole.
    ///
    /// # Errors
    /// As [`Decoder::decode`], references aside.
    pub fn decode_parts(
        &mut self,
        frame: &[u8],
        block: &mut Block,
    ) -> Result<(Header, Hash, Option<References>), CodecError> {
        let (header, hash) = check_frame(frame)?;
        let payload = &frame[HEADER_LEN..frame.len() - HASH_LEN];
        assert_eq!(payload.len(), header.payload_len(), "the length was checked");
        let (inputs, rest) = payload.split_at(header.inputs_len as usize);
        let (cold, derived) = rest.split_at(header.cold_len as usize);
        block.first_seq = header.first_seq;
        let references = if header.codec == CODEC_REFER {
            let (references, first_own, at) = References::take(inputs, header.inputs)?;
            self.columns.decode(&inputs[at..], references.own_count(), first_own, &mut block.inputs)?;
            Some(references)
        } else {
            self.columns.decode(inputs, header.inputs as usize, header.first_ts, &mut block.inputs)?;
            let last_ts = block.inputs.last().map_or(0, |record| record.ts);
            if last_ts != header.last_ts {
                let what = format!("the last record has time {last_ts}, the header says {}", header.last_ts);
                return Err(CodecError::Lane { lane: "input", at: inputs.len(), what });
            }
            None
        };
        lane::decode("cold", cold, header.cold as usize, &mut block.cold)?;
        lane::decode("derived", derived, header.derived as usize, &mut block.derived)?;
        match references {
            None => check_block(block)?,
            // The derived events' places are of the whole block.
            Some(_) => check_inputs(block)?,
        }
        Ok((header, hash, references))
    }
}

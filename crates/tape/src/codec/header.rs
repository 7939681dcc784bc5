//! The fixed header before every block's payload, and the hash that chains blocks.
//!
//! The header is what a reader trusts before it allocates: every count and length is
//! bounded here. Its 128 bytes are little-endian at fixed offsets and hashed with the
//! payload, so neither can be changed alone.
//!
//! What can never change: magic, the offset of the version, and the hash function, since
//! they are how a reader recognises every other version.

use super::CodecError;
use onetape_engine::block::{DERIVED_PER_INPUT_MAX, DERIVED_SEAL, INPUTS_MAX};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

/// First bytes of every block.
pub const MAGIC: [u8; 8] = *b"onetape\x01";
/// Version of the block format.
pub const FORMAT_VERSION: u16 = 1;
/// Bytes of an encoded header.
pub const HEADER_LEN: usize = 128;
/// Bytes of a hash.
pub const HASH_LEN: usize = 32;
/// Most bytes of one lane.
pub const LANE_BYTES_MAX: usize = 64 << 20;
/// Most derived events of a block: one below the seal plus one input's worst drain.
pub const DERIVED_MAX: usize = DERIVED_SEAL + DERIVED_PER_INPUT_MAX;

/// A BLAKE3 hash, printed as 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Hash(pub [u8; HASH_LEN]);

impl Hash {
    /// What the first block of a chain has as its previous hash, and sessions as their id.
    pub const ZERO: Hash = Hash([0; HASH_LEN]);

    /// Hash of some bytes.
    pub fn of(bytes: &[u8]) -> Hash {
        Hash(*blake3::hash(bytes).as_bytes())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

/// A text that is not 64 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a hash: 64 hex digits expected")]
pub struct ParseHashError {
    /// The offending text.
    pub text: String,
}

impl FromStr for Hash {
    type Err = ParseHashError;
    fn from_str(text: &str) -> Result<Hash, ParseHashError> {
        let error = || ParseHashError { text: text.to_string() };
        if text.len() != 2 * HASH_LEN || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(error());
        }
        let mut bytes = [0; HASH_LEN];
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| error())?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| error())?;
        }
        Ok(Hash(bytes))
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Hash, D::Error> {
        if deserializer.is_human_readable() {
            let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
            text.parse().map_err(de::Error::custom)
        } else {
            <[u8; HASH_LEN]>::deserialize(deserializer).map(Hash)
        }
    }
}

/// Decoded header of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// How the payload is encoded.
    pub codec: u16,
    /// Run the block belongs to; zero in sessions, whose content is their identity.
    pub id: Hash,
    /// Seq of the block's first element.
    pub first_seq: u64,
    /// Inputs.
    pub inputs: u32,
    /// Cold payloads.
    pub cold: u32,
    /// Derived events.
    pub derived: u32,
    /// Bytes of the input lane.
    pub inputs_len: u32,
    /// Bytes of the cold lane.
    pub cold_len: u32,
    /// Bytes of the derived lane.
    pub derived_len: u32,
    /// Receipt time of the first input, 0 without inputs.
    pub first_ts: u64,
    /// Receipt time of the last input, 0 without inputs.
    pub last_ts: u64,
    /// Hash of the previous block, [`Hash::ZERO`] for the first.
    pub previous: Hash,
}

impl Header {
    /// Inputs plus derived events.
    pub fn len(&self) -> u64 {
        u64::from(self.inputs) + u64::from(self.derived)
    }

    /// Whether the block holds no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the three lanes.
    pub fn payload_len(&self) -> usize {
        self.inputs_len as usize + self.cold_len as usize + self.derived_len as usize
    }

    /// Bytes of header, payload and hash.
    pub fn frame_len(&self) -> usize {
        HEADER_LEN + self.payload_len() + HASH_LEN
    }

    /// The header's bytes.
    pub fn to_bytes(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[0..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes[10..12].copy_from_slice(&self.codec.to_le_bytes());
        bytes[16..48].copy_from_slice(&self.id.0);
        bytes[48..56].copy_from_slice(&self.first_seq.to_le_bytes());
        for (slot, value) in bytes[56..80].chunks_exact_mut(4).zip([
            self.inputs,
            self.cold,
            self.derived,
            self.inputs_len,
            self.cold_len,
            self.derived_len,
        ]) {
            slot.copy_from_slice(&value.to_le_bytes());
        }
        bytes[80..88].copy_from_slice(&self.first_ts.to_le_bytes());
        bytes[88..96].copy_from_slice(&self.last_ts.to_le_bytes());
        bytes[96..128].copy_from_slice(&self.previous.0);
        bytes
    }

    /// Reads and checks a header at the start of `bytes`.
    ///
    /// # Errors
    /// Too short, other magic, version or codec, or a count or length beyond its bound.
    pub fn from_bytes(bytes: &[u8]) -> Result<Header, CodecError> {
        let Some(bytes) = bytes.first_chunk::<HEADER_LEN>() else {
            let (expected, found) = (HEADER_LEN as u64, bytes.len() as u64);
            return Err(CodecError::Truncated { part: "header", expected, found });
        };
        let magic = take::<8>(bytes, 0);
        if magic != MAGIC {
            return Err(CodecError::Magic { found: magic });
        }
        let version = u16::from_le_bytes(take(bytes, 8));
        if version != FORMAT_VERSION {
            return Err(CodecError::Version { expected: FORMAT_VERSION, found: version });
        }
        let u32_at = |at| u32::from_le_bytes(take(bytes, at));
        let u64_at = |at| u64::from_le_bytes(take(bytes, at));
        let header = Header {
            codec: u16::from_le_bytes(take(bytes, 10)),
            id: Hash(take(bytes, 16)),
            first_seq: u64_at(48),
            inputs: u32_at(56),
            cold: u32_at(60),
            derived: u32_at(64),
            inputs_len: u32_at(68),
            cold_len: u32_at(72),
            derived_len: u32_at(76),
            first_ts: u64_at(80),
            last_ts: u64_at(88),
            previous: Hash(take(bytes, 96)),
        };
        header.check(u32_at(12))?;
        Ok(header)
    }

    fn check(&self, reserved: u32) -> Result<(), CodecError> {
        if !(super::CODEC..=super::CODEC_REFER).contains(&self.codec) {
            return Err(CodecError::Codec { newest: super::CODEC_REFER, found: self.codec });
        }
        for (field, found, max) in [
            ("reserved", u64::from(reserved), 0),
            ("inputs", u64::from(self.inputs), INPUTS_MAX as u64),
            ("cold", u64::from(self.cold), u64::from(self.inputs)),
            ("derived", u64::from(self.derived), DERIVED_MAX as u64),
            ("inputs_len", u64::from(self.inputs_len), LANE_BYTES_MAX as u64),
            ("cold_len", u64::from(self.cold_len), LANE_BYTES_MAX as u64),
            ("derived_len", u64::from(self.derived_len), LANE_BYTES_MAX as u64),
            ("first_ts", self.first_ts, self.last_ts),
            ("first_seq", self.first_seq, u64::MAX - self.len()),
        ] {
            if found > max {
                return Err(CodecError::HeaderField { field, max, found });
            }
        }
        Ok(())
    }
}

/// The `N` bytes at `at`, inside the header by construction of the callers' constants.
fn take<const N: usize>(bytes: &[u8; HEADER_LEN], at: usize) -> [u8; N] {
    debug_assert!(at + N <= HEADER_LEN);
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

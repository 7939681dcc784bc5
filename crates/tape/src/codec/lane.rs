//! The cold and derived lanes: rare, variable-size values one after another in bincode.
//!
//! Fixed-width integers make the bytes a plain image of the values (variant order and field
//! order are the format); a size limit keeps a hostile length from allocating; every byte
//! must be consumed, so no two byte strings mean the same lane.

use super::CodecError;
use super::header::LANE_BYTES_MAX;
use bincode::config::{Configuration, Fixint, Limit, LittleEndian, NoLimit};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Lanes up to this size are decoded under it as the limit, so that a corrupt length in a
/// small lane never allocates the large limit.
const SMALL: usize = 1 << 20;

const PLAIN: Configuration<LittleEndian, Fixint, NoLimit> =
    bincode::config::standard().with_fixed_int_encoding();

fn limited<const N: usize>() -> Configuration<LittleEndian, Fixint, Limit<N>> {
    bincode::config::standard().with_fixed_int_encoding().with_limit::<N>()
}

/// Appends `values` to `out`; returns the bytes written.
pub(super) fn encode<'a, T: Serialize + 'a>(
    lane: &'static str,
    values: impl IntoIterator<Item = &'a T>,
    out: &mut Vec<u8>,
) -> Result<u32, CodecError> {
    let (start, mut count) = (out.len(), 0);
    for (index, value) in values.into_iter().enumerate() {
        count = index + 1;
        bincode::serde::encode_into_std_write(value, out, PLAIN).map_err(|error| CodecError::Encode {
            lane,
            index,
            what: error.to_string(),
        })?;
    }
    let written = out.len() - start;
    if written > LANE_BYTES_MAX {
        let what = format!("the lane has {written} bytes, at most {LANE_BYTES_MAX} are allowed");
        return Err(CodecError::Encode { lane, index: count, what });
    }
    Ok(written as u32)
}

/// Reads exactly `count` values that fill `bytes`.
pub(super) fn decode<T: DeserializeOwned>(
    lane: &'static str,
    bytes: &[u8],
    count: usize,
    out: &mut Vec<T>,
) -> Result<(), CodecError> {
    out.clear();
    let mut at = 0;
    for _ in 0..count {
        let rest = &bytes[at..];
        let decoded = if bytes.len() <= SMALL {
            bincode::serde::decode_from_slice::<T, _>(rest, limited::<SMALL>())
        } else {
            bincode::serde::decode_from_slice::<T, _>(rest, limited::<LANE_BYTES_MAX>())
        };
        let (value, used) =
            decoded.map_err(|error| CodecError::Lane { lane, at, what: error.to_string() })?;
        assert!(used <= rest.len(), "the decoder consumes what it was given");
        out.push(value);
        at += used;
    }
    if at != bytes.len() {
        let what = format!("{} bytes left over after {count} elements", bytes.len() - at);
        return Err(CodecError::Lane { lane, at, what });
    }
    Ok(())
}

//! A frame as values of at most 24 KiB, each of which says what it is.
//!
//! The first value begins with the block's own header. Every further one begins with
//! `magic 8 ‖ first seq 8 ‖ part 2 ‖ length 4 ‖ zero 2` (integers little-endian), so that the
//! parts of a block can be found in a database file that no longer opens.

use crate::store::VALUE_MAX;
use onetape_tape::codec::LANE_BYTES_MAX;

/// First bytes of every value but a frame's first.
pub(crate) const PART_MAGIC: [u8; 8] = *b"onetape\x02";
/// Bytes before the content of such a value.
pub(crate) const PART_HEADER: usize = 24;

/// Most bytes that a value of any version has.
pub(crate) const VALUE_MAX_EVER: usize = 48 << 10;

const CONTENT_MAX: usize = VALUE_MAX - PART_HEADER;
/// The longest frame has three full lanes; its parts are numbered in 16 bits.
const _: () = assert!(4 * LANE_BYTES_MAX / CONTENT_MAX < u16::MAX as usize);

/// A part's header, decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PartHeader {
    pub(crate) first_seq: u64,
    pub(crate) part: u16,
    pub(crate) length: usize,
}

impl PartHeader {
    /// Reads the header at the beginning of `bytes`.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<PartHeader> {
        let bytes = bytes.first_chunk::<PART_HEADER>()?;
        let first_seq = u64::from_le_bytes(*bytes[8..].first_chunk()?);
        let part = u16::from_le_bytes(*bytes[16..].first_chunk()?);
        let length = u32::from_le_bytes(*bytes[18..].first_chunk()?) as usize;
        let is_legal =
            bytes[..8] == PART_MAGIC && bytes[22..] == [0, 0] && part > 0 && length <= VALUE_MAX_EVER;
        is_legal.then_some(PartHeader { first_seq, part, length })
    }
}

/// Parts after the first of a frame of `length` bytes that was cut into values of at most `value_max`.
pub(crate) fn further_parts(length: usize, value_max: usize) -> usize {
    length.saturating_sub(value_max).div_ceil(value_max - PART_HEADER)
}

/// Calls `put` with each value of a frame and its part number.
pub(crate) fn split<E>(
    frame: &[u8],
    first_seq: u64,
    mut put: impl FnMut(usize, &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let (first, rest) = frame.split_at(frame.len().min(VALUE_MAX));
    put(0, first)?;
    let mut value = Vec::new();
    for (index, content) in rest.chunks(CONTENT_MAX).enumerate() {
        let part = index + 1;
        value.clear();
        value.extend_from_slice(&PART_MAGIC);
        value.extend_from_slice(&first_seq.to_le_bytes());
        value.extend_from_slice(&(part as u16).to_le_bytes());
        value.extend_from_slice(&(content.len() as u32).to_le_bytes());
        value.extend_from_slice(&[0, 0]);
        value.extend_from_slice(content);
        assert!(value.len() <= VALUE_MAX, "larger values would spill into unsynced files");
        put(part, &value)?;
    }
    Ok(())
}

/// The content of a value; `None` when it is not the part it should be.
pub(crate) fn content(value: &[u8], first_seq: u64, part: usize) -> Option<&[u8]> {
    if part == 0 {
        return Some(value);
    }
    let header = PartHeader::from_bytes(value)?;
    let is_it = header.first_seq == first_seq && usize::from(header.part) == part;
    let content = &value[PART_HEADER..];
    (is_it && content.len() == header.length).then_some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_its_parts() {
        for length in [0, 1, VALUE_MAX, VALUE_MAX + 1, VALUE_MAX + CONTENT_MAX, VALUE_MAX + CONTENT_MAX + 1] {
            let frame: Vec<u8> = (0..length).map(|n| n as u8).collect();
            let (mut back, mut parts) = (Vec::new(), 0);
            split(&frame, 9, |part, value| {
                assert!(value.len() <= VALUE_MAX && part == parts);
                back.extend_from_slice(content(value, 9, part).unwrap());
                parts += 1;
                Ok::<(), ()>(())
            })
            .unwrap();
            assert_eq!((back, parts), (frame, 1 + further_parts(length, VALUE_MAX)));
        }
        assert_eq!(content(&[0; 30], 9, 1), None);
    }
}

//! What can be wrong with a block, outgoing or incoming.

/// A block that cannot be encoded, or bytes that are not a block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The bytes end before the block does.
    #[error("block is cut short in its {part}: {expected} bytes expected, {found} found")]
    Truncated {
        /// Part of the block.
        part: &'static str,
        /// Bytes the part needs.
        expected: u64,
        /// Bytes there are.
        found: u64,
    },
    /// The first eight bytes are not a block's.
    #[error("not a onetape block: it begins with {found:02x?}")]
    Magic {
        /// What stands there.
        found: [u8; 8],
    },
    /// Another version of the format.
    #[error(
        "block format version {found}; this program reads version {expected}: use the version that wrote it"
    )]
    Version {
        /// Version this code reads.
        expected: u16,
        /// Version found.
        found: u16,
    },
    /// A codec this program does not have.
    #[error("block codec {found}; this program knows 1 to {newest}: use the version that wrote it")]
    Codec {
        /// Newest codec this code reads.
        newest: u16,
        /// Codec found.
        found: u16,
    },
    /// The frame names inputs that it does not hold.
    #[error("the block's inputs are those of session {session}, which is not at hand")]
    Refers {
        /// Content hash of the session.
        session: String,
    },
    /// A header field outside its bounds.
    #[error("block header field '{field}' is {found}, at most {max} expected: the header is damaged")]
    HeaderField {
        /// Field name.
        field: &'static str,
        /// Largest legal value.
        max: u64,
        /// Value found.
        found: u64,
    },
    /// The stored hash is not the hash of the bytes.
    #[error("block at seq {first_seq} is damaged: its bytes hash to {found}, recorded is {expected}")]
    Hash {
        /// First seq the header claims.
        first_seq: u64,
        /// Recorded hash, hex.
        expected: String,
        /// Computed hash, hex.
        found: String,
    },
    /// A record whose kind byte no version of the format defines.
    #[error(
        "record {index} of the block has unknown kind {kind}: it would not be understood on the way back"
    )]
    UnknownKind {
        /// Position in the input lane.
        index: usize,
        /// The kind byte.
        kind: u8,
    },
    /// Cold records and cold payloads do not pair up.
    #[error(
        "record {index} refers to cold payload {found}, payload {expected} is next ({count} in the block)"
    )]
    ColdIndex {
        /// Position of the record in the input lane, or the lane's length when payloads are left over.
        index: usize,
        /// Next unused payload.
        expected: u64,
        /// Payload the record names.
        found: u64,
        /// Payloads in the block.
        count: usize,
    },
    /// A record older than its predecessor.
    #[error(
        "record {index} of the block has time {found}, its predecessor {previous}: receipt order is broken"
    )]
    TimeOrder {
        /// Position in the input lane.
        index: usize,
        /// Time of the predecessor.
        previous: u64,
        /// Time of the record.
        found: u64,
    },
    /// More elements than a block may hold.
    #[error("block has {found} {lane} elements, at most {max} are allowed")]
    TooMany {
        /// Lane.
        lane: &'static str,
        /// Bound.
        max: usize,
        /// Count.
        found: usize,
    },
    /// A derived event's position lies outside the block or before its predecessor's.
    #[error("derived event {index} follows input {found}, a position between {min} and {max} expected")]
    DerivedPosition {
        /// Position in the derived lane.
        index: usize,
        /// Smallest legal position.
        min: u32,
        /// Largest legal position.
        max: u32,
        /// Position found.
        found: u32,
    },
    /// A lane's bytes do not decode to what the header promises.
    #[error("{lane} lane is malformed at byte {at}: {what}")]
    Lane {
        /// Lane.
        lane: &'static str,
        /// Byte offset within the lane.
        at: usize,
        /// What is wrong.
        what: String,
    },
    /// A payload cannot be serialised.
    #[error("{lane} element {index} cannot be encoded: {what}")]
    Encode {
        /// Lane.
        lane: &'static str,
        /// Position in the lane.
        index: usize,
        /// The serialiser's reason.
        what: String,
    },
}

//! What the columns of each kind of record are.
//!
//! A body is 40 bytes; here it is cut into fields, each a run of bits of one body word, and
//! for each field stated what predicts it. Every bit of the body belongs to exactly one
//! field (checked at compile time), so any body round-trips, unused and reserved bits too.
//!
//! What can never change: the fields of a kind under one codec number.

use onetape_engine::record::Kind;

/// What a field's value is compared with; the difference is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Predict {
    /// Nothing: levels without memory (sizes, codes).
    Zero,
    /// The previous record of this kind: counters of the whole feed.
    Previous,
    /// The previous record of this kind and instrument: prices.
    SameInstrument,
}

/// A run of bits of one body word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    /// Body word, 0..5.
    pub(super) word: usize,
    /// Lowest bit.
    pub(super) shift: u32,
    /// Bits.
    pub(super) bits: u32,
    /// Field of the same record that is subtracted first (the ask is stored as spread).
    pub(super) relative_to: Option<usize>,
    /// What the rest is compared with.
    pub(super) predict: Predict,
}

const fn word(word: usize, predict: Predict) -> Field {
    Field { word, shift: 0, bits: 64, relative_to: None, predict }
}

const fn over(word: usize, base: usize, predict: Predict) -> Field {
    Field { word, shift: 0, bits: 64, relative_to: Some(base), predict }
}

const fn part(word: usize, shift: u32, bits: u32, predict: Predict) -> Field {
    Field { word, shift, bits, relative_to: None, predict }
}

use Predict::{Previous, SameInstrument, Zero};

const QUOTE: &[Field] = &[
    word(0, SameInstrument),
    over(1, 0, SameInstrument),
    word(2, Zero),
    word(3, Zero),
    part(4, 0, 16, Zero),
    part(4, 16, 16, Zero),
    part(4, 32, 32, Previous),
];
const TRADE: &[Field] = &[
    word(0, SameInstrument),
    word(1, Zero),
    word(2, Previous),
    part(3, 0, 32, Zero),
    part(3, 32, 32, Previous),
    part(4, 0, 8, Zero),
    part(4, 8, 8, Zero),
    part(4, 16, 48, Zero),
];
const BAR: &[Field] =
    &[word(0, SameInstrument), over(1, 0, Zero), over(2, 0, Zero), over(3, 0, Zero), word(4, Zero)];
const STATISTIC: &[Field] = &[
    word(0, SameInstrument),
    word(1, Zero),
    word(2, Previous),
    part(3, 0, 16, Zero),
    part(3, 16, 16, Zero),
    part(3, 32, 32, Previous),
    word(4, Zero),
];
const BOOK_LEVEL: &[Field] = &[
    word(0, SameInstrument),
    word(1, Zero),
    part(2, 0, 32, Zero),
    part(2, 32, 32, Previous),
    part(3, 0, 8, Zero),
    part(3, 8, 8, Zero),
    part(3, 16, 48, Zero),
    word(4, Zero),
];
const BOOK_ORDER: &[Field] = &[
    word(0, Zero),
    word(1, SameInstrument),
    word(2, Zero),
    part(3, 0, 32, Previous),
    part(3, 32, 32, Zero),
    part(4, 0, 8, Zero),
    part(4, 8, 8, Zero),
    part(4, 16, 48, Zero),
];
const COLD: &[Field] = &[word(0, Previous), word(1, Zero), word(2, Zero), word(3, Zero), word(4, Zero)];
const PLAIN: &[Field] = &[word(0, Zero), word(1, Zero), word(2, Zero), word(3, Zero), word(4, Zero)];

/// Most fields of any kind.
pub(super) const FIELDS_MAX: usize = 8;

/// The fields of a kind's body, in stored order.
pub(super) const fn fields(kind: Kind) -> &'static [Field] {
    match kind {
        Kind::Cold => COLD,
        Kind::Tick | Kind::Seal | Kind::SessionPhase | Kind::Status => PLAIN,
        Kind::Quote => QUOTE,
        Kind::Trade => TRADE,
        Kind::TradeBar | Kind::BidBar | Kind::AskBar => BAR,
        Kind::Statistic => STATISTIC,
        Kind::BookLevel => BOOK_LEVEL,
        Kind::BookOrder => BOOK_ORDER,
    }
}

const fn covers_every_bit_once(fields: &[Field]) -> bool {
    let mut seen = [0u64; 5];
    let mut index = 0;
    while index < fields.len() {
        let field = fields[index];
        let mask = (u64::MAX >> (64 - field.bits)) << field.shift;
        if seen[field.word] & mask != 0 {
            return false;
        }
        if let Some(base) = field.relative_to
            && (base >= index
                || field.bits != 64
                || fields[base].bits != 64
                || fields[base].relative_to.is_some())
        {
            return false;
        }
        seen[field.word] |= mask;
        index += 1;
    }
    let mut word = 0;
    while word < 5 {
        if seen[word] != u64::MAX {
            return false;
        }
        word += 1;
    }
    fields.len() <= FIELDS_MAX
}

const _: () = {
    let mut index = 0;
    while index < Kind::ALL.len() {
        assert!(covers_every_bit_once(fields(Kind::ALL[index])));
        index += 1;
    }
};

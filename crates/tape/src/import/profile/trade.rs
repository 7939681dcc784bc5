//! Sides, conditions and classes of prints, and which quotes are firm.

use super::cell::Cells;
use super::plan::Plan;
use super::spec::{ClassName, CodeSpec, ConditionSpec, Profile};
use onetape_engine::record::{Side, Trade, TradeClass};

/// Reads what a print is besides its price and size.
#[derive(Debug, Clone, Copy)]
pub(super) struct TradeReader<'a> {
    profile: &'a Profile,
    plan: &'a Plan,
}

impl<'a> TradeReader<'a> {
    pub(super) fn new(profile: &'a Profile, plan: &'a Plan) -> TradeReader<'a> {
        TradeReader { profile, plan }
    }

    /// Whether a quote row also states a trade.
    pub(super) fn is_trade_row<C: Cells>(&self, cells: &C) -> bool {
        let (Some(spec), Some(place)) = (&self.profile.trade_rows, self.plan.trade_rows) else {
            return false;
        };
        let text = cells.get(place).text();
        spec.values.iter().any(|value| value.as_bytes() == &*text)
    }

    /// Whether the quote's codes say that nobody has to trade on it.
    pub(super) fn is_non_firm<C: Cells>(&self, cells: &C) -> bool {
        is_marked(cells, self.profile.non_firm.as_ref(), self.plan.non_firm)
    }

    /// Whether the row belongs to a snapshot rather than to an update.
    pub(super) fn is_snapshot<C: Cells>(&self, cells: &C) -> bool {
        is_marked(cells, self.profile.snapshot.as_ref(), self.plan.snapshot)
    }

    /// Whether the row ends an event of the venue; `None` where the profile does not say.
    pub(super) fn is_last<C: Cells>(&self, cells: &C) -> Option<bool> {
        let spec = self.profile.book.last.as_ref();
        spec.filter(|_| self.plan.book_last.is_some()).map(|_| is_marked(cells, spec, self.plan.book_last))
    }

    /// The side of a book that a row is of.
    pub(super) fn side<C: Cells>(&self, cells: &C) -> Option<Side> {
        Side::from_wire(self.aggressor(cells))
    }

    /// A print of a price and size with (trade id, sequence number).
    pub(super) fn body<C: Cells>(
        &self,
        cells: &C,
        price: i64,
        size: i64,
        (trade_id, sequence): (Option<u64>, Option<u64>),
    ) -> Trade {
        let (class, condition) = self.class(cells);
        Trade {
            price,
            size,
            trade_id: trade_id.unwrap_or_default(),
            condition,
            // The low half of longer numbers.
            sequence: sequence.unwrap_or_default() as u32,
            class: class as u8,
            aggressor: self.aggressor(cells),
            ..Trade::default()
        }
    }

    fn aggressor<C: Cells>(&self, cells: &C) -> u8 {
        let (Some(spec), Some(place)) = (&self.profile.side, self.plan.side) else { return b'N' };
        let text = cells.get(place).text();
        let is_one_of = |values: &[String]| values.iter().any(|value| value.as_bytes() == &*text);
        match (is_one_of(&spec.buy), is_one_of(&spec.sell)) {
            (true, _) => b'B',
            (_, true) => b'A',
            _ => b'N',
        }
    }

    /// Class of the codes of a cell and the first code as a number.
    ///
    /// Of several codes the first whose prints are no evidence of a price decides, else the first
    /// that is not regular.
    fn class<C: Cells>(&self, cells: &C) -> (TradeClass, u32) {
        let (Some(spec), Some(place)) = (&self.profile.conditions, self.plan.conditions) else {
            return (TradeClass::Regular, 0);
        };
        let text = cells.get(place).text();
        let mut found: Option<ClassName> = None;
        for code in codes(&text, spec.separator) {
            let class = class_of(spec, code);
            let is_stronger = found.is_none_or(|known: ClassName| {
                let (known, new) = (known.class(), class.class());
                (known.is_eligible() && !new.is_eligible())
                    || (known == TradeClass::Regular && new != TradeClass::Regular)
            });
            if is_stronger {
                found = Some(class);
            }
        }
        let first = codes(&text, spec.separator).next().map_or(0, raw_condition);
        (found.unwrap_or(spec.none).class(), first)
    }
}

/// Whether a row's cell is one of the codes or has a bit of the mask.
fn is_marked<C: Cells>(cells: &C, spec: Option<&CodeSpec>, place: Option<usize>) -> bool {
    let (Some(CodeSpec { values, separator, mask, .. }), Some(place)) = (spec, place) else { return false };
    let cell = cells.get(place);
    if let Some(mask) = mask {
        return cell.count().is_some_and(|bits| bits & mask != 0);
    }
    let text = cell.text();
    codes(&text, *separator).any(|code| values.iter().any(|value| value.as_bytes() == code))
}

fn class_of(spec: &ConditionSpec, code: &[u8]) -> ClassName {
    let known = std::str::from_utf8(code).ok().and_then(|code| spec.map.get(code));
    known.copied().unwrap_or(spec.unknown)
}

/// The codes of a cell without blanks between them; none of an empty cell.
fn codes(text: &[u8], separator: Option<char>) -> impl Iterator<Item = &[u8]> {
    text.split(move |byte| separator.is_some_and(|separator| char::from(*byte) == separator))
        .map(<[u8]>::trim_ascii)
        .filter(|code| !code.is_empty())
}

/// A code as the record holds it: its number, or the byte of a letter.
fn raw_condition(code: &[u8]) -> u32 {
    match code {
        [letter] if !letter.is_ascii_digit() => u32::from(*letter),
        code => std::str::from_utf8(code).ok().and_then(|code| code.parse().ok()).unwrap_or(0),
    }
}

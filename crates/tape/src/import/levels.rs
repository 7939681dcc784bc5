//! Price levels of a book as changes: what leads from one statement of the best levels to the next.

use onetape_engine::record::{BookAction, BookLevel, Side};

/// One level as a source states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shown {
    /// 1e-9.
    pub(crate) price: i64,
    /// 1e-9, above zero.
    pub(crate) size: i64,
    /// 0 where the source does not count them.
    pub(crate) orders: u32,
}

/// Whether `a` is nearer to the other side than `b`.
pub(crate) fn is_better(side: Side, a: i64, b: i64) -> bool {
    if side == Side::Bid { a > b } else { a < b }
}

/// Whether levels stand in order, best first, no price twice.
pub(crate) fn are_in_order(side: Side, levels: &[Shown]) -> bool {
    levels.windows(2).all(|pair| is_better(side, pair[0].price, pair[1].price))
}

/// What leads from one list of levels to another, best first: a price that is gone is deleted, others are
/// set where size or count changed.
pub(crate) fn differences(side: Side, old: &[Shown], new: &[Shown], mut put: impl FnMut(BookLevel)) {
    let mut change = |action: BookAction, shown: &Shown, level: usize| {
        let (size, orders) = if action == BookAction::Set { (shown.size, shown.orders) } else { (0, 0) };
        put(BookLevel {
            price: shown.price,
            size,
            orders,
            side: side as u8,
            action: action as u8,
            level: level as u8,
            ..BookLevel::default()
        });
    };
    let (mut was, mut is) = (0, 0);
    while was < old.len() || is < new.len() {
        match (old.get(was), new.get(is)) {
            (Some(before), Some(now)) if before.price == now.price => {
                if before != now {
                    change(BookAction::Set, now, is);
                }
                (was, is) = (was + 1, is + 1);
            }
            (Some(before), now) if now.is_none_or(|now| is_better(side, before.price, now.price)) => {
                change(BookAction::Delete, before, was);
                was += 1;
            }
            (_, Some(now)) => {
                change(BookAction::Set, now, is);
                is += 1;
            }
            (_, None) => return,
        }
    }
}

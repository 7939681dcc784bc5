//! `market-maker`: two-sided limit quotes around the midpoint, shifted against the inventory.
//!
//! Rules, for each instrument quoted, on each of its two-sided uncrossed quotes between `from` and `until`:
//! - centre = midpoint − `skew` × position / `size`;
//! - bid = centre − `half_spread`, rounded down to a legal price and at most one tick below the best
//!   ask; ask = centre + `half_spread`, rounded up and at least one tick above the best bid: the
//!   quotes never take;
//! - a side is quoted with `size` while a whole fill keeps |position| ≤ `max_position`, else it is
//!   withdrawn;
//! - a quote that is `requote` or more away from its price is cancelled; the next one goes out only
//!   once the old one is final, so that never more than `size` is offered on a side.
//!
//! At `until` both sides are withdrawn and what is held is closed at the market.
//!
//! Limits: the size is fixed, the spread does not widen with volatility or adverse fills, and an
//! instrument without quotes of its own is left alone.

use crate::clock::{self, TimeOfDay};
use crate::params::{self, param};
use crate::saved;
use onetape_engine::book::Top;
use onetape_engine::ids::{InstrumentIx, OrderIx};
use onetape_engine::instrument::{InstrumentKind, TickRule};
use onetape_engine::order::{OrderState, Package};
use onetape_engine::record::{Phase, SessionPhase};
use onetape_engine::strategy::{Ctx, Flow, Param, ParamError, StateError, Strategy};
use onetape_engine::{Nanos, Price, Qty};
use serde::{Deserialize, Serialize};

/// Two-sided quotes with an inventory skew.
///
/// | parameter | meaning |
/// |---|---|
/// | `symbol` | instrument; empty: every equity, else every future, defined |
/// | `half_spread` | distance of each quote from the centre, price |
/// | `size` | shares or contracts of each quote |
/// | `max_position` | largest long or short position |
/// | `skew` | shift of the centre for each `size` held, price |
/// | `requote` | distance from its price at which a quote is replaced, price |
/// | `from`, `until` | local times between which it quotes |
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MarketMaker {
    symbol: String,
    half_spread: Price,
    size: Qty,
    max_position: Qty,
    skew: Price,
    requote: Price,
    from: TimeOfDay,
    until: TimeOfDay,
    /// By instrument; `None` where nothing is quoted.
    desks: Vec<Option<Desk>>,
    /// Whether an equity was defined, after which futures are not quoted.
    has_equity: bool,
    /// When it quotes in the session at hand.
    hours: Option<(Nanos, Nanos)>,
}

/// One instrument's quotes.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Desk {
    tick: TickRule,
    bid: Option<Quoted>,
    ask: Option<Quoted>,
    /// The order that closes the position at the end.
    closing: Option<OrderIx>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Quoted {
    order: OrderIx,
    price: Price,
}

impl Default for MarketMaker {
    fn default() -> MarketMaker {
        const CENT: i64 = 10_000_000;
        let hundred = Qty::from_whole(100).unwrap_or(Qty::ONE);
        MarketMaker {
            symbol: String::new(),
            half_spread: Price(CENT),
            size: hundred,
            max_position: Qty(5 * hundred.0),
            skew: Price(CENT / 2),
            requote: Price(CENT),
            from: TimeOfDay::at(9, 35),
            until: TimeOfDay::at(15, 55),
            desks: Vec::new(),
            has_equity: false,
            hours: None,
        }
    }
}

impl Desk {
    /// Bid and ask for a book and a position.
    fn prices(&self, maker: &MarketMaker, top: &Top, position: Qty) -> (Price, Price) {
        let (best_bid, best_ask) = (top.bid.price, top.ask.price);
        let shift = i128::from(maker.skew.0) * i128::from(position.0) / i128::from(maker.size.0);
        let shift = i64::try_from(shift).unwrap_or(0);
        let centre = Price(best_bid.0 / 2 + best_ask.0 / 2 - shift);
        let bid = self.tick.floor(Price(centre.0 - maker.half_spread.0));
        let ask = self.tick.ceil(Price(centre.0 + maker.half_spread.0));
        // One tick inside the opposite side, so that the order rests.
        let below_ask = self.tick.floor(Price(best_ask.0 - 1));
        let above_bid = self.tick.ceil(Price(best_bid.0 + 1));
        (bid.min(below_ask), ask.max(above_bid))
    }

    /// Moves one side towards `wanted`; `None` withdraws it.
    fn work(
        quoted: &mut Option<Quoted>,
        ctx: &mut Ctx<'_>,
        wanted: Option<(InstrumentIx, Qty, Price)>,
        requote: Price,
    ) {
        if let Some(held) = *quoted {
            // An order the log does not show yet was asked for in this very callback.
            let Some(state) = ctx.order(held.order).map(|order| order.state) else { return };
            match state {
                state if state.is_final() => *quoted = None,
                OrderState::Working | OrderState::PartiallyFilled => {
                    let is_off =
                        wanted.is_none_or(|(_, _, price)| (price.0 - held.price.0).abs() >= requote.0);
                    if is_off {
                        ctx.cancel(held.order);
                    }
                    return;
                }
                // On its way to the venue, in either direction.
                _ => return,
            }
        }
        if let Some((instrument, quantity, price)) = wanted
            && price.0 > 0
        {
            let order = ctx.submit(Package::limit(instrument, quantity, price));
            *quoted = Some(Quoted { order, price });
        }
    }

    /// Withdraws both sides and closes what is held.
    fn close(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx, requote: Price) {
        Desk::work(&mut self.bid, ctx, None, requote);
        Desk::work(&mut self.ask, ctx, None, requote);
        let position = ctx.position(instrument);
        if self.bid.is_none() && self.ask.is_none() && self.closing.is_none() && position.0 != 0 {
            self.closing = Some(ctx.submit(Package::market(instrument, position.neg())));
        }
    }
}

impl MarketMaker {
    /// Takes an instrument when it is the one named, or of the kind that is quoted by default.
    fn consider(&mut self, ctx: &Ctx<'_>, instrument: InstrumentIx) {
        let Some(def) = ctx.instrument(instrument) else { return };
        let is_wanted = if self.symbol.is_empty() {
            match def.kind {
                InstrumentKind::Equity => true,
                InstrumentKind::Future => !self.has_equity,
                InstrumentKind::Index | InstrumentKind::Option => false,
            }
        } else {
            def.symbol == self.symbol
        };
        if self.symbol.is_empty() && def.kind == InstrumentKind::Equity && !self.has_equity {
            self.has_equity = true;
            self.desks.clear();
        }
        if is_wanted {
            self.desks.resize(self.desks.len().max(instrument.index() + 1), None);
            self.desks[instrument.index()] =
                Some(Desk { tick: def.tick, bid: None, ask: None, closing: None });
        }
    }
}

impl Strategy for MarketMaker {
    fn name(&self) -> &'static str {
        "market-maker"
    }
    fn version(&self) -> &'static str {
        "1"
    }
    fn params(&self) -> Vec<Param> {
        vec![
            param("symbol", &self.symbol, "instrument; empty: every equity, else every future, defined"),
            param(
                "half_spread",
                self.half_spread,
                "distance of each quote from the centre, price, 0 to 1000",
            ),
            param("size", self.size, "shares or contracts of each quote, 1 to 1000000"),
            param("max_position", self.max_position, "largest long or short position, 1 to 1000000"),
            param("skew", self.skew, "shift of the centre against each size held, price, 0 to 1000"),
            param("requote", self.requote, "distance at which a quote is replaced, price, 0 to 1000"),
            param("from", self.from, "local time from which it quotes"),
            param("until", self.until, "local time at which it withdraws and closes its position"),
        ]
    }
    fn set(&mut self, key: &str, value: &str) -> Result<(), ParamError> {
        match key {
            "symbol" => self.symbol = params::symbol(key, value)?,
            "half_spread" => self.half_spread = params::decimal(key, value, 0, 1000)?,
            "size" => self.size = params::quantity(key, value)?,
            "max_position" => self.max_position = params::quantity(key, value)?,
            "skew" => self.skew = params::decimal(key, value, 0, 1000)?,
            "requote" => self.requote = params::decimal(key, value, 0, 1000)?,
            "from" => self.from = params::time_of_day(key, value)?,
            "until" => self.until = params::time_of_day(key, value)?,
            _ => return Err(params::unknown(key, &self.params())),
        }
        Ok(())
    }
    fn save(&self, out: &mut Vec<u8>) {
        saved::save(self, out);
    }
    fn load(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        *self = saved::load(bytes, self.name(), self.version())?;
        Ok(())
    }
    fn on_definition(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx) -> Flow {
        self.consider(ctx, instrument);
        Flow::Continue
    }
    fn on_session(&mut self, _: &mut Ctx<'_>, phase: &SessionPhase) -> Flow {
        self.hours = None;
        if phase.phase == Phase::Open as u8 {
            self.hours = clock::on_trade_date(phase, self.from).zip(clock::on_trade_date(phase, self.until));
            for desk in self.desks.iter_mut().flatten() {
                // Orders live for a day: none is left from the session before.
                (desk.bid, desk.ask, desk.closing) = (None, None, None);
            }
        }
        Flow::Continue
    }
    #[inline]
    fn on_quote(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx) -> Flow {
        let Some(Some(mut desk)) = self.desks.get(instrument.index()).copied() else { return Flow::Continue };
        let (now, Some((from, until))) = (ctx.now(), self.hours) else { return Flow::Continue };
        if now < from {
            return Flow::Continue;
        }
        if now >= until {
            desk.close(ctx, instrument, self.requote);
        } else if let Some(top) = ctx.top(instrument).copied()
            && top.mid(now).is_some()
        {
            let position = ctx.position(instrument);
            let (bid, ask) = desk.prices(self, &top, position);
            let may_buy = position.0 + self.size.0 <= self.max_position.0;
            let may_sell = position.0 - self.size.0 >= -self.max_position.0;
            let wanted_bid = may_buy.then_some((instrument, self.size, bid));
            let wanted_ask = may_sell.then_some((instrument, self.size.neg(), ask));
            Desk::work(&mut desk.bid, ctx, wanted_bid, self.requote);
            Desk::work(&mut desk.ask, ctx, wanted_ask, self.requote);
        }
        self.desks[instrument.index()] = Some(desk);
        Flow::Continue
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use onetape_engine::book::BookSide;

    const CENT: i64 = 10_000_000;

    #[test]
    fn quotes_lean_against_the_inventory_and_never_take() {
        let maker = MarketMaker { half_spread: Price(2 * CENT), skew: Price(CENT), ..MarketMaker::default() };
        let desk = Desk { tick: TickRule::Fixed(CENT), bid: None, ask: None, closing: None };
        let side = |cents: i64| BookSide { price: Price(cents * CENT), ..BookSide::default() };
        let top = |bid, ask| Top { bid: side(bid), ask: side(ask), ..Top::default() };
        for (bid, ask, held, expected) in [
            (4999, 5001, 0, (4998, 5002)),
            // Half a tick of midpoint: rounded outward.
            (4999, 5002, 0, (4998, 5003)),
            (4999, 5001, 100, (4997, 5001)),
            (4999, 5001, -300, (5000, 5005)),
            // Short so much that the bid would take: one tick below the ask.
            (4999, 5001, -500, (5000, 5007)),
            (4999, 5001, 500, (4993, 5000)),
        ] {
            let (found_bid, found_ask) = desk.prices(&maker, &top(bid, ask), Qty::from_whole(held).unwrap());
            let expected = (Price(expected.0 * CENT), Price(expected.1 * CENT));
            assert_eq!((found_bid, found_ask), expected, "{bid} {ask} {held}");
        }
    }
}

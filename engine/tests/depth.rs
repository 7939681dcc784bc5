//! Books of several levels: the fast one against a naive one on random streams, and what of them the
//! loop, its venue and its strategies see.

mod common;
mod naive_book;

use common::*;
use naive_book::NaiveDepth;
use onetape_engine::config::RunConfig;
use onetape_engine::depth::{Depth, Level, RestingOrder};
use onetape_engine::ids::{InstrumentIx, VenueIx};
use onetape_engine::input::{Cold, Imbalance, Input};
use onetape_engine::order::Package;
use onetape_engine::record::{
    Body, BookAction, BookLevel, BookOrder, Head, Kind, Record, Side, Trade, TradeFeed, flags,
};
use onetape_engine::strategy::{Ctx, Flow, StateError, Strategy};
use onetape_engine::{Kernel, Price};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const STREAMS: u64 = 10_000;
const EVENTS: u32 = 60;

/// What a stream draws its events from.
struct Mix {
    venues: u16,
    prices: i64,
    ids: u64,
    levels_percent: u32,
    odd_percent: u32,
}

impl Mix {
    fn of(rng: &mut ChaCha8Rng) -> Mix {
        Mix {
            venues: rng.random_range(1..4),
            prices: *[3, 20, 400].get(rng.random_range(0..3)).unwrap_or(&3),
            ids: *[5, 30, 1_000].get(rng.random_range(0..3)).unwrap_or(&5),
            levels_percent: *[0, 10, 100].get(rng.random_range(0..3)).unwrap_or(&0),
            odd_percent: *[0, 0, 8].get(rng.random_range(0..3)).unwrap_or(&0),
        }
    }

    fn event(&self, rng: &mut ChaCha8Rng) -> Record {
        let is_odd = rng.random_range(0..100) < self.odd_percent;
        let extremes = [i64::MAX, i64::MIN, 0, -1];
        let price = if is_odd && rng.random() {
            extremes[rng.random_range(0..4)]
        } else {
            rng.random_range(0..self.prices) * 10_000_000
        };
        let size =
            if is_odd && rng.random() { extremes[rng.random_range(0..4)] } else { rng.random_range(1..9) };
        let side =
            if is_odd && rng.random() { rng.next_u32() as u8 } else { [b'B', b'A'][rng.random_range(0..2)] };
        let flags = if rng.random_range(0..4) > 0 { flags::LAST } else { 0 };
        let venue = VenueIx(rng.random_range(0..self.venues));
        let head = Head { venue, flags, ..Head::at(at_ms(1), InstrumentIx(0)) };
        let roll = rng.random_range(0..100);
        if rng.random_range(0..100) < self.levels_percent {
            let action = [b'S', b'S', b'S', b'D', b'N', b'R', b'x'][match roll {
                0..80 => 0,
                80..94 => 3,
                94..96 => 4,
                96..98 => 5,
                _ => 6,
            }];
            let orders = rng.random_range(0..4);
            return Record::new(
                head,
                Body::BookLevel(BookLevel { price, size, orders, side, action, ..Default::default() }),
            );
        }
        let action = match roll {
            0..50 => BookAction::Add as u8,
            50..70 => BookAction::Cancel as u8,
            70..90 => BookAction::Modify as u8,
            90..95 => BookAction::Fill as u8,
            95..97 => BookAction::None as u8,
            97 => BookAction::Clear as u8,
            98 => {
                return Record::new(
                    head,
                    Body::Trade(Trade { price, size, feed: TradeFeed::Orders as u8, ..Trade::default() }),
                );
            }
            _ => b'x',
        };
        let side = if action == BookAction::Clear as u8 && rng.random() { b'N' } else { side };
        let order_id = rng.random_range(0..self.ids);
        Record::new(
            head,
            Body::BookOrder(BookOrder { order_id, price, size, side, action, ..Default::default() }),
        )
    }
}

fn plain(level: &Level) -> (i64, i64, u64) {
    (level.price().0, level.size().0, level.orders())
}

/// Compares everything that can be seen of the two books; returns the comparisons made.
fn compare(depth: &Depth, naive: &NaiveDepth, at: &str) -> u64 {
    let mut made = 0;
    for side in [Side::Bid, Side::Ask] {
        let levels: Vec<_> = depth.levels(side).map(plain).collect();
        assert_eq!(levels, naive.total(side), "{at}: {side:?} over all venues");
        assert_eq!(depth.best(side).map(plain), levels.first().copied(), "{at}: best {side:?}");
        made += 2;
    }
    assert_eq!(depth.venues().len(), naive.venues.len(), "{at}: venues");
    for (book, naive) in depth.venues().iter().zip(&naive.venues) {
        assert_eq!(book.venue(), naive.venue, "{at}");
        assert_eq!(book.faults().total(), naive.faults, "{at}: faults of venue {}", naive.venue.0);
        assert_eq!(book.order_count(), naive.orders.len(), "{at}: orders");
        for side in [Side::Bid, Side::Ask] {
            let levels: Vec<_> = book.levels(side).map(plain).collect();
            assert_eq!(levels, naive.levels(side), "{at}: {side:?} of venue {}", naive.venue.0);
            for (price, ..) in levels {
                let queue: Vec<_> = book
                    .queue(side, Price(price))
                    .map(|order: RestingOrder| (order.id, order.size.0))
                    .collect();
                assert_eq!(queue, naive.queue(side, price), "{at}: queue at {price}");
                if let Some((last, _)) = queue.last() {
                    let before: i128 = queue.iter().rev().skip(1).map(|(_, size)| i128::from(*size)).sum();
                    let ahead = book.ahead_of(*last).expect("it rests");
                    assert_eq!(ahead.0.0, i64::try_from(before).unwrap_or(i64::MAX), "{at}");
                    assert_eq!(ahead.1, queue.len() as u64 - 1, "{at}");
                }
                made += 1;
            }
        }
    }
    made
}

#[test]
fn the_fast_book_is_the_naive_book_after_every_event() {
    let (mut events, mut compared, mut deepest, mut faults) = (0u64, 0u64, 0, 0);
    for stream in 0..STREAMS {
        let mut rng = ChaCha8Rng::seed_from_u64(stream);
        let mix = Mix::of(&mut rng);
        let (mut depth, mut naive) = (Depth::new(), NaiveDepth::default());
        for event in 0..EVENTS {
            let record = mix.event(&mut rng);
            let is_complete = depth.apply(&record);
            assert_eq!(is_complete, naive.apply(&record), "stream {stream}, event {event}: end of group");
            compared += compare(&depth, &naive, &format!("stream {stream}, event {event}"));
            events += 1;
        }
        deepest = deepest.max(depth.levels(Side::Bid).count());
        faults += depth.venues().iter().map(|book| book.faults().total()).sum::<u64>();
    }
    println!(
        "{STREAMS} streams, {events} events, {compared} comparisons, deepest side {deepest}, {faults} faults"
    );
    assert!(events == STREAMS * u64::from(EVENTS) && deepest > 20 && faults > 10_000);
}

fn order(action: BookAction, side: Side, id: u64, price_text: &str, size: i64) -> BookOrder {
    let (price, size) = (price(price_text).0, qty(size).0);
    BookOrder { order_id: id, price, size, side: side as u8, action: action as u8, ..BookOrder::default() }
}

impl Tape {
    /// Order events of the stock that form one group.
    fn orders(&mut self, events: &[BookOrder]) -> &mut Tape {
        for (n, event) in events.iter().enumerate() {
            let bits = if n + 1 == events.len() { flags::LAST } else { 0 };
            let head = Head { flags: bits, ..Head::at(at_ms(self.ms), STOCK) };
            self.push(head, Body::BookOrder(*event));
        }
        self
    }

    fn levels(&mut self, venue: u16, bits: u8, levels: &[(Side, &str, i64)]) -> &mut Tape {
        for (n, (side, at, size)) in levels.iter().enumerate() {
            let bits = if n + 1 == levels.len() { flags::LAST | bits } else { bits };
            let head = Head { flags: bits, venue: VenueIx(venue), ..Head::at(at_ms(self.ms), STOCK) };
            let (side, action) = (*side as u8, BookAction::Set as u8);
            let body = BookLevel {
                price: price(at).0,
                size: qty(*size).0,
                orders: 1,
                side,
                action,
                ..Default::default()
            };
            self.push(head, Body::BookLevel(body));
        }
        self
    }
}

use Ask::Submit;
use BookAction::{Add, Cancel, Clear, Modify};
use Side::{Ask as Offer, Bid};
use When::Quote;

#[test]
fn a_tape_of_orders_alone_fills_and_marks() {
    let config = RunConfig { mark_interval_ns: 60_000_000_000, ..bare() };
    let run = play_with(
        config,
        |tape| {
            tape.at(10).orders(&[
                order(Clear, Bid, 0, "0.00", 0),
                order(Add, Bid, 1, "99.00", 5),
                order(Add, Offer, 2, "101.00", 4),
                order(Add, Offer, 3, "101.00", 3),
            ]);
            // The best offer leaves before the order arrives at 11; 3 at 101.00 remain for it.
            tape.at(11).orders(&[order(Cancel, Offer, 2, "101.00", 4)]);
            tape.at(13).orders(&[order(Modify, Bid, 1, "100.00", 5)]);
            tape.at(20).orders(&[order(Add, Offer, 4, "102.00", 9)]);
            tape.at(120_000).orders(&[order(Add, Bid, 5, "90.00", 1)]).end();
        },
        vec![(Quote(1), Submit(Package::market(STOCK, qty(5))))],
    );
    // The second half waits for more displayed size: the offer left (bought up or not, the book says 101
    // no longer grew), so it takes what comes at 102.
    let story = run.story();
    assert!(story.contains("arrived 0 at 11.000 99.00/101.00"), "{story}");
    assert!(story.contains("executed 0 3@101.00 at 11.000 Taker"), "{story}");
    assert_eq!(run.executed(0), qty(3), "{story}");
    // Three shares at 101, marked at (100 + 101) / 2.
    assert_eq!(run.kernel.equity(), "99998.5".parse().expect("money"), "{story}");
    assert_eq!(run.strategy(0).quotes, 3, "the touch changed at 10, 11 and 13");
}

/// Counts callbacks and notes what `Ctx` shows of the book in each.
#[derive(Debug, Clone, Default)]
struct Watcher {
    seen: Vec<String>,
}

impl Strategy for Watcher {
    fn name(&self) -> &'static str {
        "watcher"
    }
    fn version(&self) -> &'static str {
        "1"
    }
    fn save(&self, _: &mut Vec<u8>) {}
    fn load(&mut self, _: &[u8]) -> Result<(), StateError> {
        Ok(())
    }
    fn on_quote(&mut self, ctx: &mut Ctx<'_>, ix: InstrumentIx) -> Flow {
        let (bid, ask) = ctx.top(ix).map(|top| top.nbbo(ctx.now())).expect("it is defined");
        self.seen.push(format!("quote {bid}/{ask}"));
        Flow::Continue
    }
    fn on_depth(&mut self, ctx: &mut Ctx<'_>, ix: InstrumentIx) -> Flow {
        let depth = ctx.depth(ix).expect("its book changed");
        let side = |side| {
            let levels = depth.levels(side).map(|level| format!("{}x{}", level.price(), level.size()));
            levels.collect::<Vec<_>>().join(" ")
        };
        self.seen.push(format!("depth {} | {}", side(Bid), side(Offer)));
        Flow::Continue
    }
    fn on_trade(&mut self, ctx: &mut Ctx<'_>, ix: InstrumentIx, trade: &Trade) -> Flow {
        let best = ctx.depth(ix).and_then(|depth| depth.best(Offer)).map(Level::price);
        self.seen.push(format!("trade {} at offer {}", Price(trade.price), best.unwrap_or_default()));
        Flow::Continue
    }
    fn on_imbalance(&mut self, _: &mut Ctx<'_>, ix: InstrumentIx, imbalance: &Imbalance) -> Flow {
        self.seen.push(format!("imbalance of {} at {}", ix.0, imbalance.reference_price));
        Flow::Continue
    }
}

fn watch(config: RunConfig, tape: impl FnOnce(&mut Tape)) -> Vec<String> {
    let mut inputs = Tape::new(&config);
    tape(&mut inputs);
    let mut kernel = Kernel::new(config, vec![Watcher::default()]);
    for Input { record, cold } in &inputs.inputs {
        kernel.apply(record, cold.as_ref()).expect("the tape is sound");
    }
    kernel.strategies().next().expect("one strategy").seen.clone()
}

/// Books by price and by order, of several venues, inside and between groups: the restored kernel has the same
/// state, notes the same and ends in the same hash.
#[test]
fn a_kernel_restored_with_depth_goes_on_as_the_first() {
    let (config, mut inside_groups, mut by_order) = (bare(), 0, 0);
    for stream in 0..60 {
        let mut rng = ChaCha8Rng::seed_from_u64(stream);
        let mix = Mix::of(&mut rng);
        let mut tape = Tape::new(&config);
        for n in 0..300 {
            let mut record = mix.event(&mut rng);
            record.ts = at_ms(10 + n).0;
            record.ts_src = record.ts;
            tape.inputs.push(Input { record, cold: None });
        }
        tape.at(100_000).end();
        let inputs = &tape.inputs;
        let run = |kernel: &mut Kernel<Watcher>, inputs: &[Input]| {
            let apply = |input: &Input| {
                kernel.apply(&input.record, input.cold.as_ref()).expect("the tape is sound");
                kernel.take_derived(Vec::new())
            };
            inputs.iter().map(apply).collect::<Vec<_>>()
        };
        let mut whole = Kernel::new(config.clone(), vec![Watcher::default()]);
        let all = run(&mut whole, inputs);
        for cut in [3, 50, 177, 300, inputs.len() - 1] {
            let mut first = Kernel::new(config.clone(), vec![Watcher::default()]);
            run(&mut first, &inputs[..cut]);
            let bytes = first.save().expect("between inputs");
            let restored = Kernel::restore(config.clone(), vec![Watcher::default()], &bytes);
            let mut second = restored.expect("a depth snapshot restores");
            assert_eq!(second.save().as_ref(), Ok(&bytes), "stream {stream}, cut {cut}");
            assert_eq!(run(&mut second, &inputs[cut..]), all[cut..], "stream {stream}, cut {cut}");
            assert_eq!(second.last_state_hash(), whole.last_state_hash());
            let saw = &second.strategies().next().expect("one strategy").seen;
            let whole_saw = &whole.strategies().next().expect("one strategy").seen;
            assert!(whole_saw.ends_with(saw), "stream {stream}, cut {cut}");
            inside_groups += u32::from(
                inputs[cut - 1].record.kind != Kind::Cold as u8 && !inputs[cut - 1].record.has(flags::LAST),
            );
            by_order += u32::from(saw.len() > 10 && mix.levels_percent == 0);
        }
    }
    assert!(inside_groups > 20 && by_order > 20, "{inside_groups} {by_order}");
}

#[test]
fn a_group_is_seen_whole_and_venues_add_up() {
    let seen = watch(bare(), |tape| {
        tape.at(10).levels(1, 0, &[(Bid, "10.00", 5), (Bid, "9.99", 7), (Offer, "10.02", 3)]);
        tape.at(11).levels(2, 0, &[(Bid, "10.00", 2), (Offer, "10.01", 1)]);
        // Deeper than the best prices: no quote.
        tape.at(12).levels(1, 0, &[(Bid, "9.99", 8)]);
        tape.at(13).levels(2, 0, &[(Bid, "10.00", 0)]);
        tape.at(14).levels(2, flags::EXTENDED, &[(Bid, "10.01", 4)]);
        tape.at(15).levels(2, 0, &[(Offer, "10.01", 0)]);
    });
    assert_eq!(
        seen,
        [
            "quote 10.00/10.02",
            "depth 10.00x5 9.99x7 | 10.02x3",
            "quote 10.00/10.01",
            "depth 10.00x7 9.99x7 | 10.01x1 10.02x3",
            "depth 10.00x7 9.99x8 | 10.01x1 10.02x3",
            "quote 10.00/10.01",
            "depth 10.00x5 9.99x8 | 10.01x1 10.02x3",
            // What happened outside regular hours is in the book and shows with the next record within them.
            "quote 10.01/10.02",
            "depth 10.01x4 10.00x5 9.99x8 | 10.02x3",
        ]
    );
}

#[test]
fn a_print_may_end_a_group_and_precedes_its_changes() {
    let seen = watch(bare(), |tape| {
        tape.at(10).orders(&[order(Add, Bid, 1, "9.00", 1), order(Add, Offer, 2, "10.00", 4)]);
        let print = |tape: &mut Tape, bits: u8| {
            let feed = TradeFeed::Orders as u8;
            let trade = Trade { price: price("10.00").0, size: qty(4).0, feed, ..Trade::default() };
            tape.push(Head { flags: bits, ..Head::at(at_ms(tape.ms), STOCK) }, Body::Trade(trade));
        };
        print(tape.at(11), 0);
        tape.orders(&[order(BookAction::Fill, Offer, 2, "10.00", 4), order(Cancel, Offer, 2, "10.00", 4)]);
        let mut late = order(Add, Offer, 3, "10.01", 2);
        late.sequence = 9;
        tape.at(12).push(Head { flags: 0, ..Head::at(at_ms(12), STOCK) }, Body::BookOrder(late));
        print(tape, flags::LAST);
        let imbalance = Imbalance { reference_price: price("9.50"), ..Imbalance::default() };
        let record = Record::new(Head::at(at_ms(13), STOCK), Body::Cold(0));
        tape.inputs.push(Input { record, cold: Some(Cold::Imbalance(Box::new(imbalance))) });
    });
    assert_eq!(
        seen,
        [
            "quote 9.00/10.00",
            "depth 9.00x1 | 10.00x4",
            "trade 10.00 at offer 10.00",
            "quote 9.00/0.00",
            "depth 9.00x1 | ",
            "trade 10.00 at offer 10.01",
            "quote 9.00/10.01",
            "depth 9.00x1 | 10.01x2",
            "imbalance of 0 at 9.50",
        ]
    );
}

#[test]
fn a_book_that_may_be_wrong_is_not_firm() {
    let run = play(
        |tape| {
            tape.at(10).levels(0, 0, &[(Bid, "9.00", 1), (Offer, "10.00", 9)]);
            tape.at(11).levels(0, flags::NON_FIRM, &[(Offer, "10.01", 9)]);
            tape.at(13).levels(0, flags::NON_FIRM, &[(Offer, "10.02", 9)]);
        },
        vec![(Quote(1), Submit(Package::market(STOCK, qty(1))))],
    );
    assert!(run.story().contains("arrived 0 at 11.000 0.00/0.00"), "{}", run.story());
    assert_eq!(run.executed(0), qty(0));
}

#[test]
fn imbalance_and_microprice_of_a_book() {
    let mut depth = Depth::new();
    assert_eq!((depth.imbalance(5), depth.microprice()), (None, None));
    let mut apply = |side, at, size| {
        depth.apply(&Record::new(
            Head::at(at_ms(1), STOCK),
            Body::BookOrder(order(Add, side, size as u64, at, size)),
        ));
    };
    apply(Bid, "10.00", 30);
    apply(Bid, "9.99", 50);
    apply(Offer, "10.02", 10);
    // (30 − 10) / 40; (80 − 10) / 90; (10.00 · 10 + 10.02 · 30) / 40.
    assert_eq!(depth.imbalance(1), Some(0.5));
    assert_eq!(depth.imbalance(2), Some(70.0 / 90.0));
    assert!((depth.microprice().expect("two sides") - 10.015).abs() < 1e-12);
}

//! Real books: ES by order on 2023-12-25 against figures from the vendor's decoder, and against the same book
//! by price; Nasdaq, Endex and Globex samples by order against the vendor's own mbp-10 and mbp-1 records.

use onetape_engine::depth::{Depth, Level};
use onetape_engine::ids::VenueIx;
use onetape_engine::record::{Body, Kind, Record, Side, TradeFeed, flags};
use onetape_session::Outcome;
use onetape_tape::import::MemorySink;
use onetape_tape::import::dbn::{DbnRequest, import_dbn, read_dbn};
use onetape_tests::{run, settings, shared};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

const ES: &str = "data/dbn/nautilus/esh4-glbx-mdp3-20231225.mbo.dbn.zst";
const UNIT: i64 = 1_000_000_000;

/// Records of files, without definitions and phases.
fn records(files: &[PathBuf]) -> Vec<Record> {
    let mut sink = MemorySink::default();
    read_dbn(&DbnRequest::new(files), &mut sink, &mut |_| {}).unwrap();
    let market = |record: &Record| record.kind().is_some_and(Kind::is_market);
    sink.inputs.into_iter().map(|input| input.record).filter(market).collect()
}

/// Price, whole size and orders.
type Row = (i64, i64, u64);

fn row(level: &Level) -> Row {
    assert_eq!(level.size().0 % UNIT, 0);
    (level.price().0, level.size().0 / UNIT, level.orders())
}

fn top(depth: &Depth, side: Side, levels: usize) -> Vec<Row> {
    depth.levels(side).take(levels).map(row).collect()
}

/// Applies a record where it concerns the book; true at the end of a group.
fn apply(depth: &mut Depth, record: &Record) -> bool {
    match record.body() {
        Some(Body::BookOrder(_) | Body::BookLevel(_)) => depth.apply(record),
        Some(Body::Trade(trade)) if trade.feed != TradeFeed::Prints as u8 && record.has(flags::LAST) => {
            depth.apply(record)
        }
        _ => false,
    }
}

/// What a dictionary of orders over the vendor's Python decoder (databento-dbn 0.72.0) gives: at each of the
/// ends of groups, FNV-1a over the words of ten levels a side and the sums of the best prices, sizes and orders.
#[test]
fn the_es_book_by_order_is_the_one_the_vendors_decoder_builds() {
    let Some(file) = shared(ES) else { return };
    let mut depth = Depth::new();
    let (mut events, mut hash, mut sums) = (0u64, 0xcbf2_9ce4_8422_2325u64, [0i64; 6]);
    let (mut crossed, mut changes, mut best) = (0, 0, None);
    let (mut prints, mut volume) = (0, 0);
    for record in &records(&[file]) {
        if let Some(Body::Trade(trade)) = record.body() {
            (prints, volume) = (prints + 1, volume + trade.size / UNIT);
        }
        if !apply(&mut depth, record) {
            continue;
        }
        events += 1;
        let sides = [Side::Bid, Side::Ask].map(|side| top(&depth, side, 10));
        for (price, size, orders) in sides.iter().flatten() {
            for word in [*price as u64, *size as u64, *orders] {
                hash = (hash ^ word).wrapping_mul(0x0000_0100_0000_01b3);
            }
        }
        let (bid, ask) = (sides[0][0], sides[1][0]);
        let added = [bid.0, ask.0, bid.1, ask.1, bid.2 as i64, ask.2 as i64];
        sums.iter_mut().zip(added).for_each(|(sum, value)| *sum += value);
        crossed += u64::from(bid.0 > ask.0);
        let now = Some((bid.0, bid.1, ask.0, ask.1));
        changes += u64::from(now != best);
        best = now;
    }
    assert_eq!(events, 47_022);
    assert_eq!(hash, 0xe2ea_6ade_17c6_fa5c);
    assert_eq!(
        sums,
        [226_092_773_750_000_000, 226_089_717_000_000_000, 1_408_067, 1_409_769, 603_735, 596_819]
    );
    // Crossed while the market opens only: the auction's book.
    assert_eq!((crossed, changes), (891, 25_439));
    assert_eq!((prints, volume), (2_973, 9_892));
    let book = &depth.venues()[0];
    assert_eq!((book.order_count(), book.faults().total()), (11_217, 0));
    assert_eq!((depth.levels(Side::Bid).count(), depth.levels(Side::Ask).count()), (922, 565));
    let best_bid = depth.best(Side::Bid).unwrap();
    let queue: Vec<u64> =
        book.queue(Side::Bid, best_bid.price()).map(|order| order.id - 6_412_777_290_000).collect();
    assert_eq!(
        queue,
        [
            3790, 3795, 3796, 3834, 3841, 3886, 3950, 4395, 4625, 4635, 4660, 4681, 4695, 4700, 4702, 4705,
            4722, 4724, 4725, 4728, 4755, 4764
        ]
    );
    println!("ES by order: {events} events, ten levels a side equal to the vendor decoder's at each");
}

/// The ten best levels as the vendor's message.
fn message(record: &Record, sequence: u32, depth: &Depth) -> dbn::Mbp10Msg {
    let mut bits = dbn::FlagSet::empty();
    bits.set_last();
    let mut message = dbn::Mbp10Msg {
        hd: dbn::RecordHeader::new::<dbn::Mbp10Msg>(dbn::enums::rtype::MBP_10, 1, 17_077, record.ts_src),
        flags: bits,
        ts_recv: record.ts,
        sequence,
        action: b'M' as std::ffi::c_char,
        ..dbn::Mbp10Msg::default()
    };
    for (place, (price, size, orders)) in top(depth, Side::Bid, 10).into_iter().enumerate() {
        let level = &mut message.levels[place];
        (level.bid_px, level.bid_sz, level.bid_ct) = (price, size as u32, orders as u32);
    }
    for (place, (price, size, orders)) in top(depth, Side::Ask, 10).into_iter().enumerate() {
        let level = &mut message.levels[place];
        (level.ask_px, level.ask_sz, level.ask_ct) = (price, size as u32, orders as u32);
    }
    message
}

#[test]
fn orders_added_up_by_price_are_the_book_by_price_at_every_event() {
    use dbn::encode::EncodeRecord;
    let Some(file) = shared(ES) else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("es.mbp-10.dbn");
    let metadata = dbn::Metadata::builder()
        .version(3)
        .dataset("GLBX.MDP3".to_string())
        .schema(Some(dbn::Schema::Mbp10))
        .start(0)
        .stype_in(Some(dbn::SType::RawSymbol))
        .stype_out(dbn::SType::InstrumentId)
        .build();
    let out = std::io::BufWriter::new(File::create(&path).unwrap());
    let mut encoder = dbn::encode::dbn::Encoder::new(out, &metadata).unwrap();
    let mut by_order = Depth::new();
    let mut expected = Vec::new();
    for record in &records(&[file]) {
        if apply(&mut by_order, record) {
            // The number of the event stands in for the venue's: several events share one of those.
            encoder.encode_record(&message(record, expected.len() as u32, &by_order)).unwrap();
            expected.push([Side::Bid, Side::Ask].map(|side| top(&by_order, side, 10)));
        }
    }
    drop(encoder);

    let mut by_price = Depth::new();
    let (mut changes, mut compared, mut current) = (0u64, 0, 0);
    for record in &records(&[path]) {
        let Some(level) = record.as_book_level() else { panic!("{record:?}") };
        // Events that changed none of the ten levels left no record.
        while current < level.sequence as usize {
            assert_eq!([Side::Bid, Side::Ask].map(|side| top(&by_price, side, 11)), expected[current]);
            (current, compared) = (current + 1, compared + 1);
        }
        by_price.apply(record);
        changes += 1;
    }
    for rest in &expected[current..] {
        assert_eq!(&[Side::Bid, Side::Ask].map(|side| top(&by_price, side, 11)), rest);
        compared += 1;
    }
    assert_eq!(compared, 47_022);
    println!(
        "ES by order = by price at {compared} events ({changes} level changes for {} levels stated)",
        compared * 20
    );
}

/// Books at the sequence numbers of a file's records, ten levels a side.
fn books_by_sequence(file: &Path) -> BTreeMap<u32, [Vec<Row>; 2]> {
    let mut depth = Depth::new();
    let mut books = BTreeMap::new();
    for record in records(&[file.to_path_buf()]) {
        let sequence = match record.body() {
            Some(Body::BookOrder(order)) => order.sequence,
            Some(Body::BookLevel(level)) => level.sequence,
            Some(Body::Trade(trade)) => trade.sequence,
            _ => continue,
        };
        apply(&mut depth, &record);
        books.insert(sequence, [Side::Bid, Side::Ask].map(|side| top(&depth, side, 10)));
    }
    books
}

#[test]
fn order_files_agree_with_the_vendors_level_files() {
    let Some(root) = shared("data/dbn/databento-python") else { return };
    let pair = |venue: &str| {
        let folder = root.join(venue);
        let [orders, levels] = ["mbo", "mbp-10"].map(|s| folder.join(format!("test_data.{s}.dbn.zst")));
        (books_by_sequence(&orders), books_by_sequence(&levels))
    };
    let mut compared = 0;
    for venue in ["XNAS.ITCH", "IFEU.IMPACT"] {
        let (by_order, by_price) = pair(venue);
        for (sequence, book) in &by_order {
            assert_eq!(Some(book), by_price.get(sequence), "{venue}, sequence {sequence}");
            compared += 1;
        }
    }
    assert_eq!(compared, 8);
    // Endex: the level file begins after the four orders, which are among its levels.
    let (by_order, by_price) = pair("NDEX.IMPACT");
    let (_, last) = by_order.last_key_value().unwrap();
    let (_, first) = by_price.first_key_value().unwrap();
    for (ours, theirs) in last.iter().zip(first) {
        for level in ours {
            assert!(theirs.contains(level), "{level:?}");
            compared += 1;
        }
    }
    // The best prices of Nasdaq's mbp-1 file, where it has a record of the same sequence.
    let (by_order, _) = pair("XNAS.ITCH");
    let quotes = records(&[root.join("XNAS.ITCH/test_data.mbp-1.dbn.zst")]);
    for quote in quotes.iter().filter_map(Record::as_quote) {
        let Some([bids, asks]) = by_order.get(&quote.sequence) else { continue };
        let best = |side: &[Row]| side.first().map_or((0, 0), |best| (best.0, best.1 * UNIT));
        assert_eq!((best(bids), best(asks)), ((quote.bid, quote.bid_size), (quote.ask, quote.ask_size)));
        compared += 1;
    }
    assert_eq!(compared, 8 + 4 + 3);
    println!("{compared} books by order equal to the vendor's own by price");
}

#[test]
fn the_snapshots_of_two_days_are_the_same_book() {
    let Some(root) = shared("data/dbn/nautilus") else { return };
    let whole = |day: u32, only_snapshot: bool| {
        let file = root.join(format!("esh4-glbx-mdp3-202312{day}.mbo.dbn.zst"));
        let mut depth = Depth::new();
        let all = records(&[file]);
        for record in all.iter().filter(|record| !only_snapshot || record.has(flags::SNAPSHOT)) {
            depth.apply(record);
        }
        assert_eq!(depth.venue(VenueIx(1)).unwrap().order_count(), 8_725);
        [Side::Bid, Side::Ask].map(|side| depth.levels(side).map(row).collect::<Vec<_>>())
    };
    assert_eq!(whole(24, false), whole(25, true));
}

#[test]
fn a_session_of_orders_alone_replays_and_reproduces() {
    let Some(file) = shared(ES) else { return };
    let first = shared("data/dbn/nautilus/esh4-glbx-mdp3-20231224.mbo.dbn.zst").unwrap();
    let work = tempfile::tempdir().unwrap();
    let session = work.path().join("es");
    let imported = import_dbn(&DbnRequest::new(&[first, file]), &session, &mut |_| {}).unwrap().manifest;
    assert_eq!(imported.source_records["mbo"], 8_725 + 68_792);
    // Each day's snapshot got the clear that its file leaves out; prints are trades.
    assert_eq!(imported.inputs_by_kind["book_order"], 8_725 + 68_792 + 2 - 2_973);
    assert_eq!(imported.inputs_by_kind["trade"], 2_973);

    let mut settings = settings("ema-cross", &[]);
    settings.run.cash = "1000000".parse().unwrap();
    let runs = work.path().join("runs");
    let first = run(&session, &settings, &runs);
    assert!(first.fills > 0, "best bid and ask come from the book alone");
    assert_eq!(first.equity, first.cash_initial + first.profit);
    assert_eq!(run(&session, &settings, &runs).outcome, Outcome::Reproduced);
    println!("ES by order, ema-cross: {} fills, profit {}", first.fills, first.profit);
}

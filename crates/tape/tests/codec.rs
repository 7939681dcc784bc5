//! The block format's laws: round trip, golden bytes, hostile bytes.
#![allow(clippy::unwrap_used)]

mod common;

use onetape_engine::block::Block;
use onetape_engine::event::{Derived, Event};
use onetape_engine::ids::{InstrumentIx, StrategyIx, VenueIx};
use onetape_engine::input::{Cold, Command, Imbalance};
use onetape_engine::instrument::InstrumentDef;
use onetape_engine::num::{Nanos, Price};
use onetape_engine::record::{
    Body, BookAction, BookLevel, BookOrder, Head, Kind, Quote, Record, SessionPhase, Side, Trade, TradeFeed,
    flags,
};
use onetape_tape::codec::{
    CodecError, Decoder, Encoder, HASH_LEN, HEADER_LEN, Hash, References, Run, complete,
};
use proptest::prelude::*;

fn encode(block: &Block) -> Vec<u8> {
    let mut frame = Vec::new();
    Encoder::new().encode(block, &Hash([7; 32]), &Hash([9; 32]), &mut frame).unwrap();
    frame
}

fn decode(frame: &[u8]) -> Result<Block, CodecError> {
    let mut block = Block::default();
    Decoder::new().decode(frame, &mut block).map(|_| block)
}

/// One of everything a journal block may hold.
fn specimen() -> Block {
    let at = |ts: u64| Head::at(Nanos(1_450_967_400_000_000_000 + ts), InstrumentIx(0));
    let quote =
        Quote { bid: 747_500_000_000, ask: 747_600_000_000, bid_size: 3, ask_size: 4, ..Quote::default() };
    let trade = Trade { price: 747_550_000_000, size: 100_000_000_000, aggressor: b'N', ..Trade::default() };
    let phase = SessionPhase { open: 1, close: 2, trade_date: 20151224, phase: 1, ..Default::default() };
    let note = Event::Note { strategy: StrategyIx(0), text: "hello".to_string() };
    let derived = |after, cause, event| Derived { after, ts: Nanos(5), cause, event };
    Block {
        first_seq: 77,
        inputs: vec![
            Record::new(at(0), Body::Cold(0)),
            Record::new(at(0), Body::Cold(1)),
            Record::new(at(1), Body::SessionPhase(phase)),
            Record::new(at(2), Body::Quote(quote)),
            Record::new(at(3), Body::Quote(Quote { bid: 747_400_000_000, ..quote })),
            Record::new(at(4), Body::Trade(trade)),
            Record::new(at(5), Body::Seal),
        ],
        cold: vec![Cold::Start(Box::default()), Cold::Definition(Box::new(InstrumentDef::equity("GOOG")))],
        derived: vec![
            derived(1, 77, note.clone()),
            derived(4, 80, Event::StateHash { hash: [3; 32] }),
            derived(7, 83, note),
        ],
    }
}

#[test]
fn every_lane_round_trips() {
    let block = specimen();
    assert_eq!(decode(&encode(&block)).unwrap(), block);
    let empty = Block { first_seq: 5, ..Block::default() };
    assert_eq!(decode(&encode(&empty)).unwrap(), empty);
    for records in [common::w1(9_000), common::chain(9_000, 300)] {
        for block in common::blocks(&records) {
            assert_eq!(decode(&encode(&block)).unwrap(), block);
        }
    }
}

/// Frames written by this version must be readable, bit for bit, by every later one: a
/// change of these figures is a change of the format and needs another codec number.
#[test]
fn the_format_is_golden() {
    let hash_of = |block: &Block| {
        let frame = encode(block);
        (frame.len(), Hash::of(&frame).to_string())
    };
    let golden: Vec<(usize, String)> = [
        specimen(),
        common::blocks(&common::w1(4_096)).remove(0),
        common::blocks(&common::chain(4_096, 1_000)).remove(0),
    ]
    .iter()
    .map(hash_of)
    .collect();
    for ((bytes, hash), (golden_bytes, golden_hash)) in golden.iter().zip([
        (645, "8e39f9191f7c4729628be652a2fd2e269029692a90fad5fada55e1ccc99b4237"),
        (9_161, "ed165bc171630c2624837dc76a4b7ef30c47b15442914208aebfc1d3ac9705b5"),
        (41_648, "75815ce95f2da0111d39630fa6d75c77a6abe0d2f529eec277e1c43d55e1ac65"),
    ]) {
        assert_eq!((*bytes, hash.as_str()), (golden_bytes, golden_hash));
    }
}

/// A ten-level snapshot and a change, orders of the book, a print of their feed and an imbalance.
fn depth() -> Block {
    let head = |step: u64, bits: u8| Head {
        ts: Nanos(1_703_545_200_000_000_000 + step * 1_000),
        ts_src: Nanos(1_703_545_200_000_000_000 + step * 1_000 - 250_000),
        instrument: InstrumentIx((step % 2) as u32),
        venue: VenueIx(1),
        flags: bits,
    };
    let tick = 250_000_000;
    let levels = (0..10u8).map(|level| {
        let price = 4_800_000_000_000 - i64::from(level) * tick;
        let (size, orders) = (i64::from(level + 1) * 3_000_000_000, u32::from(level) + 1);
        let (side, action) = (Side::Bid as u8, BookAction::Set as u8);
        let body =
            BookLevel { price, size, orders, sequence: 682, side, action, level, ..BookLevel::default() };
        Record::new(head(0, flags::SNAPSHOT), Body::BookLevel(body))
    });
    let orders = (0..40u64).map(|n| {
        let actions = [BookAction::Add, BookAction::Modify, BookAction::Fill, BookAction::Cancel];
        let body = BookOrder {
            order_id: 6_412_777_162_812 + n / 4,
            price: 4_800_000_000_000 + (n % 7) as i64 * tick,
            size: (n % 5 + 1) as i64 * 1_000_000_000,
            sequence: 5_000 + n as u32,
            sent_before_ns: 20_000 - n as i32,
            side: if n % 3 == 0 { Side::Ask } else { Side::Bid } as u8,
            action: actions[n as usize % 4] as u8,
            channel: 3,
            reserved: [0; 5],
        };
        Record::new(head(1 + n, if n % 4 == 3 { flags::LAST } else { 0 }), Body::BookOrder(body))
    });
    let feed = TradeFeed::Orders as u8;
    let print = Trade { price: 4_800_000_000_000, size: 1_000_000_000, feed, ..Trade::default() };
    let auction = Imbalance { reference_price: Price(522_510_000_000), side: b'A', ..Imbalance::default() };
    let mut inputs: Vec<Record> = levels.chain(orders).collect();
    inputs.push(Record::new(head(50, 0), Body::Trade(print)));
    inputs.push(Record::new(head(51, flags::LAST), Body::Cold(0)));
    Block { inputs, cold: vec![Cold::Imbalance(Box::new(auction))], ..Block::default() }
}

#[test]
fn depth_records_round_trip_and_are_golden() {
    let block = depth();
    let frame = encode(&block);
    assert_eq!(decode(&frame).unwrap(), block);
    let golden = (661, "3742d7b7c33f9b1ff0d50076db833431e54b1325e328e6674153062e0c661355");
    assert_eq!((frame.len(), Hash::of(&frame).to_string().as_str()), golden);
}

#[test]
fn a_plain_quote_takes_at_most_thirteen_bytes() {
    for (name, records) in [("w1", common::w1(40_960)), ("chain", common::chain(40_960, 1_000))] {
        let bytes: usize = common::blocks(&records).iter().map(|block| encode(block).len()).sum();
        let per_quote = bytes as f64 / records.len() as f64;
        println!("{name}: {per_quote:.2} bytes per quote");
        assert!(per_quote <= 13.0, "{name}: {per_quote}");
    }
}

#[test]
fn what_would_not_be_understood_is_refused() {
    let good = specimen();
    let mut block = good.clone();
    block.inputs[3].kind = 99;
    let frame = |block: &Block| Encoder::new().encode(block, &Hash::ZERO, &Hash::ZERO, &mut Vec::new());
    assert_eq!(frame(&block), Err(CodecError::UnknownKind { index: 3, kind: 99 }));
    let mut block = good.clone();
    block.inputs[1].body[0] = 0;
    assert!(matches!(frame(&block), Err(CodecError::ColdIndex { index: 1, .. })));
    let mut block = good.clone();
    block.cold.push(Cold::Command(Command::Kill { reason: String::new() }));
    assert!(matches!(frame(&block), Err(CodecError::ColdIndex { index: 7, .. })));
    let mut block = good.clone();
    block.derived[2].after = 8;
    assert!(matches!(frame(&block), Err(CodecError::DerivedPosition { index: 2, .. })));
    let mut block = good.clone();
    block.inputs[5].ts -= 10;
    assert!(matches!(frame(&block), Err(CodecError::TimeOrder { index: 5, .. })));
    let mut block = good;
    block.inputs = vec![block.inputs[3]; 4_097];
    assert!(matches!(frame(&block), Err(CodecError::TooMany { lane: "input", .. })));
}

#[test]
fn a_frame_cut_anywhere_is_an_error() {
    let frame = encode(&specimen());
    for length in 0..frame.len() {
        assert!(decode(&frame[..length]).is_err(), "cut at {length}");
    }
    let mut longer = frame.clone();
    longer.push(0);
    assert!(decode(&longer).is_err());
}

#[test]
fn every_flipped_bit_is_an_error() {
    let frame = encode(&specimen());
    for bit in 0..frame.len() * 8 {
        let mut bad = frame.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(decode(&bad).is_err(), "bit {bit}");
    }
}

/// Recomputes the hash, so that the decoder behind it is what meets the bytes.
fn resealed(mut frame: Vec<u8>) -> Vec<u8> {
    let end = frame.len() - HASH_LEN;
    let hash = Hash::of(&frame[..end]);
    frame[end..].copy_from_slice(&hash.0);
    frame
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn damaged_payloads_with_a_right_hash_never_panic(
        at in any::<prop::sample::Index>(), byte in any::<u8>(), other in any::<prop::sample::Index>(), chain in any::<bool>()
    ) {
        let block = if chain { common::blocks(&common::chain(300, 40)).remove(0) } else { specimen() };
        let mut frame = encode(&block);
        let payload = HEADER_LEN..frame.len() - HASH_LEN;
        for at in [at, other] {
            let position = payload.start + at.index(payload.len());
            frame[position] = frame[position].wrapping_add(byte);
        }
        // Some damage decodes to another legal block; none of it may panic or be refused on re-encoding.
        if let Ok(block) = decode(&resealed(frame)) {
            prop_assert!(Encoder::new().encode(&block, &Hash::ZERO, &Hash::ZERO, &mut Vec::new()).is_ok());
        }
    }

    #[test]
    fn damaged_headers_with_a_right_hash_never_panic(at in 0..HEADER_LEN, byte in any::<u8>()) {
        let mut frame = encode(&specimen());
        frame[at] = byte;
        let _ = decode(&resealed(frame));
    }

    #[test]
    fn noise_is_an_error(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(decode(&bytes).is_err());
    }

    #[test]
    fn any_records_round_trip(
        rows in prop::collection::vec((any::<u64>(), 0u32..20, any::<u16>(), 1usize..13, any::<u8>(), any::<[u64; 5]>(), any::<bool>()), 0..300),
        wide in any::<bool>(),
    ) {
        let mut inputs: Vec<Record> = rows.into_iter().map(|(ts, instrument, venue, kind, flags, body, small)| Record {
            ts,
            ts_src: if small { ts } else { body[0] },
            instrument: if wide { instrument.wrapping_mul(400_000_019) } else { instrument },
            venue,
            kind: Kind::ALL[kind] as u8,
            flags,
            body: if small { body.map(|word| (word % 1_000) * 10_000_000) } else { body },
        }).collect();
        inputs.sort_by_key(|record| record.ts);
        let block = Block { inputs, ..Block::default() };
        prop_assert_eq!(decode(&encode(&block)).unwrap(), block);
    }
}

/// Where the specimen's inputs are when a session holds the third to the sixth.
fn references() -> References {
    let runs = vec![Run::Own { count: 2 }, Run::Session { first: 40, count: 4 }, Run::Own { count: 1 }];
    References { session: Hash([5; 32]), runs }
}

fn encode_referring(block: &Block, references: &References) -> Vec<u8> {
    let mut frame = Vec::new();
    let (id, previous) = (Hash([7; 32]), Hash([9; 32]));
    Encoder::new().encode_referring(block, references, &id, &previous, &mut frame).unwrap();
    frame
}

/// The block with the inputs that `session` holds from position 40 on.
fn decode_with(frame: &[u8], session: &[Record]) -> Result<Block, CodecError> {
    let mut block = Block::default();
    let (header, _, references) = Decoder::new().decode_parts(frame, &mut block)?;
    let references = references.expect("the frame refers to a session");
    complete(&header, &references, &mut block, |first, count, inputs, _| {
        let first = first as usize - 40;
        inputs.extend_from_slice(&session[first..first + count as usize]);
        Ok::<(), CodecError>(())
    })?;
    Ok(block)
}

/// The block from a session that gives what it has.
fn complete_short(frame: &[u8], session: &[Record]) -> Result<(), CodecError> {
    let mut block = Block::default();
    let (header, _, references) = Decoder::new().decode_parts(frame, &mut block)?;
    complete(&header, &references.unwrap(), &mut block, |_, _, inputs, _| {
        inputs.extend_from_slice(session);
        Ok::<(), CodecError>(())
    })
}

/// A frame that refers to a session is whole with it, useless without, and golden like the others.
#[test]
fn inputs_of_a_session_are_named_not_repeated() {
    let (block, references) = (specimen(), references());
    let frame = encode_referring(&block, &references);
    let session = block.inputs[2..6].to_vec();
    assert_eq!(decode_with(&frame, &session).unwrap(), block);
    assert!(matches!(decode(&frame), Err(CodecError::Refers { .. })));
    // What the records say is under the session's hash; their number and times are under the frame's.
    let shorter = complete_short(&frame, &session[..3]);
    assert!(matches!(shorter, Err(CodecError::Lane { lane: "input", .. })), "{shorter:?}");
    let golden = (647, "6388068731073efaa7f492d0c5a17a4fb44fdc93240e18cf0bf98023ddf85e58");
    assert_eq!((frame.len(), Hash::of(&frame).to_string().as_str()), golden);
}

/// Every prefix, and every byte of the references changed, is an error or decodes to as many inputs as promised.
#[test]
fn hostile_references_are_named() {
    let frame = encode_referring(&specimen(), &references());
    let sealed = |mut bytes: Vec<u8>| {
        let end = bytes.len() - HASH_LEN;
        let hash = Hash::of(&bytes[..end]);
        bytes[end..].copy_from_slice(&hash.0);
        bytes
    };
    let mut named = 0;
    for at in HEADER_LEN..HEADER_LEN + 44 + 36 {
        for value in [0, 1, 0x7f, 0xff] {
            let mut bytes = frame.clone();
            bytes[at] = value;
            let mut block = Block::default();
            match Decoder::new().decode_parts(&sealed(bytes), &mut block) {
                Err(CodecError::Lane { .. } | CodecError::TimeOrder { .. }) => named += 1,
                Err(error) => panic!("byte {at}: {error}"),
                Ok((header, _, references)) => {
                    let total: u32 = references.unwrap().runs.iter().map(|run| run.count()).sum();
                    assert_eq!(total, header.inputs);
                }
            }
        }
    }
    assert!(named > 50, "{named}");
}

//! A generated session written as generic CSV files and imported again has equal records.

use crate::common::market;
use onetape_engine::block::Block;
use onetape_engine::input::{Cold, Input};
use onetape_engine::num::{Price, Qty};
use onetape_engine::record::{Body, Record, TradeClass, flags};
use onetape_tape::import::MemorySink;
use onetape_tape::import::profile::{Profile, ProfileRequest, ProfileSource, read_profiles};
use onetape_tape::session::SessionReader;
use std::fmt::Write;
use std::path::Path;

fn recorded() -> MemorySink {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../replay-data/one-2d");
    let mut reader = SessionReader::open(&path).unwrap();
    let (mut sink, mut block) = (MemorySink::default(), Block::default());
    while reader.next_block(&mut block).unwrap() {
        for record in &block.inputs {
            let is_cold = record.kind().unwrap() == onetape_engine::record::Kind::Cold;
            let cold = is_cold.then(|| block.cold[record.body[0] as usize].clone());
            let cold = cold.filter(|cold| matches!(cold, Cold::Definition(_)));
            sink.inputs.push(Input { record: *record, cold });
        }
    }
    sink
}

fn ticks(sink: &MemorySink) -> Vec<(String, Record)> {
    let is_tick = |record: &Record| matches!(record.body(), Some(Body::Quote(_) | Body::Trade(_)));
    market(sink).into_iter().filter(|(_, record)| is_tick(record)).collect()
}

fn class_name(class: u8) -> String {
    let mut name = String::new();
    for c in format!("{:?}", TradeClass::from_wire(class)).chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}

/// The writer: quotes and trades in the columns of the generic profiles.
fn to_csv(records: &[(String, Record)]) -> [String; 2] {
    let mut quotes = "ts,event,symbol,bid,bid_size,ask,ask_size,sequence,venue,ask_venue,firm\n".to_string();
    let mut trades = "ts,event,symbol,price,size,trade_id,sequence,venue,side,class\n".to_string();
    for (symbol, record) in records {
        let Record { ts, ts_src, venue, .. } = record;
        match record.body().unwrap() {
            Body::Quote(q) => {
                let side = |bit, price: i64, size: i64| match record.has(bit) {
                    true => format!("{},{}", Price(price), Qty(size)),
                    false => ",".to_string(),
                };
                let (bid, ask) = (side(flags::BID, q.bid, q.bid_size), side(flags::ASK, q.ask, q.ask_size));
                let firm = u8::from(!record.has(flags::NON_FIRM));
                writeln!(
                    quotes,
                    "{ts},{ts_src},{symbol},{bid},{ask},{},{venue},{},{firm}",
                    q.sequence, q.ask_venue
                )
                .unwrap();
            }
            Body::Trade(t) => {
                let (price, size, class) = (Price(t.price), Qty(t.size), class_name(t.class));
                let (id, sequence, side) = (t.trade_id, t.sequence, char::from(t.aggressor));
                writeln!(
                    trades,
                    "{ts},{ts_src},{symbol},{price},{size},{id},{sequence},{venue},{side},{class}"
                )
                .unwrap();
            }
            _ => {}
        }
    }
    [quotes, trades]
}

#[test]
fn a_generated_session_survives_csv() {
    let recorded = recorded();
    let expected = ticks(&recorded);
    assert!(expected.len() > 300_000, "{} ticks", expected.len());
    let work = tempfile::tempdir().unwrap();
    let mut sources = Vec::new();
    for (name, text) in ["generic-quotes", "generic-trades"].into_iter().zip(to_csv(&expected)) {
        let path = work.path().join(format!("{name}.csv"));
        std::fs::write(&path, text).unwrap();
        sources.push(ProfileSource { profile: Profile::builtin(name).unwrap(), files: vec![path] });
    }
    let mut sink = MemorySink::default();
    let request = ProfileRequest { sources, ..ProfileRequest::default() };
    read_profiles(&request, work.path(), &mut sink, &mut |_| {}).unwrap();
    let found = ticks(&sink);
    assert_eq!(found.len(), expected.len());
    // Two files: at one instant quotes now precede trades, so each kind is compared in its own order.
    for is_quote in [true, false] {
        let of_kind = |records: &[(String, Record)]| -> Vec<(String, Record)> {
            records
                .iter()
                .filter(|(_, record)| record.as_quote().is_some() == is_quote)
                .map(|(symbol, record)| {
                    // Neither the numbers of instruments nor the raw conditions are in the file.
                    let body = match record.body().unwrap() {
                        Body::Quote(q) => Body::Quote(onetape_engine::record::Quote { condition: 0, ..q }),
                        Body::Trade(t) => Body::Trade(onetape_engine::record::Trade { condition: 0, ..t }),
                        body => body,
                    };
                    let plain = Record { instrument: 0, body: Record::new(head(), body).body, ..*record };
                    (symbol.clone(), plain)
                })
                .collect()
        };
        let (found, expected) = (of_kind(&found), of_kind(&expected));
        let differs = found.iter().zip(&expected).position(|(a, b)| a != b);
        if let Some(at) = differs {
            panic!("record {at}: found {:?}, expected {:?}", found[at], expected[at]);
        }
    }
}

fn head() -> onetape_engine::record::Head {
    onetape_engine::record::Head::at(onetape_engine::num::Nanos(0), onetape_engine::ids::InstrumentIx(0))
}

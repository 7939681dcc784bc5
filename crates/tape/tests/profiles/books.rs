//! Rows of books: levels one by one, and the best levels of both sides.

use onetape_engine::record::{Body, flags};
use onetape_tape::import::MemorySink;
use onetape_tape::import::profile::{Profile, read_bytes};

fn read(profile: &str, text: &str) -> Result<Vec<String>, String> {
    let mut sink = MemorySink::default();
    let profile = Profile::builtin(profile).unwrap();
    read_bytes(&profile, "book.csv", text.as_bytes(), &mut sink).map_err(|error| error.to_string())?;
    let side = |byte: u8| if byte == b'N' { String::new() } else { format!(" {}", char::from(byte)) };
    let describe = |record: &onetape_engine::record::Record| match record.body() {
        Some(Body::BookLevel(level)) => Some(format!(
            "{} {}{} {}x{}{}{}",
            record.ts / 1_000 % 1_000,
            char::from(level.action),
            side(level.side),
            level.price as f64 / 1e9,
            level.size as f64 / 1e9,
            if record.has(flags::SNAPSHOT) { " snapshot" } else { "" },
            if record.has(flags::LAST) { " last" } else { "" },
        )),
        _ => None,
    };
    Ok(sink.inputs.iter().filter_map(|input| describe(&input.record)).collect())
}

const L2: &str = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n";

#[test]
fn levels_of_one_message_are_one_event() {
    // Two instruments in one message are two events; a snapshot empties the book first.
    let rows = "deribit,BTC-PERPETUAL,1740061800000000,1740061800000100,true,bid,96000.5,10\n\
                deribit,BTC-PERPETUAL,1740061800000000,1740061800000100,true,ask,96001,20\n\
                deribit,BTC-PERPETUAL,1740061800000200,1740061800000300,false,bid,96000.5,0\n\
                deribit,BTC-PERPETUAL,1740061800000200,1740061800000300,false,bid,96000,7\n\
                deribit,ETH-PERPETUAL,1740061800000200,1740061800000300,false,ask,2700,1\n\
                deribit,BTC-PERPETUAL,1740061800000400,1740061800000200,true,bid,95999,1\n";
    assert_eq!(
        read("tardis-book-l2", &format!("{L2}{rows}")).unwrap(),
        [
            "100 R 0x0 snapshot",
            "100 S B 96000.5x10 snapshot",
            "100 S A 96001x20 snapshot last",
            "300 D B 96000.5x0",
            "300 S B 96000x7 last",
            "300 S A 2700x1 last",
            // The row's time goes back: it enters at that of the row before.
            "300 R 0x0 snapshot",
            "300 S B 95999x1 snapshot last",
        ]
    );
    for (rows, says) in [
        (
            "deribit,BTC-PERPETUAL,1740061800000000,1740061800000100,true,mid,96000.5,10\n",
            "column 'side': 'mid' is not a text of side.buy or side.sell",
        ),
        (
            "deribit,BTC-PERPETUAL,1740061800000000,1740061800000100,true,bid,,10\n",
            "column 'price': nothing is not a value",
        ),
    ] {
        let error = read("tardis-book-l2", &format!("{L2}{rows}")).unwrap_err();
        assert!(error.starts_with("book.csv, line 2: ") && error.contains(says), "{error}");
    }
}

#[test]
fn best_levels_become_what_changed() {
    let text = "ts,symbol,bid_0,bid_size_0,ask_0,ask_size_0,bid_1,bid_size_1,ask_1,ask_size_1\n\
                2025-02-20T14:30:00Z,SPY,600,1,601,2,599,3,602,4\n\
                2025-02-20T14:30:01Z,SPY,600.5,5,601,2,600,1,602,4\n\
                2025-02-20T14:30:02Z,SPY,600.5,5,601,2,600,1,602,4\n\
                2025-02-20T14:30:03Z,SPY,,,601,9,,,,\n";
    let found: Vec<String> = read("generic-book-snapshots", text)
        .unwrap()
        .into_iter()
        .map(|line| line.split_once(' ').unwrap().1.to_string())
        .collect();
    assert_eq!(
        found,
        [
            "R 0x0",
            "S B 600x1",
            "S B 599x3",
            "S A 601x2",
            "S A 602x4 last",
            "S B 600.5x5",
            "D B 599x0 last",
            "D B 600.5x0",
            "D B 600x0",
            "S A 601x9",
            "D A 602x0 last",
        ]
    );
    let bad = text.replace("600.5,5,601,2,600,1", "600,5,601,2,600.5,1");
    let error = read("generic-book-snapshots", &bad).unwrap_err();
    assert!(error.contains("line 3") && error.contains("bid levels are not in order"), "{error}");
    let error = read("generic-book-snapshots", &text.replace("bid_0", "bid0")).unwrap_err();
    assert!(error.contains("no column 'bid_0'"), "{error}");
}

#[test]
fn profiles_of_books_say_what_they_lack() {
    let text = onetape_tape::import::profile::builtin_text("generic-book-snapshots").unwrap();
    for (from, to, says) in [
        ("levels = 50", "levels = 0", "book.levels (1 to 100)"),
        ("bid = \"bid_{}?\"", "bid = \"bid\"", "names of levels hold {}"),
        ("record = \"book_snapshot\"", "record = \"quote\"", "book.levels (1 to 100) belongs to"),
    ] {
        let error = Profile::parse("mine.toml", &text.replace(from, to)).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn own_levels_and_snapshots_of_tardis_are_books() {
    let levels = "ts,symbol,side,price,size,snapshot\n\
                  2025-02-20T14:30:00Z,SPY,bid,600,3,1\n\
                  2025-02-20T14:30:00Z,SPY,ask,600.01,4,1\n\
                  2025-02-20T14:30:01Z,SPY,bid,600,0,0\n";
    assert_eq!(
        read("generic-book-levels", levels).unwrap(),
        ["0 R 0x0 snapshot", "0 S B 600x3 snapshot", "0 S A 600.01x4 snapshot last", "0 D B 600x0 last"]
    );
    let tardis = "exchange,symbol,timestamp,local_timestamp,asks[0].price,asks[0].amount,bids[0].price,\
                  bids[0].amount,asks[1].price,asks[1].amount,bids[1].price,bids[1].amount\n\
                  deribit,BTC-PERPETUAL,1740061800000000,1740061800000100,96001,20,96000.5,10,96002,1,96000,5\n\
                  deribit,BTC-PERPETUAL,1740061800000200,1740061800000300,96001,25,96000.5,10,96002,1,96000,5\n";
    assert_eq!(
        read("tardis-book-snapshots", tardis).unwrap(),
        [
            "100 R 0x0",
            "100 S B 96000.5x10",
            "100 S B 96000x5",
            "100 S A 96001x20",
            "100 S A 96002x1 last",
            "300 S A 96001x25 last",
        ]
    );
}

//! Several sources and files become one tape by the time their rows were knowable.

use crate::common::lines;
use onetape_tape::import::MemorySink;
use onetape_tape::import::profile::{Profile, ProfileRequest, ProfileSource, read_profiles};
use std::fs;

#[test]
fn quotes_and_trades_of_two_profiles_merge_with_their_delays() {
    let work = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = work.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let quotes = "ticker,ask_exchange,ask_price,ask_size,bid_exchange,bid_price,bid_size,sequence_number,sip_timestamp\n";
    let first =
        write("q1.csv", &format!("{quotes}O:SPY250221C00600000,2,1.3,20,1,1.2,10,1,1740061800000000000\n"));
    let second = write(
        "q2.csv",
        &format!(
            "{quotes}O:SPY250221C00600000,2,1.4,20,1,1.2,10,2,1740061800000000002\nO:QQQ250221C00500000,2,1,1,1,1,1,2,1740061800000000002\n"
        ),
    );
    let trades = write(
        "t.csv",
        "ticker,conditions,correction,exchange,price,sip_timestamp,size\n\
         O:SPY250221C00600000,209,0,312,1.27,1740061800000000000,4\n\
         O:SPY250221C00600000,209,0,312,1.27,1740061800000000001,4\n",
    );
    let profile = |name: &str, delay| Profile::builtin(name).unwrap().with_delay(delay);
    let request = ProfileRequest {
        sources: vec![
            ProfileSource { profile: profile("polygon-option-trades", 1), files: vec![trades] },
            ProfileSource { profile: profile("polygon-option-quotes", 0), files: vec![first, second] },
        ],
        symbols: vec!["SPY".to_string()],
        ..ProfileRequest::default()
    };
    let mut sink = MemorySink::default();
    read_profiles(&request, work.path(), &mut sink, &mut |_| {}).unwrap();
    assert_eq!(
        lines(&sink),
        [
            "14:30:00 SPY250221C00600000 quote 1.2x10 1.3x20 v1/2 #1 BA",
            "14:30:00.000000001<14:30:00 SPY250221C00600000 trade 1.27x4 Auto N c209 v312 id0 #0",
            "14:30:00.000000002<14:30:00.000000001 SPY250221C00600000 trade 1.27x4 Auto N c209 v312 id0 #0",
            "14:30:00.000000002 SPY250221C00600000 quote 1.2x10 1.4x20 v1/2 #2 BA",
        ]
    );
    assert_eq!((sink.source_records["quote"], sink.source_records["trade"]), (2, 2));
}

/// Open interest of a day's end is known on the next trading day, after a long weekend on Tuesday.
#[test]
fn open_interest_of_the_close_arrives_on_the_next_morning() {
    let text = onetape_tape::import::profile::builtin_text("optionmetrics-eod").unwrap();
    let profile = Profile::parse("mine.toml", &text.replace("start_of_day", "end_of_day")).unwrap();
    let csv = "date,symbol,exdate,cp_flag,strike_price,best_bid,best_offer,volume,open_interest\n\
               2024-01-12,SPY 240119C470000,2024-01-19,C,470000,9.4,9.5,120,4031\n\
               2024-01-16,SPY 240119C470000,2024-01-19,C,470000,9.0,9.1,10,4040\n";
    let sink = crate::common::read_with(&profile, csv.as_bytes()).unwrap();
    assert_eq!(
        lines(&sink),
        [
            "21:15:00 SPY240119C00470000 quote 9.4x1 9.5x1 v0/0 #0 BAs",
            "21:15:00 SPY240119C00470000 volume 120",
            "11:30:00 SPY240119C00470000 oi 4031",
            "21:15:00 SPY240119C00470000 quote 9x1 9.1x1 v0/0 #0 BAs",
            "21:15:00 SPY240119C00470000 volume 10",
            "11:30:00 SPY240119C00470000 oi 4040",
        ]
    );
}

//! The way of an order: exact event sequences under the realistic profile.

mod common;

use common::*;
use onetape_engine::order::{Package, TimeInForce};
use onetape_engine::record::{Phase, TradeClass, flags};

use Ask::{Cancel, Submit};
use When::{Ms, Quote};

fn buy(limit: &str, contracts: i64) -> Package {
    Package::limit(CALL, qty(contracts), price(limit))
}

#[test]
fn a_market_order_makes_a_round_trip_with_a_millisecond_each_way() {
    let run = play(
        |tape| {
            tape.at(10).quote(CALL, ("1.00", 20), ("1.10", 20));
            // Before arrival at 11: the book the order meets.
            tape.at(11).quote(CALL, ("1.05", 20), ("1.15", 20));
            // Its exchange time proves that 11 passed: arrival is matched on the state before it.
            tape.at(13).quote(CALL, ("2.00", 20), ("2.10", 20));
            tape.at(20).quote(CALL, ("2.00", 20), ("2.10", 20));
        },
        vec![(Quote(1), Submit(Package::market(CALL, qty(3))))],
    );
    expect(
        &run.story(),
        "10.000 submitted 0 by 0 qty 3
         10.000 risk 0 approves
         10.000 state 0 Submitted->Approved RiskApproved
         11.000 arrived 0 at 11.000 1.05/1.15
         11.000 executed 0 3@1.15 at 11.000 Taker
         13.000 state 0 Approved->Working VenueAck
         13.000 fill 0 3@1.15 fee 0.00
         13.000 state 0 Working->Filled Fill
         13.000 position 1 3 cost 345.00 realized 0.00
         13.000 cash -345.00 Trade = 99655.00",
    );
    assert_eq!(run.strategy(0).seen, ["13.000 order 0 Working", "13.000 fill 0 3@1.15"]);
}

#[test]
fn a_delayed_feed_reveals_arrivals_late_but_fills_at_venue_time() {
    let run = play(
        |tape| {
            tape.delay_ms = 5;
            tape.at(10).quote(CALL, ("1.00", 20), ("1.10", 20));
            // Exchange time 10: not beyond the arrival at 11.
            tape.at(15).quote(CALL, ("1.05", 20), ("1.15", 20));
            tape.at(17).quote(CALL, ("2.00", 20), ("2.10", 20));
            tape.at(30).quote(CALL, ("2.00", 20), ("2.10", 20));
        },
        vec![(Quote(1), Submit(Package::market(CALL, qty(3))))],
    );
    assert_eq!(run.strategy(0).seen, ["17.000 order 0 Working", "17.000 fill 0 3@1.15"]);
    assert!(run.story().contains("executed 0 3@1.15 at 11.000 Taker"), "{}", run.story());
}

#[test]
fn a_marketable_limit_takes_displayed_size_and_rests_with_the_rest() {
    let run = play(
        |tape| {
            tape.at(10).quote(CALL, ("1.00", 20), ("1.10", 4));
            tape.at(13).quote(CALL, ("1.00", 20), ("1.10", 4));
            // The same level repeated releases nothing; three more contracts release three.
            tape.at(14).quote(CALL, ("1.01", 20), ("1.10", 4));
            tape.at(15).quote(CALL, ("1.01", 20), ("1.10", 7));
            // The level left and came back.
            tape.at(16).quote(CALL, ("1.01", 20), ("1.20", 9));
            tape.at(17).quote(CALL, ("1.01", 20), ("1.10", 9));
            tape.at(30).tick();
        },
        vec![(Quote(1), Submit(buy("1.10", 10)))],
    );
    let story = run.story();
    let executed: Vec<&str> = story.lines().filter(|line| line.contains("executed")).collect();
    assert_eq!(
        executed,
        [
            "11.000 executed 0 4@1.10 at 11.000 Taker",
            "15.000 executed 0 3@1.10 at 15.000 Crossed",
            "17.000 executed 0 3@1.10 at 17.000 Crossed",
        ]
    );
}

/// A resting bid of 10 at 1.05 behind a market of 1.00 / 1.10, then one more record.
fn resting(next: impl FnOnce(&mut Tape)) -> Vec<String> {
    let run = play(
        |tape| {
            tape.at(10).quote(CALL, ("1.00", 20), ("1.10", 20));
            tape.at(13).quote(CALL, ("1.00", 20), ("1.10", 20));
            tape.at(20);
            next(tape);
            tape.at(40).tick();
        },
        vec![(Quote(1), Submit(buy("1.05", 10)))],
    );
    let story = run.story();
    story.lines().filter(|l| l.contains("executed")).map(|l| l[7..].to_string()).collect()
}

#[test]
fn resting_limits_fill_on_evidence_only() {
    let none: [&str; 0] = [];
    let regular = TradeClass::Regular;
    assert_eq!(
        resting(|t| {
            t.quote(CALL, ("1.00", 9), ("1.06", 9));
        }),
        none,
        "a quote above"
    );
    assert_eq!(
        resting(|t| {
            t.quote(CALL, ("1.00", 9), ("1.05", 9));
        }),
        ["executed 0 9@1.05 at 20.000 Crossed"],
        "the offer reaches the limit: displayed size, at the limit"
    );
    assert_eq!(
        resting(|t| {
            t.quote(CALL, ("1.00", 9), ("1.02", 30));
        }),
        ["executed 0 10@1.05 at 20.000 Crossed"],
        "an offer through the limit still pays the limit"
    );
    assert_eq!(
        resting(|t| {
            t.trade(CALL, "1.04", 6, regular);
        }),
        ["executed 0 6@1.05 at 20.000 PrintThrough"],
        "a print through it fills up to the print"
    );
    assert_eq!(
        resting(|t| {
            t.trade(CALL, "1.06", 60, regular);
        }),
        none,
        "a print above"
    );
    assert_eq!(
        resting(|t| {
            t.trade(CALL, "1.05", 6, regular);
        }),
        ["executed 0 6@1.05 at 20.000 PrintAt"],
        "nobody else displays 1.05: the print's whole size"
    );
    assert_eq!(
        resting(|t| {
            t.quote(CALL, ("1.05", 30), ("1.10", 9)).trade(CALL, "1.05", 6, regular);
        }),
        ["executed 0 1@1.05 at 20.000 PrintAt"],
        "pro rata: 6 × 10 / (30 + 10) = 1.5, rounded down"
    );
    assert_eq!(
        resting(|t| {
            t.quote(CALL, ("1.05", 30), ("1.10", 9));
        }),
        none,
        "a touch without a print"
    );
    assert_eq!(
        resting(|t| {
            t.quote(CALL, ("1.06", 30), ("1.10", 9)).trade(CALL, "1.05", 6, regular);
        }),
        none,
        "a print at the limit while a better bid is displayed"
    );
    assert_eq!(
        resting(|t| {
            t.bar(CALL, "1.00");
        }),
        none,
        "a bar is no print"
    );
    for class in [TradeClass::MultiLeg, TradeClass::Late, TradeClass::Cancel, TradeClass::StockTied] {
        assert_eq!(
            resting(|t| {
                t.trade(CALL, "1.00", 60, class);
            }),
            none,
            "{class:?}"
        );
    }
}

#[test]
fn books_that_are_no_market_fill_nothing() {
    let none: [&str; 0] = [];
    assert_eq!(
        resting(|t| {
            t.quote(CALL, ("1.06", 9), ("1.04", 9));
        }),
        none,
        "crossed"
    );
    assert_eq!(
        resting(|t| {
            t.quote_flagged(CALL, ("1.00", 9), ("1.04", 9), flags::NON_FIRM);
        }),
        none,
        "not firm"
    );
    assert_eq!(
        resting(|t| {
            t.status(CALL, 2).quote(CALL, ("1.00", 9), ("1.04", 9));
        }),
        none,
        "halted"
    );
    assert_eq!(
        resting(|t| {
            t.status(STOCK, 2).quote(CALL, ("1.00", 9), ("1.04", 9));
        }),
        none,
        "halted with its underlying"
    );
    assert_eq!(
        resting(|t| {
            t.status(CALL, 2).trade(CALL, "1.00", 9, TradeClass::Regular);
        }),
        none
    );
    assert_eq!(
        resting(|t| {
            t.quote(CALL, ("1.00", 9), ("0", 0));
        }),
        none,
        "explicit empty offer"
    );
    assert_eq!(
        resting(|t| {
            t.quote(CALL, ("1.04", 9), ("1.04", 9));
        }),
        ["executed 0 9@1.05 at 20.000 Crossed"],
        "locked markets trade"
    );
    assert_eq!(
        resting(|t| {
            t.quote(CALL, ("0", 0), ("1.04", 9));
        }),
        ["executed 0 9@1.05 at 20.000 Crossed"],
        "an explicit zero bid is a state: buys fill at the offer"
    );
}

#[test]
fn a_sell_rests_on_an_explicit_zero_bid_and_a_side_never_seen_fills_nothing() {
    let sell = || vec![(Quote(1), Submit(Package::market(CALL, qty(-1))))];
    let run = play(
        |tape| {
            tape.at(10).quote(CALL, ("0", 0), ("0.05", 9));
            tape.at(13).quote(CALL, ("0", 0), ("0.05", 9));
            tape.at(20).quote(CALL, ("0.02", 5), ("0.05", 9));
            tape.at(30).tick();
        },
        sell(),
    );
    assert!(run.story().contains("executed 0 -1@0.02 at 20.000 Taker"), "{}", run.story());
    let run = play(
        |tape| {
            tape.at(10).quote(CALL, ("", 0), ("0.05", 9));
            tape.at(13).quote(CALL, ("", 0), ("0.05", 9));
            tape.at(30).tick();
        },
        sell(),
    );
    assert_eq!(run.executed(0), qty(0));
}

#[test]
fn an_interval_feeds_quote_expires_after_its_hold() {
    let mut config = bare();
    config.risk.collar_fraction = None;
    let mut call = series(onetape_engine::instrument::Right::Call, 100);
    call.quote_hold_ns = Some(100 * MS);
    let mut tape = Tape::with(&config, vec![onetape_engine::instrument::InstrumentDef::equity("STK"), call]);
    tape.at(10).quote(CALL, ("1.00", 20), ("1.10", 20));
    tape.at(500).quote(STOCK, ("100.00", 1), ("100.01", 1));
    tape.at(600).quote(STOCK, ("100.00", 1), ("100.01", 1));
    let steps = vec![(Quote(2), Submit(Package::market(CALL, qty(1))))];
    let run = run(config, vec![Script::new(steps)], &tape);
    assert!(run.story().contains("arrived 0 at 501.000 0.00/0.00"), "{}", run.story());
    assert_eq!(run.executed(0), qty(0));
}

#[test]
fn immediate_or_cancel_takes_what_is_there_and_fill_or_kill_all_or_nothing() {
    let tape = |tape: &mut Tape| {
        tape.at(10).quote(CALL, ("1.00", 20), ("1.10", 4));
        tape.at(13).quote(CALL, ("1.00", 20), ("1.10", 4));
        tape.at(30).tick();
    };
    let run = play(tape, vec![(Quote(1), Submit(buy("1.10", 10).with_tif(TimeInForce::Ioc)))]);
    expect(
        &run.story(),
        "10.000 submitted 0 by 0 qty 10
         10.000 risk 0 approves
         10.000 state 0 Submitted->Approved RiskApproved
         11.000 arrived 0 at 11.000 1.00/1.10
         11.000 executed 0 4@1.10 at 11.000 Taker
         13.000 state 0 Approved->Working VenueAck
         13.000 fill 0 4@1.10 fee 0.00
         13.000 state 0 Working->PartiallyFilled Fill
         13.000 position 1 4 cost 440.00 realized 0.00
         13.000 cash -440.00 Trade = 99560.00
         13.000 state 0 PartiallyFilled->Cancelled IocRemainder",
    );
    let run = play(tape, vec![(Quote(1), Submit(buy("1.10", 10).with_tif(TimeInForce::Fok)))]);
    assert!(run.story().contains("Working->Cancelled FokUnfilled"), "{}", run.story());
    assert_eq!(run.executed(0), qty(0));
    let run = play(tape, vec![(Quote(1), Submit(buy("1.10", 4).with_tif(TimeInForce::Fok)))]);
    assert_eq!(run.executed(0), qty(4));
}

#[test]
fn day_orders_end_at_the_close_and_gtc_orders_live_over_nights() {
    let run = play(
        |tape| {
            tape.at(10).quote(STOCK, ("100.00", 20), ("100.10", 20));
            tape.at(13).quote(STOCK, ("100.00", 20), ("100.10", 20));
            tape.at(CLOSE_MS).phase(Phase::Close);
            // A late quote through both limits after the close fills nothing.
            tape.at(CLOSE_MS + 10).quote(STOCK, ("98.00", 20), ("98.10", 20));
            tape.at(DAY_MS).phase(Phase::Open);
            tape.at(DAY_MS + 10).quote(STOCK, ("98.00", 20), ("98.50", 20));
            tape.at(DAY_MS + 30).tick();
        },
        vec![
            (Quote(1), Submit(Package::limit(STOCK, qty(5), price("99.00")))),
            (Quote(1), Submit(Package::limit(STOCK, qty(6), price("99.00")).with_tif(TimeInForce::Gtc))),
        ],
    );
    let story = run.story();
    assert!(story.contains("state 0 Working->Expired DayEnd"), "{story}");
    let fills: Vec<&str> = story.lines().filter(|line| line.contains("executed")).collect();
    assert_eq!(fills, ["86400010.000 executed 1 6@99.00 at 86400010.000 Crossed"]);
}

#[test]
fn a_good_till_date_order_ends_at_its_instant() {
    let run = play(
        |tape| {
            tape.at(10).quote(CALL, ("1.00", 20), ("1.10", 20));
            tape.at(13).quote(CALL, ("1.00", 20), ("1.10", 20));
            tape.at(60).quote(CALL, ("0.80", 20), ("0.90", 20));
            tape.at(70).tick();
        },
        vec![(Quote(1), Submit(buy("1.05", 1).with_tif(TimeInForce::Gtd(at_ms(50)))))],
    );
    assert!(run.story().contains("51.000 state 0 Working->Expired DateReached"), "{}", run.story());
    assert_eq!(run.executed(0), qty(0));
}

#[test]
fn a_fill_overtakes_the_cancel() {
    let run = play(
        |tape| {
            tape.at(10).quote(CALL, ("1.00", 20), ("1.10", 20));
            tape.at(13).quote(CALL, ("1.00", 20), ("1.10", 20));
            // The cancel sent at 20 is under way when the offer comes down at 20.5's record.
            tape.at(21).quote(CALL, ("1.00", 20), ("1.04", 20));
            tape.at(30).quote(CALL, ("1.00", 20), ("1.04", 20));
        },
        vec![(Quote(1), Submit(buy("1.05", 2))), (Ms(20), Cancel(0))],
    );
    expect(
        run.story().split_once("timer 20\n").unwrap().1,
        "20.000 cancel 0
         20.000 state 0 Working->PendingCancel CancelRequested
         21.000 executed 0 2@1.05 at 21.000 Crossed
         22.000 fill 0 2@1.05 fee 0.00
         22.000 state 0 PendingCancel->Filled Fill
         22.000 position 1 2 cost 210.00 realized 0.00
         22.000 cash -210.00 Trade = 99790.00",
    );
}

#[test]
fn a_cancel_reaches_a_resting_order_and_one_still_under_way() {
    let tape = |tape: &mut Tape| {
        tape.at(10).quote(CALL, ("1.00", 20), ("1.10", 20));
        tape.at(15).quote(CALL, ("1.00", 20), ("1.10", 20));
        tape.at(30).quote(CALL, ("1.00", 20), ("1.04", 20));
        tape.at(40).tick();
    };
    let run = play(tape, vec![(Quote(1), Submit(buy("1.05", 2))), (Quote(2), Cancel(0))]);
    assert!(
        run.story().contains("30.000 state 0 PendingCancel->Cancelled VenueCancelled"),
        "{}",
        run.story()
    );
    // Sent half a latency after the order: both are under way, the order arrives first.
    let run = play(tape, vec![(Ms(12), Submit(buy("1.05", 2))), (Ms(13), Cancel(0))]);
    assert!(run.story().contains("state 0 PendingCancel->Cancelled VenueCancelled"), "{}", run.story());
    assert_eq!(run.executed(0), qty(0));
}

#[test]
fn an_order_cancelled_in_the_callback_that_submitted_it_never_leaves() {
    let run = play(
        |tape| {
            tape.at(10).quote(CALL, ("1.00", 20), ("1.10", 20));
            tape.at(20).quote(CALL, ("1.00", 20), ("1.10", 20));
        },
        vec![(Quote(1), Submit(Package::market(CALL, qty(1)))), (Quote(1), Cancel(0))],
    );
    expect(
        &run.story(),
        "10.000 submitted 0 by 0 qty 1
         10.000 cancel 0
         10.000 state 0 Submitted->Cancelled CancelRequested",
    );
}

#[test]
fn a_venue_reject_ends_an_order_whose_cancel_is_under_way() {
    let run = play(
        |tape| {
            tape.at(10).quote(CALL, ("1.00", 20), ("1.10", 20));
            // Halted before the order arrives; the cancel follows it.
            tape.at(11).status(CALL, 2);
            tape.at(12).quote(STOCK, ("100.00", 1), ("100.01", 1));
            tape.at(20).tick();
        },
        vec![(Quote(1), Submit(buy("1.05", 1))), (Ms(11), Cancel(0))],
    );
    let story = run.story();
    assert!(story.contains("PendingCancel->Rejected VenueRejected"), "{story}");
    assert!(!story.contains("illegal"), "{story}");
}

#[test]
fn an_order_that_arrives_after_its_series_stopped_trading_is_rejected() {
    let run = play(
        |tape| {
            tape.at(CLOSE_MS).quote(CALL, ("1.00", 20), ("1.10", 20));
            tape.at(CLOSE_MS + 30).quote(CALL, ("1.00", 20), ("1.10", 20));
            tape.at(CLOSE_MS + 60).tick();
        },
        vec![(Quote(1), Submit(Package::market(CALL, qty(1))))],
    );
    assert!(run.story().contains("Approved->Rejected VenueRejected"), "{}", run.story());
}

#[test]
fn two_orders_share_displayed_size_and_prints() {
    let run = play(
        |tape| {
            tape.at(10).quote(CALL, ("1.00", 20), ("1.10", 5));
            tape.at(13).quote(CALL, ("1.00", 20), ("1.10", 5));
            tape.at(20).trade(CALL, "1.00", 7, TradeClass::Auto);
            tape.at(30).tick();
        },
        vec![
            (Quote(1), Submit(buy("1.10", 4))),
            (Quote(1), Submit(buy("1.10", 4))),
            (Quote(1), Submit(buy("1.05", 5))),
        ],
    );
    assert_eq!((run.executed(0), run.executed(1), run.executed(2)), (qty(4), qty(4), qty(4)));
}

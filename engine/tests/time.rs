//! Time: when due entries run, phases at one instant, ticks, marks, the end of the tape.

mod common;

use common::*;
use onetape_engine::config::FeeSchedule;
use onetape_engine::order::{OrderState, Package};
use onetape_engine::record::Phase;

use Ask::{Note, Submit, Timer};
use When::{Fill, Ms, Quote};

fn lines_with(run: &Run, what: &str) -> Vec<String> {
    run.story().lines().filter(|line| line.contains(what)).map(str::to_string).collect()
}

#[test]
fn a_due_entry_runs_before_the_first_later_input_and_not_at_its_own_time() {
    let run = play(
        |tape| {
            tape.at(10).quote(STOCK, ("100.00", 1), ("100.01", 1));
            tape.at(50).quote(STOCK, ("100.00", 1), ("100.01", 1));
            tape.at(51).quote(STOCK, ("100.00", 1), ("100.01", 1));
        },
        vec![(Ms(50), Note("rang"))],
    );
    // Before the input at 51, as part of the log after the one at 50, at event time 50.
    assert_eq!(lines_with(&run, "rang"), ["50.000 note rang"]);
    let derived = run.derived();
    let note = derived.iter().find(|d| line(d).is_some_and(|l| l.contains("rang"))).unwrap();
    assert_eq!(note.after as usize, run.blocks[0].inputs.len() - 1);
}

#[test]
fn a_tick_runs_what_is_due_at_its_time() {
    let until = |ms: u64| {
        play(
            |tape| {
                tape.at(ms).tick();
            },
            vec![(Ms(50), Note("rang"))],
        )
        .story()
        .contains("rang")
    };
    assert!(!until(49));
    assert!(until(50));
}

#[test]
fn one_instant_runs_reports_then_timers_then_life_cycle_then_marks() {
    let mut config = bare();
    config.mark_interval_ns = 60_000 * MS;
    let run = play_with(
        config,
        |tape| {
            tape.at(CLOSE_MS - 2).quote(CALL, ("1.00", 20), ("1.10", 20));
            tape.quote(STOCK, ("101.00", 20), ("101.10", 20));
            tape.at(CLOSE_MS).quote(CALL, ("1.00", 20), ("1.10", 20));
            tape.at(CLOSE_MS + 1).tick();
        },
        vec![
            (Quote(1), Submit(Package::market(CALL, qty(1)))),
            (Quote(1), Submit(Package::limit(CALL, qty(1), price("0.50")))),
            (Ms(CLOSE_MS), Note("timer")),
        ],
    );
    let at_close: Vec<String> = lines_with(&run, &format!("{CLOSE_MS}.000"))
        .iter()
        .map(|line| line.split_whitespace().nth(1).unwrap().to_string())
        .collect();
    let position = |what: &str| at_close.iter().position(|line| line == what).unwrap();
    assert!(position("fill") < position("timer"), "{at_close:?}");
    assert!(position("timer") < position("mark"), "{at_close:?}");
    // The resting order ends with its series: the venue's report follows a latency later.
    assert!(run.story().contains("SeriesExpired"), "{}", run.story());
}

#[test]
fn timers_in_the_past_ring_before_the_next_later_input_and_in_order() {
    let run = play(
        |tape| {
            tape.at(100).quote(STOCK, ("100.00", 1), ("100.01", 1));
            tape.at(101).quote(STOCK, ("100.00", 1), ("100.01", 1));
        },
        vec![(Quote(1), Timer(7)), (Quote(1), Timer(3)), (Quote(1), Timer(100))],
    );
    assert_eq!(run.strategy(0).seen, ["100.000 timer 7", "100.000 timer 3", "100.000 timer 100"]);
}

#[test]
fn reports_of_one_order_come_in_order_even_from_a_feed_whose_clock_runs_ahead() {
    let config = bare();
    let mut tape = Tape::with_options(&config);
    tape.at(10).quote(CALL, ("1.00", 20), ("1.10", 20));
    tape.at(13).quote(CALL, ("1.00", 20), ("1.10", 20));
    tape.at(20).quote(CALL, ("1.00", 20), ("1.05", 1));
    // The crossing quote claims to happen 40 ms from now.
    tape.inputs.last_mut().unwrap().record.ts_src += 40 * MS;
    tape.at(21).quote(CALL, ("1.00", 20), ("1.10", 20));
    tape.at(90).tick();
    let steps =
        vec![(Quote(1), Submit(Package::limit(CALL, qty(5), price("1.05")))), (Quote(3), Ask::Cancel(0))];
    let run = run(config, vec![Script::new(steps)], &tape);
    assert!(!run.story().contains("illegal"), "{}", run.story());
    assert_eq!(run.orders()[0].state, OrderState::Cancelled);
    assert_eq!(run.orders()[0].filled.as_slice(), [qty(1)]);
}

#[test]
fn marks_follow_activity_and_close_the_session() {
    let mut config = bare();
    config.mark_interval_ns = 1_000 * MS;
    config.fees = FeeSchedule::Retail;
    let run = play_with(
        config,
        |tape| {
            tape.at(10).quote(CALL, ("1.00", 20), ("1.10", 20));
            tape.at(20).quote(CALL, ("1.00", 20), ("1.10", 20));
            tape.at(2_500).quote(CALL, ("1.20", 20), ("1.30", 20));
            tape.at(2_600).quote(CALL, ("1.40", 20), ("1.50", 20));
            tape.at(9_500).phase(Phase::Close);
        },
        vec![(Quote(1), Submit(Package::market(CALL, qty(2))))],
    );
    // 100,000 - 220 - 1.30 fee (0.65 each); equity at mid, liquidation at the bid.
    assert_eq!(
        lines_with(&run, "mark"),
        [
            "1000.000 mark equity 99988.70 liquidation 99978.70 requirement 0.00",
            "3000.000 mark equity 100068.70 liquidation 100058.70 requirement 0.00",
            "9500.000 mark equity 100068.70 liquidation 100058.70 requirement 0.00",
        ]
    );
    assert!(run.story().contains("cash -1.30 Fee"), "{}", run.story());
}

#[test]
fn a_minimum_fee_is_charged_once_over_partial_fills() {
    let mut config = bare();
    config.fees = FeeSchedule::Retail;
    let run = play_with(
        config,
        |tape| {
            tape.at(10).quote(CALL, ("1.00", 20), ("1.10", 1));
            tape.at(13).quote(CALL, ("1.00", 20), ("1.10", 2));
            tape.at(14).quote(CALL, ("1.00", 20), ("1.10", 3));
            tape.at(30).tick();
        },
        vec![(Quote(1), Submit(Package::market(CALL, qty(3))))],
    );
    let fees: Vec<String> = lines_with(&run, "fill").iter().map(|l| l[l.len() - 4..].to_string()).collect();
    assert_eq!(fees, ["1.00", "0.30", "0.65"]);
}

#[test]
fn the_end_books_reports_under_way_and_takes_no_further_order() {
    let run = play(
        |tape| {
            tape.at(10).quote(CALL, ("1.00", 20), ("1.10", 20));
            tape.at(11).quote(CALL, ("1.00", 20), ("1.10", 20));
            // Proves the arrival at 11; its report is due at 12, after the end.
            tape.at(12).quote(CALL, ("1.00", 20), ("1.10", 20));
            tape.end();
        },
        vec![
            (Quote(1), Submit(Package::market(CALL, qty(1)))),
            (Fill(1), Submit(Package::market(CALL, qty(-1)))),
        ],
    );
    assert_eq!(run.orders()[0].state, OrderState::Filled);
    assert!(run.story().contains("risk 1 refuses: Stopped"), "{}", run.story());
    assert!(run.kernel.is_finished());
}

#[test]
fn nothing_follows_the_end() {
    let config = bare();
    let mut tape = Tape::with_options(&config);
    tape.at(10).end();
    tape.at(11).tick();
    let error = try_run(config, vec![Script::default()], &tape.inputs).err().expect("the tape ended");
    assert!(matches!(error, onetape_engine::KernelError::Finished { .. }), "{error}");
}

#[test]
fn impossible_inputs_are_named_and_change_nothing() {
    use onetape_engine::KernelError::*;
    use onetape_engine::input::Cold;
    let config = bare();
    let reject = |change: &dyn Fn(&mut Tape)| {
        let mut tape = Tape::with_options(&config);
        tape.at(10).quote(STOCK, ("1", 1), ("2", 1));
        change(&mut tape);
        let bad = tape.inputs.pop().unwrap();
        let mut kernel = onetape_engine::Kernel::new(config.clone(), vec![Script::default()]);
        for input in &tape.inputs {
            kernel.apply(&input.record, input.cold.as_ref()).unwrap();
        }
        let (seq, inputs) = (kernel.seq(), kernel.inputs());
        let error = kernel.apply(&bad.record, bad.cold.as_ref()).unwrap_err();
        assert_eq!((kernel.seq(), kernel.inputs()), (seq, inputs), "{error}");
        error
    };
    assert!(matches!(
        reject(&|t| {
            t.at(9).tick();
        }),
        OutOfOrder { .. }
    ));
    let unknown = reject(&|t| {
        t.tick();
        t.inputs.last_mut().unwrap().record.kind = 99;
    });
    assert!(matches!(unknown, UnknownKind { kind: 99, .. }));
    let undefined = |t: &mut Tape| {
        t.quote(onetape_engine::ids::InstrumentIx(3), ("1", 1), ("2", 1));
    };
    assert!(matches!(reject(&undefined), UndefinedInstrument { instrument: 3, defined: 3, .. }));
    let twice = |t: &mut Tape| {
        let def = onetape_engine::instrument::InstrumentDef::equity("STK");
        t.cold(Cold::Definition(Box::new(def)));
    };
    assert!(matches!(reject(&twice), BadDefinition { .. }));
    let empty = |t: &mut Tape| {
        twice(t);
        t.inputs.last_mut().unwrap().cold = None;
    };
    assert!(matches!(reject(&empty), MissingPayload { .. }));
    let mut other = config.clone();
    other.seed += 1;
    let start = |t: &mut Tape| {
        t.cold(Cold::Start(Box::new(other.clone())));
    };
    assert!(matches!(reject(&start), OtherConfig { .. }));
}

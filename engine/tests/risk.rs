//! Pre-trade risk: every reject reason, position and buying power with open orders and groups.

mod common;

use common::*;
use onetape_engine::config::{BuyingPower, FeeSchedule, RunConfig};
use onetape_engine::event::{Event, RejectReason};
use onetape_engine::ids::{AccountIx, InstrumentIx, VenueIx};
use onetape_engine::instrument::{InstrumentDef, InstrumentKind, TickRule};
use onetape_engine::num::Money;
use onetape_engine::order::{Leg, OrderState, OrderType, Package, Trigger};
use onetape_engine::record::Phase;

use Ask::Submit;
use When::Quote;

/// The first refusal of a run.
fn refusal(run: &Run) -> Option<RejectReason> {
    run.events().iter().find_map(|event| match event {
        Event::Risk { refused, .. } => *refused,
        _ => None,
    })
}

fn refused(config: RunConfig, package: Package) -> Option<RejectReason> {
    refused_after(config, |_| {}, package)
}

fn refused_after(
    config: RunConfig,
    before: impl FnOnce(&mut Tape),
    package: Package,
) -> Option<RejectReason> {
    let tape = |tape: &mut Tape| {
        tape.at(5);
        before(tape);
        tape.at(10).quote(CALL, ("1.00", 20), ("1.10", 20));
        tape.at(20).tick();
    };
    let run = play_with(config, tape, vec![(Quote(1), Submit(package))]);
    let refused = refusal(&run);
    let is_rejected = run.orders()[0].state == OrderState::Rejected;
    assert_eq!(refused.is_some(), is_rejected, "the verdict decides the state");
    refused
}

fn limited(change: impl FnOnce(&mut RunConfig)) -> RunConfig {
    let mut config = bare();
    change(&mut config);
    config
}

#[test]
fn every_reason_has_its_order() {
    use RejectReason::{
        BadLegs, BadPrice, BadQuantity, BadTrigger, Halted, MarketClosed, MultiLegUnsupported, OrderQuantity,
        OrderValue, Position, PriceCollar, UnknownId,
    };
    let buy = |limit: &str| Package::limit(CALL, qty(1), price(limit));
    let leg = |ix, quantity| Leg { instrument: ix, quantity };
    let legs = |legs: Vec<Leg>| Package { legs: legs.into(), ..buy("1.00") };
    assert_eq!(refused(bare(), buy("1.00")), None);
    assert_eq!(refused(bare(), legs(vec![])), Some(BadLegs));
    assert_eq!(refused(bare(), legs(vec![leg(CALL, qty(1)); 9])), Some(BadLegs));
    assert_eq!(refused(bare(), legs(vec![leg(CALL, qty(1)), leg(PUT, qty(1))])), Some(MultiLegUnsupported));
    assert_eq!(refused(bare(), legs(vec![leg(CALL, qty(0))])), Some(BadQuantity));
    let half = onetape_engine::Qty(500_000_000);
    assert_eq!(refused(bare(), legs(vec![leg(CALL, half)])), Some(BadQuantity));
    assert_eq!(refused(bare(), legs(vec![leg(InstrumentIx(99), qty(1))])), Some(UnknownId));
    assert_eq!(refused(bare(), Package { account: AccountIx(1), ..buy("1.00") }), Some(UnknownId));
    assert_eq!(refused(bare(), Package { venue: VenueIx(1), ..buy("1.00") }), Some(UnknownId));
    for limit in ["0", "-1.00", "1.005", "3.01"] {
        assert_eq!(refused(bare(), buy(limit)), Some(BadPrice), "{limit}");
    }
    // Collar: the wider of 50 % and 1.00 around the opposite quote, 1.10.
    assert_eq!(refused(bare(), buy("2.10")), None);
    assert_eq!(refused(bare(), buy("2.11")), Some(PriceCollar));
    let ten = limited(|c| c.risk.order_quantity_max = Some(qty(10)));
    assert_eq!(refused(ten.clone(), Package::limit(CALL, qty(10), price("1.00"))), None);
    assert_eq!(refused(ten, Package::limit(CALL, qty(-11), price("1.00"))), Some(OrderQuantity));
    let held = limited(|c| c.risk.position_max = Some(qty(10)));
    assert_eq!(refused(held, Package::limit(CALL, qty(11), price("1.00"))), Some(Position));
    let shares = limited(|c| c.risk.shares_max = Some(qty(99)));
    assert_eq!(refused(shares, Package::market(STOCK, qty(100))), Some(Position));
    let halt = |tape: &mut Tape| {
        tape.status(STOCK, 2);
    };
    assert_eq!(refused_after(bare(), halt, buy("1.00")), Some(Halted));
    let close = |tape: &mut Tape| {
        tape.phase(Phase::Close);
    };
    assert_eq!(refused_after(bare(), close, buy("1.00")), Some(MarketClosed));
    let stop = OrderType::Stop(Trigger::at(price("0")));
    assert_eq!(refused(bare(), Package { order_type: stop, ..buy("1.00") }), Some(BadTrigger));
    let value = limited(|c| c.risk.order_value_max = Some(Money(100_000_000_000)));
    assert_eq!(refused(value.clone(), buy("1.00")), None);
    assert_eq!(refused(value, Package::market(CALL, qty(1))), Some(OrderValue));
    let poor = limited(|c| {
        c.risk.buying_power = BuyingPower::RegT;
        c.accounts[0].cash = Money(99_000_000_000);
    });
    assert_eq!(refused(poor, buy("1.00")), Some(RejectReason::BuyingPower));
}

#[test]
fn an_index_is_not_tradable_and_an_expired_series_is_closed() {
    let index =
        InstrumentDef { kind: InstrumentKind::Index, tick: TickRule::Free, ..InstrumentDef::equity("IX") };
    let config = bare();
    let mut tape = Tape::with(&config, vec![index]);
    tape.at(10).trade(STOCK, "5000", 1, onetape_engine::record::TradeClass::Regular);
    tape.at(20).tick();
    let steps = vec![(When::Ms(15), Submit(Package::market(STOCK, qty(1))))];
    let run = run(config, vec![Script::new(steps)], &tape);
    assert_eq!(refusal(&run), Some(RejectReason::NotTradable));

    let run = play(
        |tape| {
            tape.at(CLOSE_MS + 1).quote(CALL, ("1.00", 20), ("1.10", 20));
        },
        vec![(Quote(1), Submit(Package::market(CALL, qty(1))))],
    );
    assert_eq!(refusal(&run), Some(RejectReason::MarketClosed));
}

#[test]
fn the_order_rate_counts_a_second_of_event_time() {
    let config = limited(|c| c.risk.orders_per_second_max = Some(2));
    let order = || Submit(Package::limit(CALL, qty(1), price("1.00")));
    let run = play_with(
        config,
        |tape| {
            tape.at(10).quote(CALL, ("1.00", 20), ("1.10", 20));
            tape.at(1_009).quote(CALL, ("1.00", 20), ("1.10", 20));
            tape.at(1_010).quote(CALL, ("1.00", 20), ("1.10", 20));
            tape.at(2_000).tick();
        },
        vec![
            (Quote(1), order()),
            (Quote(1), order()),
            (Quote(1), order()),
            (Quote(2), order()),
            (Quote(3), order()),
        ],
    );
    let rejected: Vec<bool> = run.orders().iter().map(|o| o.state == OrderState::Rejected).collect();
    // The refused ones count as well: the strategy did send them.
    assert_eq!(rejected, [false, false, true, true, false]);
}

#[test]
fn position_limits_count_open_orders_of_the_same_direction() {
    let config = limited(|c| c.risk.position_max = Some(qty(10)));
    let order = |contracts| Submit(Package::limit(CALL, qty(contracts), price("1.00")));
    let run = play_with(
        config,
        |tape| {
            tape.at(10).quote(CALL, ("0.90", 20), ("1.10", 20));
            tape.at(20).quote(CALL, ("0.90", 20), ("1.10", 20));
            tape.at(30).tick();
        },
        // In one callback the first ones win; the other direction has its own sum.
        vec![(Quote(1), order(6)), (Quote(1), order(5)), (Quote(1), order(4)), (Quote(2), order(-10))],
    );
    let rejected: Vec<bool> = run.orders().iter().map(|o| o.state == OrderState::Rejected).collect();
    assert_eq!(rejected, [false, true, false, false]);
}

fn regt(cash: i64) -> RunConfig {
    let mut config = RunConfig { fees: FeeSchedule::Free, mark_interval_ns: 0, ..RunConfig::default() };
    config.accounts[0].cash = Money(i128::from(cash) * 1_000_000_000);
    config
}

/// Stock at 100, the call and the put at 2.00 / 2.10.
fn market(tape: &mut Tape) {
    tape.at(10).quote(STOCK, ("99.99", 500), ("100.01", 500));
    tape.quote(PUT, ("2.00", 50), ("2.10", 50));
    tape.quote(CALL, ("2.00", 50), ("2.10", 50));
    tape.at(20).quote(CALL, ("2.00", 50), ("2.10", 50));
    tape.at(30).tick();
}

fn verdicts(config: RunConfig, steps: Vec<(When, Ask)>) -> Vec<bool> {
    let run = play_with(config, market, steps);
    run.orders().iter().map(|order| order.state != OrderState::Rejected).collect()
}

#[test]
fn naked_shorts_need_their_requirement() {
    let short = || vec![(Quote(3), Submit(Package::market(CALL, qty(-1))))];
    // 20 % of 100 plus the premium's mid 2.05, less the 2.00 received: 2,005.
    assert_eq!(verdicts(regt(2_005), short()), [true]);
    assert_eq!(verdicts(regt(2_004), short()), [false]);
}

#[test]
fn a_far_limit_lends_no_money_to_other_orders() {
    // A sell at 900.00 would bring 90,000 if anybody paid it.
    let far = Submit(Package::limit(CALL, qty(-1), price("900.00")));
    let stock = Submit(Package::market(STOCK, qty(100)));
    assert_eq!(verdicts(regt(4_000), vec![(Quote(3), far), (Quote(3), stock)]), [true, false]);
}

#[test]
fn a_group_is_judged_whole_and_never_on_the_strength_of_a_refused_member() {
    let strangle = |call: Package| {
        vec![
            (Quote(3), Submit(Package::market(PUT, qty(-1)).in_group(1))),
            (Quote(3), Submit(call.in_group(1))),
        ]
    };
    let short_call = Package::market(CALL, qty(-1));
    // A straddle needs the larger side plus the other premium: 2,205 + 205 - 400 received.
    assert_eq!(verdicts(regt(2_010), strangle(short_call.clone())), [true, true]);
    assert_eq!(verdicts(regt(2_009), strangle(short_call)), [false, false]);
    // The member that fails its terms is gone before the others are judged.
    let off_tick = Package::limit(CALL, qty(-1), price("2.005"));
    assert_eq!(verdicts(regt(2_010), strangle(off_tick)), [true, false]);
    // Long stock covers the short call only as a member that is let through.
    let covered = |shares: i64| {
        vec![
            (Quote(3), Submit(Package::market(CALL, qty(-1)).in_group(2))),
            (Quote(3), Submit(Package::market(STOCK, qty(shares)).in_group(2))),
        ]
    };
    let mut config = regt(10_000);
    config.risk.shares_max = Some(qty(100));
    assert_eq!(verdicts(config.clone(), covered(100)), [true, true]);
    config.accounts[0].cash = Money(2_000_000_000_000);
    assert_eq!(verdicts(config, covered(101)), [false, false]);
}

#[test]
fn open_orders_count_and_free_their_power_when_they_end() {
    // Each purchase costs 190 of 300.
    let buy = || Submit(Package::limit(CALL, qty(1), price("1.90")));
    let run = play_with(
        regt(300),
        |tape| {
            market(tape);
            tape.at(40).quote(CALL, ("2.00", 50), ("2.10", 50));
        },
        vec![(Quote(3), buy()), (Quote(3), buy()), (Quote(4), Ask::Cancel(0)), (Quote(5), buy())],
    );
    let accepted: Vec<bool> = run.orders().iter().map(|o| o.state != OrderState::Rejected).collect();
    assert_eq!(accepted, [true, false, true]);
}

#[test]
fn positions_stay_closable_when_equity_is_short() {
    let mut config = regt(2_005);
    config.risk.buying_power = BuyingPower::RegT;
    let run = play_with(
        config,
        |tape| {
            market(tape);
            tape.at(40).quote(CALL, ("30.00", 50), ("30.50", 50));
            tape.at(60).quote(CALL, ("30.00", 50), ("30.50", 50));
            tape.at(70).tick();
        },
        vec![
            (Quote(3), Submit(Package::market(CALL, qty(-1)))),
            (Quote(5), Submit(Package::market(CALL, qty(1)))),
            (Quote(5), Submit(Package::market(CALL, qty(2)))),
        ],
    );
    let accepted: Vec<bool> = run.orders().iter().map(|o| o.state != OrderState::Rejected).collect();
    assert_eq!(accepted, [true, true, false]);
}

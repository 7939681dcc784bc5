//! `onetape audit state`.

use super::RunArg;
use super::books::{book, decimals};
use crate::Session;
use crate::failure::Failure;
use crate::report::{self, cents, count};
use crate::times::utc;
use clap::{Args, ValueEnum};
use onetape_journal::Point;
use onetape_session::audit::{AccountState, OpenOrder, StateAt, state_at};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  onetape audit state 3f2a --at 250000\n  onetape audit state 3f2a --at 2025-05-16T15:00:00Z --books all --json"
)]
pub(crate) struct StateArgs {
    #[command(flatten)]
    run: RunArg,
    /// Seq, UTC time (2025-05-16T15:00:00Z) or New York time ('2025-05-16 11:00'): the state once everything up to it was in the log.
    #[arg(long, value_name = "SEQ|TIME")]
    at: Point,
    /// Which books: of what is held or on order with its underlyings, or all that were quoted.
    #[arg(long, value_enum, default_value = "held")]
    books: Books,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Books {
    Held,
    All,
}

pub(crate) fn run(args: &StateArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let reader = args.run.open()?;
    let state = state_at(&reader, session.registry, args.at, args.books == Books::All)?;
    if session.json {
        report::json(&state)?;
    } else {
        print(&state);
    }
    Ok(0)
}

fn print(state: &StateAt) {
    report::line(&format!("state    after seq {}   {} UTC", count(state.seq), utc(state.ts)));
    state.accounts.iter().for_each(print_account);
    if state.orders.is_empty() {
        report::line("orders   none open");
    }
    state.orders.iter().for_each(print_order);
    for line in &state.books {
        let lines = report::wrapped("book    ", "           ", &book(line, state.ts));
        lines.iter().for_each(|line| report::line(line));
    }
}

fn print_account(account: &AccountState) {
    report::line(&format!(
        "account  {}   cash {}   equity {}   liquidation {}   margin {}",
        account.name,
        cents(account.cash),
        cents(account.equity),
        cents(account.liquidation),
        cents(account.requirement)
    ));
    report::line(&format!(
        "         realised {}   unrealised {}   fees {}",
        cents(account.realized),
        cents(account.unrealized),
        cents(account.fees)
    ));
    for position in &account.positions {
        report::line(&format!(
            "position {:<22} {:>8} at {:>9}  value {:>13}  unrealised {:>11}",
            position.symbol,
            position.quantity.to_string(),
            position.mark.to_string(),
            cents(position.value),
            cents(position.unrealized)
        ));
    }
}

fn print_order(order: &OpenOrder) {
    let legs = order.legs.iter().zip(&order.filled);
    let legs: Vec<String> =
        legs.map(|((symbol, quantity), filled)| format!("{quantity} {symbol} (filled {filled})")).collect();
    let terms = serde_json::json!({ "type": order.order_type, "tif": order.tif });
    report::line(&format!(
        "order    {:>3} {:<16} {}   {}   seq {}",
        order.order,
        decimals(&serde_json::json!(order.state)),
        legs.join(", "),
        decimals(&terms),
        count(order.submit_seq)
    ));
}

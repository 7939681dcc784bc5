//! Exchange sessions, holidays, half days and option expiry rules, as dated tables.
//!
//! ```text
//!  civil date ──> holidays ──> session(market, date) ──> open/close in UTC ns
//!  root, date ──> class table ──> expiry_times(class, expiry) ──> last trade, settlement, notice …
//!  wall time  ──> DayClock ──> UTC ns
//! ```
//!
//! ```
//! use onetape_calendar::{Zone, class, date, expiry_times};
//! let spx = class("SPX", date(2021, 1, 4))?;
//! let t = expiry_times(spx, date(2021, 1, 15))?;
//! assert_eq!(Zone::NewYork.date_at(t.last_trade_ns), date(2021, 1, 14)); // a.m. settled
//! # Ok::<(), onetape_calendar::Error>(())
//! ```
//!
//! For importers and the session generator; the engine never asks a calendar, it
//! receives sessions and expiry instants as inputs. Instants are `u64` UTC
//! nanoseconds, dates are [`Date`] (jiff's civil date), prices 1e-9 units.
//!
//! Zone data come from jiff's bundle, not from the machine.

mod class;
mod class_table;
mod error;
mod expiry;
mod holidays;
mod session;
mod zone;

pub use class::{ClassRow, Delivery, SettleAt, Style, TickClass, ValueSource, class, equity_class};
pub use error::Error;
pub use expiry::{
    Expiry, ExpiryTimes, act_365f, dte, expiry_times, monthly_expiry, stock_settlement_date, vix_expiry,
    weekly_expiry,
};
pub use holidays::{FIRST_DATE, LAST_DATE};
pub use jiff::civil::{Date, date};
pub use session::{Market, Session, next_session, previous_session, session, sessions};
pub use zone::{DayClock, NS_PER_S, Zone};

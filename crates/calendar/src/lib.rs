//! Exchange sessions, holidays, half days and option expiry rules, as dated tables.
//!
//! ```text
//!  civil date ──> holidays ──> session(market, date) ──> open/close in UTC ns
//!  root, date ──> class table ──> expiry_times(class, expiry) ──> last trade, settlement, notice …
//!  wall time  ──> DayClock ──> UTC ns
//! ```
//!
//! For importers and the session generator; the engine never asks a calendar, it
//! receives sessions and expiry instants as inputs. Instants are `u64` UTC
//! nanoseconds, dates are [`Date`] (jiff's civil date), prices 1e-9 units.
//!
//! Zone data come from jiff's bundle, not from the machine.

mod error;
mod holidays;
mod session;
mod zone;

pub use error::Error;
pub use holidays::{FIRST_DATE, LAST_DATE};
pub use jiff::civil::{Date, date};
pub use session::{Market, Session, next_session, previous_session, session, sessions};
pub use zone::{DayClock, NS_PER_S, Zone};

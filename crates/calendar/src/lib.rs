//! Exchange sessions, holidays, half days and expiry rules.

//! Running library code that may panic on damaged files.
//!
//! sled 0.34.7 panics on some damaged logs, when opening, reading and closing; parquet 60 on some
//! damaged metadata. Over a damaged file that is a finding, not a defect, so such calls run here:
//! the panic becomes a value and its message does not reach the terminal.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}
static HOOK: Once = Once::new();

/// Runs `operation`; a panic comes back as its message.
///
/// # Errors
/// The message of the panic.
pub fn guarded<T>(operation: impl FnOnce() -> T) -> Result<T, String> {
    HOOK.call_once(|| {
        let usual = take_hook();
        set_hook(Box::new(move |info| {
            if !IS_GUARDED.get() {
                usual(info);
            }
        }));
    });
    let was_guarded = IS_GUARDED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(operation));
    IS_GUARDED.set(was_guarded);
    result.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        text.unwrap_or_else(|| "unknown reason".to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message() {
        assert_eq!(guarded(|| 7), Ok(7));
        assert_eq!(guarded(|| -> i32 { panic!("bad page {}", 3) }), Err("bad page 3".to_string()));
    }
}

//! How the loop thread waits for what another thread sends.
//!
//! Waking a sleeping thread takes 15 to 50 µs on a virtual machine, and the thread that wakes it pays part of
//! that; a thread that keeps looking has the next event within a fraction of one. So while events come often the
//! loop thread looks again and again, for a bounded time after the last one, and sleeps when they are rare.

use crossbeam::channel::{Receiver, RecvTimeoutError, TryRecvError};
use std::hint::spin_loop;
use std::time::{Duration, Instant};

/// Longest time after an event for which the next one is looked for without sleeping.
const LOOK_MAX: Duration = Duration::from_millis(2);
/// Events at least so often on average are looked for, up to so many average gaps.
const GAP_MAX: Duration = Duration::from_millis(1);
const GAPS: u32 = 8;
/// Looks between two offers of the core to whoever else wants it.
const LOOKS: u32 = 32;

/// What a look found.
#[derive(Debug)]
pub(crate) enum Came<T> {
    /// The next one.
    Item(T),
    /// None yet.
    Nothing,
    /// The sender is gone, and all it sent is taken.
    Over,
}

/// The receiving end of a queue, on the loop thread.
#[derive(Debug)]
pub(crate) struct Intake<T> {
    queue: Receiver<T>,
    /// A single core belongs to whoever has something to do.
    may_spin: bool,
    last: Instant,
    /// Moving average of the time between items.
    gap: Duration,
}

impl<T> Intake<T> {
    pub(crate) fn new(queue: Receiver<T>) -> Intake<T> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Intake { queue, may_spin: cores > 1, last: Instant::now(), gap: Duration::MAX }
    }

    fn took(&mut self, item: T) -> Came<T> {
        let now = Instant::now();
        let gap = (now - self.last).min(2 * LOOK_MAX);
        self.gap = if self.gap == Duration::MAX { gap } else { (self.gap * 7 + gap) / 8 };
        self.last = now;
        Came::Item(item)
    }

    /// Takes the next one if it is there.
    pub(crate) fn look(&mut self) -> Came<T> {
        match self.queue.try_recv() {
            Ok(item) => self.took(item),
            Err(TryRecvError::Empty) => Came::Nothing,
            Err(TryRecvError::Disconnected) => Came::Over,
        }
    }

    /// Waits for the next one at most so long.
    pub(crate) fn wait(&mut self, wait: Duration) -> Came<T> {
        let until = Instant::now() + wait;
        if self.may_spin && self.gap <= GAP_MAX {
            let end = until.min(self.last + LOOK_MAX.min(self.gap * GAPS));
            let mut looks = 0u32;
            while Instant::now() < end {
                match self.look() {
                    Came::Nothing => {}
                    came => return came,
                }
                looks += 1;
                if looks.is_multiple_of(LOOKS) {
                    std::thread::yield_now();
                } else {
                    spin_loop();
                }
            }
        }
        match self.queue.recv_deadline(until) {
            Ok(item) => self.took(item),
            Err(RecvTimeoutError::Timeout) => Came::Nothing,
            Err(RecvTimeoutError::Disconnected) => Came::Over,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam::channel::bounded;

    #[test]
    fn everything_sent_comes_in_order_whether_it_is_looked_for_or_slept_for() {
        let (sender, queue) = bounded(4);
        let mut intake = Intake::new(queue);
        assert!(matches!(intake.look(), Came::Nothing));
        let source = std::thread::spawn(move || {
            for n in 0..2_000u32 {
                // Now and then a gap that is slept through, between stretches that are not.
                if n.is_multiple_of(500) {
                    std::thread::sleep(Duration::from_millis(6));
                }
                sender.send(n).unwrap();
            }
        });
        let mut found = Vec::new();
        loop {
            match intake.wait(Duration::from_millis(1)) {
                Came::Item(n) => found.push(n),
                Came::Nothing => {}
                Came::Over => break,
            }
        }
        source.join().unwrap();
        assert_eq!(found, (0..2_000).collect::<Vec<u32>>());
        assert!(matches!(intake.look(), Came::Over));
    }
}

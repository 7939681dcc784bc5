//! Nothing that is known at T depends on anything after T: recorded bars and sampled quotes, from
//! their files to the events of a run.
//!
//! For each source and several instants T:
//! - the first k inputs of the tape derive exactly the first events of the whole run;
//! - files cut to the rows that ended by T give exactly the inputs up to T, and the same events;
//! - files with every row after T changed do as well;
//! - every bar stands on the tape at its end, found here from the file's own stamps.

mod dbn;
mod lean;
mod probe;

use onetape_engine::event::Derived;
use onetape_engine::input::Input;
use onetape_engine::record::Kind;
use onetape_tape::import::MemorySink;
use probe::run;

/// What happens to the rows of a source that are known after T.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Future {
    /// They are there.
    Whole,
    /// They are cut off.
    Cut,
    /// They state other prices.
    Changed,
}

/// A source that can be read with another future.
trait Source {
    /// The inputs when rows known after `t` are treated as `future` says.
    fn inputs(&self, t: u64, future: Future) -> Vec<Input>;
}

fn is_market(input: &Input) -> bool {
    input.record.kind().is_some_and(Kind::is_market)
}

/// Holds a source to the law; `name` is printed with what was compared.
fn check(name: &str, source: &dyn Source) {
    let whole = source.inputs(u64::MAX, Future::Whole);
    let all = run(&whole);
    assert!(all.len() > whole.len() / 10, "{name}: the probe must act, {} events", all.len());
    let market: Vec<u64> =
        whole.iter().filter(|input| is_market(input)).map(|input| input.record.ts).collect();
    assert!(market.len() >= 8, "{name}: {} records", market.len());
    for permille in [50, 200, 500, 700, 900, 999] {
        let k = whole.len() * permille / 1000;
        is_prefix(&format!("{name}, first {k} inputs"), &run(&whole[..k]), &all);
    }
    let (mut cut_rows, mut changed_rows) = (0, 0);
    for permille in [100, 350, 600, 850] {
        let t = market[market.len() * permille / 1000];
        let known = up_to(&whole, t);
        for future in [Future::Cut, Future::Changed] {
            let other = source.inputs(t, future);
            let same = up_to(&other, t);
            let context = format!("{name} at {t}, future {future:?}");
            assert_eq!(same.len(), known.len(), "{context}");
            assert_eq!(same, known, "{context}");
            is_prefix(&context, &run(same), &all);
            match future {
                Future::Cut => cut_rows += whole.len() - other.len(),
                _ => changed_rows += whole.iter().zip(&other).filter(|(a, b)| a != b).count(),
            }
        }
    }
    assert!(cut_rows > 0 && changed_rows > 0, "{name}: the future must differ for the test to mean anything");
    println!(
        "{name}: {} inputs, {} events; futures cut {cut_rows}, changed {changed_rows} inputs",
        whole.len(),
        all.len()
    );
}

fn up_to(inputs: &[Input], t: u64) -> &[Input] {
    &inputs[..inputs.partition_point(|input| input.record.ts <= t)]
}

fn is_prefix(context: &str, part: &[Derived], whole: &[Derived]) {
    assert!(part.len() <= whole.len(), "{context}: {} events of {}", part.len(), whole.len());
    if let Some(at) = part.iter().zip(whole).position(|(a, b)| a != b) {
        panic!("{context}: event {at} is {:?}, of the whole run {:?}", part[at], whole[at]);
    }
}

/// Inputs of a sink; a definition's tick rule is kept out of the comparison by the sources themselves.
fn inputs(read: impl FnOnce(&mut MemorySink)) -> Vec<Input> {
    let mut sink = MemorySink::default();
    read(&mut sink);
    sink.inputs
}

//! The medium under a recording: which bytes and names are durable, and what a power cut leaves.
//!
//! The strict reading of POSIX: a write is durable after an `fsync` or `fdatasync` of its file, a
//! name after one of its folder. A failed sync makes its writes doubtful for good: the system
//! may have dropped the pages, and a later sync that succeeds says nothing about them.

use crate::recording::Op;
use crate::run::Rng;
use crate::trials::Counts;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const SECTOR: usize = 512;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Pending,
    /// A sync of it failed.
    Doubtful,
    Durable,
}

#[derive(Debug)]
enum Change<'a> {
    Write(usize, &'a [u8]),
    Truncate(usize),
}

#[derive(Debug, Clone)]
enum Naming {
    Create(String, usize),
    Mkdir(String),
    Rename(String, String),
    Unlink(String),
}

impl Naming {
    fn folder(&self) -> &str {
        let (Naming::Create(path, _) | Naming::Mkdir(path) | Naming::Rename(_, path) | Naming::Unlink(path)) =
            self;
        path.rsplit_once('/').map_or("", |(folder, _)| folder)
    }
}

/// A medium after some of a recording's calls.
#[derive(Debug, Default)]
pub struct Medium<'a> {
    files: Vec<Vec<(Change<'a>, State)>>,
    names: Vec<(Naming, State)>,
    /// What the running system sees.
    visible: BTreeMap<String, usize>,
    /// The seq that the writer was told is durable.
    pub committed: u64,
}

impl<'a> Medium<'a> {
    /// The medium after these calls.
    pub fn after(ops: &'a [Op]) -> Medium<'a> {
        let mut medium = Medium::default();
        for op in ops {
            medium.apply(op);
        }
        medium
    }

    fn name(&mut self, naming: Naming) {
        self.names.push((naming, State::Pending));
    }

    fn change(&mut self, path: &str, change: Change<'a>) {
        let file = *self.visible.get(path).expect("a file is created before it is written");
        self.files[file].push((change, State::Pending));
    }

    fn apply(&mut self, op: &'a Op) {
        match op {
            Op::Create(path) => {
                self.files.push(Vec::new());
                let file = self.files.len() - 1;
                self.visible.insert(path.clone(), file);
                self.name(Naming::Create(path.clone(), file));
            }
            Op::Mkdir(path) => self.name(Naming::Mkdir(path.clone())),
            Op::Write { path, offset, data } => self.change(path, Change::Write(*offset, data)),
            Op::Truncate { path, length } => self.change(path, Change::Truncate(*length)),
            Op::Rename { from, to } => {
                let file = self.visible.remove(from).expect("what is renamed is there");
                self.visible.insert(to.clone(), file);
                self.name(Naming::Rename(from.clone(), to.clone()));
            }
            Op::Unlink(path) => {
                self.visible.remove(path);
                self.name(Naming::Unlink(path.clone()));
            }
            Op::Sync { path, is_done } => self.sync(path, *is_done),
            Op::Committed(seq) => self.committed = *seq,
        }
    }

    fn sync(&mut self, path: &str, is_done: bool) {
        let reached = if is_done { State::Durable } else { State::Doubtful };
        let move_on = |state: &mut State| {
            if *state == State::Pending {
                *state = reached;
            }
        };
        match self.visible.get(path) {
            Some(file) => self.files[*file].iter_mut().for_each(|(_, state)| move_on(state)),
            None => {
                let of_folder = self.names.iter_mut().filter(|(naming, _)| naming.folder() == path);
                of_folder.for_each(|(_, state)| move_on(state));
            }
        }
    }

    /// Writes what a power cut leaves into `to`: of what is not durable about `percent`.
    pub fn cut(&self, to: &Path, percent: usize, rng: &mut Rng, counts: &mut Counts) {
        fs::create_dir_all(to).unwrap();
        let mut found: BTreeMap<&str, usize> = BTreeMap::new();
        let mut folders = vec!["runs"];
        for (naming, state) in &self.names {
            let is_kept = *state == State::Durable || rng.chance(percent);
            if *state != State::Durable {
                counts.tally(if is_kept { "names kept" } else { "names dropped" });
            }
            match naming {
                _ if !is_kept => {}
                Naming::Create(path, file) => drop(found.insert(path, *file)),
                Naming::Mkdir(path) => folders.push(path),
                Naming::Unlink(path) => drop(found.remove(path.as_str())),
                Naming::Rename(from, path) => {
                    if let Some(file) = found.remove(from.as_str()) {
                        found.insert(path, file);
                    }
                }
            }
        }
        // A folder whose name was lost takes what is in it along.
        let is_there = |path: &str| {
            let mut above = path.match_indices('/').map(|(at, _)| &path[..at]);
            above.all(|folder| folders.contains(&folder))
        };
        for folder in folders.iter().filter(|folder| is_there(folder)) {
            fs::create_dir_all(to.join(folder)).unwrap();
        }
        for (path, file) in found.into_iter().filter(|(path, _)| is_there(path)) {
            fs::write(to.join(path), self.content(file, percent, rng, counts)).unwrap();
        }
    }

    fn content(&self, file: usize, percent: usize, rng: &mut Rng, counts: &mut Counts) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (change, state) in &self.files[file] {
            let is_durable = *state == State::Durable;
            match change {
                Change::Write(offset, data) if is_durable => put(&mut bytes, *offset, data),
                Change::Write(offset, data) => tear(&mut bytes, *offset, data, percent, rng, counts),
                Change::Truncate(length) if is_durable || rng.chance(percent) => bytes.resize(*length, 0),
                Change::Truncate(_) => counts.tally("truncations dropped"),
            }
            if *state == State::Doubtful {
                counts.tally("writes under a failed sync");
            }
        }
        bytes
    }
}

fn put(bytes: &mut Vec<u8>, offset: usize, data: &[u8]) {
    if bytes.len() < offset + data.len() {
        bytes.resize(offset + data.len(), 0);
    }
    bytes[offset..offset + data.len()].copy_from_slice(data);
}

/// A write that was not durable: whole, gone, cut off, or any of its sectors; one may be garbage.
fn tear(bytes: &mut Vec<u8>, offset: usize, data: &[u8], percent: usize, rng: &mut Rng, counts: &mut Counts) {
    match rng.below(3) {
        0 if rng.chance(percent) => {
            put(bytes, offset, data);
            counts.tally("writes kept");
        }
        0 => counts.tally("writes dropped"),
        1 => {
            let end = rng.below(data.len() + 1);
            put(bytes, offset, &data[..end]);
            counts.tally("writes cut off");
        }
        _ => {
            // Sectors are the medium's, not the write's.
            let (mut at, mut kept) = (0, 0);
            let garbage = rng.chance(50);
            while at < data.len() {
                let end = (at + SECTOR - (offset + at) % SECTOR).min(data.len());
                if rng.chance(percent) {
                    put(bytes, offset + at, &data[at..end]);
                    kept += 1;
                } else if garbage && rng.chance(50) {
                    let noise: Vec<u8> = (at..end).map(|_| rng.next() as u8).collect();
                    put(bytes, offset + at, &noise);
                    counts.tally("sectors of garbage");
                }
                at = end;
            }
            counts.tally(if kept == 0 { "writes dropped" } else { "writes torn by sectors" });
        }
    }
}

/// The files as the medium holds them at a recording's end when one write, the `index`-th call,
/// never reached it, or reached the file `astray` bytes into it.
pub fn betrayed(ops: &[Op], index: usize, astray: Option<usize>, to: &Path) {
    let mut ops = ops.to_vec();
    match (&mut ops[index], astray) {
        (Op::Write { offset, .. }, Some(elsewhere)) => *offset = elsewhere,
        (Op::Write { data, .. }, None) => data.clear(),
        (other, _) => panic!("{other:?} is not a write"),
    }
    let medium = Medium::after(&ops);
    medium.cut(to, 100, &mut Rng(1), &mut Counts::default());
}

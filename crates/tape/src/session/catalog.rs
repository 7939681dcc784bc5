//! A folder of sessions, queried through their manifests alone.

use super::{MANIFEST_FILE, Manifest, Root, SessionError, SessionReader};
use onetape_engine::block::Block;
use onetape_engine::instrument::InstrumentKind;
use std::path::{Path, PathBuf};

/// Folders below the catalog's that are looked into.
const DEPTH: usize = 3;

/// A session of the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Folder.
    pub path: PathBuf,
    /// Its manifest.
    pub manifest: Manifest,
}

/// A folder with a manifest that cannot be read.
#[derive(Debug)]
pub struct Unreadable {
    /// Folder.
    pub path: PathBuf,
    /// Why.
    pub error: SessionError,
}

/// The sessions of a folder, ordered by first record, then by path.
#[derive(Debug, Default)]
pub struct Catalog {
    /// Sessions.
    pub entries: Vec<Entry>,
    /// Folders that look like sessions and are none this program reads.
    pub unreadable: Vec<Unreadable>,
}

/// What to look for; an empty query finds everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    /// Symbol, option root or underlying, in any case.
    pub symbol: Option<String>,
    /// First trade date, yyyymmdd.
    pub from: Option<u32>,
    /// Last trade date, yyyymmdd.
    pub to: Option<u32>,
    /// Kind of instrument.
    pub kind: Option<InstrumentKind>,
    /// Kind of record, for example `quote`.
    pub records: Option<String>,
}

impl Catalog {
    /// Reads the manifests below `dir`.
    ///
    /// # Errors
    /// The folder does not exist or cannot be listed.
    pub fn open(dir: &Path) -> Result<Catalog, SessionError> {
        if !dir.is_dir() {
            return Err(SessionError::NoCatalog { path: dir.to_path_buf() });
        }
        let mut catalog = Catalog::default();
        catalog.visit(dir, 0)?;
        catalog.entries.sort_by(|a, b| (a.manifest.first_ts, &a.path).cmp(&(b.manifest.first_ts, &b.path)));
        catalog.unreadable.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(catalog)
    }

    fn visit(&mut self, dir: &Path, depth: usize) -> Result<(), SessionError> {
        let manifest = dir.join(MANIFEST_FILE);
        if manifest.is_file() {
            let path = dir.to_path_buf();
            let text = std::fs::read(&manifest).map_err(SessionError::io("read", &manifest))?;
            match Manifest::from_json(&text, &manifest) {
                Ok(manifest) => self.entries.push(Entry { path, manifest }),
                Err(error) => self.unreadable.push(Unreadable { path, error }),
            }
            return Ok(());
        }
        if depth == DEPTH {
            return Ok(());
        }
        for entry in std::fs::read_dir(dir).map_err(SessionError::io("list", dir))? {
            let path = entry.map_err(SessionError::io("list", dir))?.path();
            let is_partial = path.extension().is_some_and(|extension| extension == "partial");
            if path.is_dir() && !is_partial {
                self.visit(&path, depth + 1)?;
            }
        }
        Ok(())
    }

    /// The sessions that match a query.
    pub fn find<'a>(&'a self, query: &'a Query) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().filter(move |entry| entry.matches(query))
    }

    /// Every symbol and underlying there is, for suggestions.
    pub fn symbols(&self) -> Vec<&str> {
        let roots = self.entries.iter().flat_map(|entry| &entry.manifest.roots);
        let mut symbols: Vec<&str> = roots
            .flat_map(|root| [Some(root.symbol.as_str()), root.underlying.as_deref()])
            .flatten()
            .collect();
        symbols.sort_unstable();
        symbols.dedup();
        symbols
    }
}

impl Entry {
    /// Whether the manifest meets every part of the query.
    pub fn matches(&self, query: &Query) -> bool {
        let manifest = &self.manifest;
        let is_named = |root: &Root| {
            query.symbol.as_ref().is_none_or(|wanted| {
                let names = [Some(&root.symbol), root.underlying.as_ref()];
                names.into_iter().flatten().any(|name| name.eq_ignore_ascii_case(wanted))
            })
        };
        let is_kind = |root: &Root| query.kind.is_none_or(|kind| root.kind == kind);
        let is_in_range =
            |date: &u32| query.from.is_none_or(|from| from <= *date) && query.to.is_none_or(|to| *date <= to);
        let has_root = (query.symbol.is_none() && query.kind.is_none())
            || manifest.roots.iter().any(|root| is_named(root) && is_kind(root));
        let has_date =
            (query.from.is_none() && query.to.is_none()) || manifest.trade_dates.iter().any(is_in_range);
        let has_records =
            query.records.as_ref().is_none_or(|kind| manifest.inputs_by_kind.contains_key(kind));
        has_root && has_date && has_records
    }

    /// Reads every block and data file and compares them with the manifest's hashes.
    ///
    /// # Errors
    /// What does not fit.
    pub fn verify(&self) -> Result<(), SessionError> {
        let mut reader = SessionReader::open(&self.path)?;
        let mut block = Block::default();
        while reader.next_block(&mut block)? {}
        for name in self.manifest.data_files.keys() {
            reader.file(name)?;
        }
        Ok(())
    }
}

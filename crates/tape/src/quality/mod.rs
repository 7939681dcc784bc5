//! What is wrong with recorded data: named findings, one detector, a report, a policy for importers.
//!
//! ```text
//!  session ──records──> Detector ──> QualityReport                     data check
//!  importer ─records──> Screen ── Detector ── keep | flag ──> session  data import
//!                                        └──── quarantine ──> quarantine.csv beside it
//! ```
//!
//! The detector looks back only: a record is judged by what was known before it, so that a screened
//! tape holds nothing from the future. Memory is a few hundred bytes an instrument.

mod detect;
mod policy;
mod prices;
mod report;
mod screen;

pub use detect::{Detector, Judgement};
pub use policy::{Action, Limits, Policies, PolicyError};
pub use report::{FindingReport, InstrumentReport, QualityReport, Sample, check_session};
pub(crate) use screen::QUARANTINE_HEADER;
pub use screen::{QUARANTINE_FILE, Screen};

/// A kind of doubt about a record or about the feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Finding {
    /// The bid stands above the ask.
    Crossed,
    /// The bid equals the ask.
    Locked,
    /// Only one side is quoted.
    OneSided,
    /// The quote stood without any update for more than half an hour of the session.
    Stale,
    /// No record of any instrument for longer than the feed's rhythm allows.
    Gap,
    /// No record of any instrument before the first or after the last of a session.
    Uncovered,
    /// The record repeats its predecessor: same source time, same content.
    Duplicate,
    /// The source time lies before that of the record before it.
    OutOfOrder,
    /// A price far from the median of the prices before it.
    Outlier,
    /// No market states this: a price of zero or less, a bar whose high is not its highest …
    Impossible,
    /// A quoted price that is no multiple of the instrument's tick.
    OffTick,
    /// A record after the series settled.
    AfterExpiry,
    /// A bar that mixes prices before and after a split.
    MixedSplit,
}

impl Finding {
    /// Every finding, in the order of reports.
    pub const ALL: [Finding; 13] = [
        Finding::Crossed,
        Finding::Locked,
        Finding::OneSided,
        Finding::Stale,
        Finding::Gap,
        Finding::Uncovered,
        Finding::Duplicate,
        Finding::OutOfOrder,
        Finding::Outlier,
        Finding::Impossible,
        Finding::OffTick,
        Finding::AfterExpiry,
        Finding::MixedSplit,
    ];

    /// Name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Finding::Crossed => "crossed",
            Finding::Locked => "locked",
            Finding::OneSided => "one_sided",
            Finding::Stale => "stale",
            Finding::Gap => "gap",
            Finding::Uncovered => "uncovered",
            Finding::Duplicate => "duplicate",
            Finding::OutOfOrder => "out_of_order",
            Finding::Outlier => "outlier",
            Finding::Impossible => "impossible",
            Finding::OffTick => "off_tick",
            Finding::AfterExpiry => "after_expiry",
            Finding::MixedSplit => "mixed_split",
        }
    }

    /// The finding of a name.
    pub fn from_name(name: &str) -> Option<Finding> {
        Finding::ALL.into_iter().find(|finding| finding.name() == name)
    }

    /// What its share is counted in.
    pub fn base(self) -> &'static str {
        match self {
            Finding::Crossed | Finding::Locked => "two-sided quotes",
            Finding::OneSided | Finding::Stale | Finding::OffTick => "quotes",
            Finding::Gap | Finding::Uncovered => "session seconds",
            Finding::Outlier => "prices",
            Finding::MixedSplit => "trade bars",
            Finding::Duplicate | Finding::OutOfOrder | Finding::Impossible | Finding::AfterExpiry => {
                "records"
            }
        }
    }

    /// Whether it condemns a record; the others describe the feed around it.
    pub fn is_of_record(self) -> bool {
        !matches!(self, Finding::OneSided | Finding::Stale | Finding::Gap | Finding::Uncovered)
    }
}

/// Several findings of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Findings(u16);

impl Findings {
    /// Adds a finding.
    #[inline]
    pub fn insert(&mut self, finding: Finding) {
        self.0 |= 1 << finding as u8;
    }

    /// Adds all of another set.
    #[inline]
    pub fn union(self, other: Findings) -> Findings {
        Findings(self.0 | other.0)
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether a finding is in the set.
    #[inline]
    pub fn contains(self, finding: Finding) -> bool {
        self.0 & 1 << finding as u8 != 0
    }

    /// The findings in the order of [`Finding::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Finding> {
        Finding::ALL.into_iter().filter(move |finding| self.contains(*finding))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_sets_agree_with_the_list() {
        for (place, finding) in Finding::ALL.into_iter().enumerate() {
            assert_eq!(finding as usize, place);
            assert_eq!(Finding::from_name(finding.name()), Some(finding));
        }
        let mut set = Findings::default();
        assert!(set.is_empty());
        set.insert(Finding::MixedSplit);
        set.insert(Finding::Locked);
        assert_eq!(set.iter().collect::<Vec<_>>(), [Finding::Locked, Finding::MixedSplit]);
        assert!(!set.contains(Finding::Crossed));
    }
}

//! What an importer does about a finding, and how much of one a check tolerates.

use super::Finding;

/// What happens to a record with a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It goes to the session as it is.
    Keep,
    /// It goes to the session marked non-firm: seen, but no evidence of a price.
    Flag,
    /// It goes to `quarantine.csv` beside the session instead.
    Quarantine,
}

impl Action {
    /// Name on the command line and in the manifest.
    pub fn name(self) -> &'static str {
        match self {
            Action::Keep => "keep",
            Action::Flag => "flag",
            Action::Quarantine => "quarantine",
        }
    }

    fn from_name(name: &str) -> Option<Action> {
        [Action::Keep, Action::Flag, Action::Quarantine].into_iter().find(|action| action.name() == name)
    }
}

/// A policy or limit that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Not `FINDING=VALUE`.
    #[error("'{text}' is not {expected}")]
    Form {
        /// What was given.
        text: String,
        /// What would be right.
        expected: &'static str,
    },
    /// No such finding.
    #[error("'{name}' is no finding; known: {known}")]
    Unknown {
        /// What was given.
        name: String,
        /// The findings there are.
        known: String,
    },
    /// The finding describes the feed, not a record.
    #[error(
        "'{name}' describes the feed, no single record can be flagged or quarantined for it: keep is all there is"
    )]
    Feed {
        /// The finding.
        name: &'static str,
    },
}

fn known_findings() -> String {
    Finding::ALL.map(Finding::name).join(", ")
}

fn split<'a>(text: &'a str, expected: &'static str) -> Result<(Finding, &'a str), PolicyError> {
    let (name, value) =
        text.split_once('=').ok_or_else(|| PolicyError::Form { text: text.to_string(), expected })?;
    let finding = Finding::from_name(name)
        .ok_or_else(|| PolicyError::Unknown { name: name.to_string(), known: known_findings() })?;
    Ok((finding, value))
}

/// An action for each finding.
///
/// The default drops only what no market can have stated (`impossible`) and marks what is known to
/// mislead (`mixed_split`); everything else is kept as recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policies([Action; Finding::ALL.len()]);

impl Default for Policies {
    fn default() -> Policies {
        let mut policies = Policies([Action::Keep; Finding::ALL.len()]);
        policies.0[Finding::Impossible as usize] = Action::Quarantine;
        policies.0[Finding::MixedSplit as usize] = Action::Flag;
        policies
    }
}

impl Policies {
    /// The action for a finding.
    pub fn of(&self, finding: Finding) -> Action {
        self.0[finding as usize]
    }

    /// Applies `FINDING=keep|flag|quarantine`.
    ///
    /// # Errors
    /// Another form, an unknown finding, or one that describes the feed.
    pub fn set(&mut self, text: &str) -> Result<(), PolicyError> {
        const EXPECTED: &str = "FINDING=keep|flag|quarantine, for example crossed=flag";
        let (finding, value) = split(text, EXPECTED)?;
        let action = Action::from_name(value)
            .ok_or_else(|| PolicyError::Form { text: text.to_string(), expected: EXPECTED })?;
        if action != Action::Keep && !finding.is_of_record() {
            return Err(PolicyError::Feed { name: finding.name() });
        }
        self.0[finding as usize] = action;
        Ok(())
    }

    /// The policies as one sentence for the manifest.
    pub fn sentence(&self) -> String {
        let of = |action: Action| {
            let names: Vec<&str> = Finding::ALL
                .into_iter()
                .filter(|finding| self.of(*finding) == action)
                .map(Finding::name)
                .collect();
            if names.is_empty() { "none".to_string() } else { names.join(", ") }
        };
        format!(
            "quality: quarantine {}; flag {}; keep {}",
            of(Action::Quarantine),
            of(Action::Flag),
            of(Action::Keep)
        )
    }
}

/// The share of each finding up to which data pass; `None` where a finding is told and never fails.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits([Option<f64>; Finding::ALL.len()]);

impl Default for Limits {
    fn default() -> Limits {
        Limits(Finding::ALL.map(|finding| match finding {
            Finding::OneSided | Finding::Stale | Finding::Uncovered => None,
            Finding::Impossible | Finding::MixedSplit => Some(0.0),
            Finding::Duplicate | Finding::Outlier | Finding::AfterExpiry => Some(0.000_1),
            Finding::Crossed => Some(0.001),
            Finding::Gap | Finding::OutOfOrder | Finding::OffTick => Some(0.01),
            Finding::Locked => Some(0.05),
        }))
    }
}

impl Limits {
    /// The limit of a finding.
    pub fn of(&self, finding: Finding) -> Option<f64> {
        self.0[finding as usize]
    }

    /// Applies `FINDING=SHARE` or `FINDING=none`.
    ///
    /// # Errors
    /// Another form or an unknown finding.
    pub fn set(&mut self, text: &str) -> Result<(), PolicyError> {
        const EXPECTED: &str =
            "FINDING=SHARE with a share from 0 to 1, or FINDING=none, for example crossed=0.001";
        let (finding, value) = split(text, EXPECTED)?;
        let limit = match value.parse::<f64>() {
            Ok(share) if (0.0..=1.0).contains(&share) => Some(share),
            _ if value == "none" => None,
            _ => return Err(PolicyError::Form { text: text.to_string(), expected: EXPECTED }),
        };
        self.0[finding as usize] = limit;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_policies_or_say_why_not() {
        let mut policies = Policies::default();
        policies.set("crossed=quarantine").unwrap();
        policies.set("impossible=keep").unwrap();
        assert_eq!(policies.of(Finding::Crossed), Action::Quarantine);
        assert_eq!(
            policies.sentence(),
            "quality: quarantine crossed; flag mixed_split; keep locked, one_sided, stale, gap, uncovered, \
             duplicate, out_of_order, outlier, impossible, off_tick, after_expiry"
        );
        for (text, part) in [
            ("crossed", "FINDING=keep"),
            ("x=keep", "known: crossed"),
            ("crossed=drop", "flag"),
            ("gap=flag", "feed"),
        ] {
            assert!(policies.set(text).unwrap_err().to_string().contains(part), "{text}");
        }
        let mut limits = Limits::default();
        limits.set("crossed=0.5").unwrap();
        limits.set("gap=none").unwrap();
        assert_eq!((limits.of(Finding::Crossed), limits.of(Finding::Gap)), (Some(0.5), None));
        for text in ["crossed=2", "crossed=-1", "crossed=NaN", "crossed=x", "crossed"] {
            assert!(limits.set(text).is_err(), "{text}");
        }
    }
}

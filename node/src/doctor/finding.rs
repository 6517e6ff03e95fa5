//! What a check has come to.

use serde::Serialize;

/// What a check has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Pass,
    Warn,
    Fail,
}

impl Verdict {
    /// How severe it is that something is not as it must be in production.
    pub(super) fn of_production(is_production: bool) -> Self {
        if is_production { Self::Fail } else { Self::Warn }
    }

    /// What somebody is told of something that must not be, and of something that had better not be.
    pub(super) fn when(fails: bool, warns: bool) -> Self {
        match (fails, warns) {
            (true, _) => Self::Fail,
            (false, true) => Self::Warn,
            (false, false) => Self::Pass,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One line of a report: what was found, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) check: &'static str,
    pub(super) verdict: Verdict,
    pub(super) found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) advice: Option<String>,
}

impl Finding {
    pub(super) fn pass(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Pass, found: found.into(), advice: None }
    }

    pub(super) fn warn(
        check: &'static str,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self::of(check, Verdict::Warn, found, advice)
    }

    pub(super) fn fail(
        check: &'static str,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self::of(check, Verdict::Fail, found, advice)
    }

    /// The advice is for those who need it.
    pub(super) fn of(
        check: &'static str,
        verdict: Verdict,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        let advice = (verdict != Verdict::Pass).then(|| advice.into());
        Self { check, verdict, found: found.into(), advice }
    }

    /// As people read it.
    pub(super) fn lines(&self) -> String {
        let Self { check, verdict, found, advice } = self;
        let line = format!("{}  {check:<14} {found}", verdict.word());
        match advice {
            Some(advice) => format!("{line}\n{:21}{advice}", ""),
            None => line,
        }
    }
}

/// An error with all of its causes, on one line.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut said = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !said.iter().any(|before| before.contains(&text)) {
            said.push(text);
        }
        cause = error.source();
    }
    said.join(": ")
}

//! What was found, and how it is written.

use serde_json::json;
use std::fmt::Write;

/// How good a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// As it should be.
    Good,
    /// The gateway works, and would do better otherwise.
    Warning,
    /// The gateway will not start, or not do what it is to do.
    Failure,
}

impl Verdict {
    fn as_str(self) -> &'static str {
        match self {
            Verdict::Good => "ok",
            Verdict::Warning => "warning",
            Verdict::Failure => "failed",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// What: a word or two.
    pub(super) about: &'static str,
    /// How good it is.
    pub(super) verdict: Verdict,
    /// How it is.
    pub(super) is: String,
    /// What to do about it; empty where nothing is to be done.
    pub(super) help: String,
}

impl Finding {
    pub(super) fn good(about: &'static str, is: impl Into<String>) -> Finding {
        Finding { about, verdict: Verdict::Good, is: is.into(), help: String::new() }
    }

    pub(super) fn warning(about: &'static str, is: impl Into<String>, help: impl Into<String>) -> Finding {
        Finding { about, verdict: Verdict::Warning, is: is.into(), help: help.into() }
    }

    pub(super) fn failure(about: &'static str, is: impl Into<String>, help: impl Into<String>) -> Finding {
        Finding { about, verdict: Verdict::Failure, is: is.into(), help: help.into() }
    }
}

/// For people: a line each, with what to do below.
pub(super) fn text(findings: &[Finding]) -> String {
    let mut text = String::new();
    for Finding { about, verdict, is, help } in findings {
        // Writing to memory can't fail, here and below.
        let _ = writeln!(text, "{:8} {about:17} {is}", verdict.as_str());
        if !help.is_empty() {
            let _ = writeln!(text, "{:26} help: {help}", "");
        }
    }
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let (failures, warnings) = (count(Verdict::Failure), count(Verdict::Warning));
    let _ = match (failures, warnings) {
        (0, 0) => writeln!(text, "\nthis host is fit for sluicegate"),
        _ => writeln!(text, "\n{failures} failed, {warnings} to be improved"),
    };
    text
}

/// One object with all of them.
pub(super) fn json(findings: &[Finding]) -> String {
    let one = |finding: &Finding| {
        json!({
            "about": finding.about,
            "verdict": finding.verdict.as_str(),
            "is": finding.is,
            "help": (!finding.help.is_empty()).then_some(&finding.help),
        })
    };
    let is_fit = findings.iter().all(|finding| finding.verdict < Verdict::Failure);
    format!("{:#}\n", json!({ "fit": is_fit, "findings": findings.iter().map(one).collect::<Vec<_>>() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_written_with_what_to_do() {
        let findings = [
            Finding::good("kernel", "6.18"),
            Finding::warning("open files", "at most 1024", "raise it"),
            Finding::failure("port 80", "taken", "stop the other"),
        ];
        let text = text(&findings);
        assert!(text.contains("ok       kernel"), "{text}");
        assert!(
            text.contains("help: raise it") && text.ends_with("\n1 failed, 1 to be improved\n"),
            "{text}"
        );
        let json: serde_json::Value = serde_json::from_str(&json(&findings)).unwrap();
        assert_eq!((&json["fit"], &json["findings"][2]["verdict"]), (&false.into(), &"failed".into()));
        assert!(json["findings"][0]["help"].is_null());
    }
}

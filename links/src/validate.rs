//! Checks the vCon against a profile, and does with one that breaks it what the operator chose.
//!
//! Only rule ids, places and the rules' own sentences leave this link: none of them quotes the document.

use std::fmt::Write as _;
use std::sync::Arc;

use async_trait::async_trait;
use conserver_core::config::coerce;
use conserver_core::link::{Link, LinkContext, LinkOutcome};
use conserver_core::registry::{BuildContext, LinkKind};
use conserver_core::vcon::validate::{Finding, Profile, Severity, validate};
use conserver_core::vcon::{BodyShape, DialogRef, NewAnalysis, Vcon};
use conserver_core::{Error, ErrorKind, Result, cpu};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::document::{needed, refused};

/// How many findings a message names; the rest are counted.
const NAMED: usize = 5;

/// The `type` and the `vendor` of the analysis that `annotate` adds.
const ANALYSIS: (&str, &str) = ("validation", "conserver");

/// Options of a validation.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ValidateOptions {
    /// Which rules: `ingest`, what a pipeline must be able to rely on, or `core-04`, all of
    /// draft-ietf-vcon-vcon-core-04, which few real vCons pass. Default `ingest`.
    pub profile: ProfileName,

    /// What becomes of a vCon that breaks a rule: `fail` makes it a dead letter, `halt` ends the chain, `tag` adds a tag and
    /// `annotate` an analysis with all findings, and both go on. Default `fail`.
    pub on_findings: OnFindings,

    /// Whether warnings count too, and not errors alone. Default `false`.
    #[serde(deserialize_with = "coerce::boolean")]
    #[schemars(with = "coerce::Boolean")]
    pub warnings: bool,

    /// The name of the tag that `tag` adds; its value is the profile. Default `invalid`.
    #[serde(deserialize_with = "coerce::text")]
    #[schemars(with = "coerce::Text")]
    pub tag: String,
}

impl Default for ValidateOptions {
    fn default() -> Self {
        Self {
            profile: ProfileName::default(),
            on_findings: OnFindings::default(),
            warnings: false,
            tag: "invalid".to_owned(),
        }
    }
}

/// The name of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
pub enum ProfileName {
    /// [`Profile::Ingest`].
    #[default]
    #[serde(rename = "ingest")]
    Ingest,
    /// [`Profile::Core04`].
    #[serde(rename = "core-04")]
    Core04,
}

impl ProfileName {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Core04 => "core-04",
        }
    }
}

impl From<ProfileName> for Profile {
    fn from(name: ProfileName) -> Self {
        match name {
            ProfileName::Ingest => Self::Ingest,
            ProfileName::Core04 => Self::Core04,
        }
    }
}

/// What becomes of a vCon that breaks a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFindings {
    /// A permanent error: a dead letter.
    #[default]
    Fail,
    /// The chain ends here.
    Halt,
    /// A tag.
    Tag,
    /// An analysis with all findings.
    Annotate,
}

/// The registry's entry.
#[derive(Debug)]
pub struct Validate;

impl LinkKind for Validate {
    const NAME: &'static str = "validate";
    const ALIASES: &'static [&'static str] = &["links.validate"];
    type Options = ValidateOptions;

    fn check(options: &ValidateOptions) -> Vec<String> {
        let is_nameless = options.on_findings == OnFindings::Tag && options.tag.is_empty();
        is_nameless.then(|| "`tag` is empty, and a tag needs a name".to_owned()).into_iter().collect()
    }

    fn build(options: ValidateOptions, cx: &BuildContext) -> Result<Arc<dyn Link>> {
        Ok(Arc::new(ValidateLink { options, shape: cx.body_shape }))
    }
}

/// Validates by these options.
#[derive(Debug)]
pub struct ValidateLink {
    options: ValidateOptions,
    shape: BodyShape,
}

impl ValidateLink {
    async fn findings(&self, vcon: &Vcon) -> Vec<Finding> {
        let (vcon, profile, warnings) = (vcon.clone(), self.options.profile.into(), self.options.warnings);
        let counts = move |finding: &Finding| warnings || finding.severity == Severity::Error;
        cpu::run_if(vcon.size(), move || {
            let own = own_analyses(&vcon);
            let is_own = |path: &str| {
                own.iter().any(|own| {
                    path.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                })
            };
            // What this link wrote itself is no reason to write more.
            let findings = validate(&vcon, profile).into_iter();
            findings.filter(|finding| counts(finding) && !is_own(&finding.path)).collect()
        })
        .await
    }

    /// Adds the findings, unless the vCon carries some of this profile. Those of a repeated run may differ: what is written
    /// in between gives old names up.
    fn annotate(&self, vcon: &mut Vcon, findings: &[Finding]) -> Result<()> {
        let profile = self.options.profile.as_str();
        let body = json!({"profile": profile, "findings": findings});
        let is_there = vcon.analysis().filter(is_own).any(|entry| {
            let text = entry.body().and_then(|body| body.json_text());
            let there = text.and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok());
            there.is_some_and(|there| there["profile"] == profile)
        });
        if is_there {
            return Ok(());
        }
        let (kind, vendor) = ANALYSIS;
        let dialogs = DialogRef::Many(vcon.dialog().map(|dialog| dialog.index()).collect());
        let analysis = NewAnalysis::new(kind, dialogs, vendor, body);
        vcon.add_analysis(analysis, self.shape).map_err(|error| refused(&error))
    }
}

#[async_trait]
impl Link for ValidateLink {
    async fn run(&self, _cx: &LinkContext, vcon: Option<Vcon>) -> Result<LinkOutcome> {
        let mut vcon = needed(vcon)?;
        let findings = self.findings(&vcon).await;
        if findings.is_empty() {
            return Ok(LinkOutcome::next(Some(vcon)));
        }
        let profile = self.options.profile.as_str();
        match self.options.on_findings {
            OnFindings::Fail => return Err(Error::new(ErrorKind::Invalid, summary(profile, &findings))),
            OnFindings::Halt => return Ok(LinkOutcome::halt(Some(vcon), summary(profile, &findings))),
            OnFindings::Tag => {
                vcon.add_tag(&self.options.tag, profile, self.shape).map_err(|error| refused(&error))?;
            }
            OnFindings::Annotate => self.annotate(&mut vcon, &findings)?,
        }
        Ok(LinkOutcome::next(Some(vcon)))
    }
}

fn is_own(entry: &conserver_core::vcon::Analysis<'_>) -> bool {
    entry.kind().as_deref() == Some(ANALYSIS.0) && entry.vendor().as_deref() == Some(ANALYSIS.1)
}

/// Where the analyses that this link wrote are, as JSON pointers.
fn own_analyses(vcon: &Vcon) -> Vec<String> {
    vcon.analysis().filter(is_own).map(|entry| format!("/analysis/{}", entry.index())).collect()
}

/// The first findings by rule and place, and how many more there are.
fn summary(profile: &str, findings: &[Finding]) -> String {
    let mut text = format!("the vCon breaks the profile `{profile}`:");
    for (at, finding) in findings.iter().take(NAMED).enumerate() {
        let comma = if at == 0 { "" } else { "," };
        let place = if finding.path.is_empty() { "the top" } else { &finding.path };
        write!(text, "{comma} `{}` at `{place}`", finding.rule).expect("a string takes everything");
    }
    if let Some(more @ 1..) = findings.len().checked_sub(NAMED) {
        write!(text, " and {more} more").expect("a string takes everything");
    }
    text
}

#[cfg(test)]
mod tests;

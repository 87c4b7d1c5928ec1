//! A link that fails on the first runs of a vCon.

use std::sync::Arc;

use async_trait::async_trait;
use conserver_core::link::{Link, LinkContext, LinkOutcome};
use conserver_core::registry::{BuildContext, LinkKind};
use conserver_core::vcon::Vcon;
use conserver_core::{Error, ErrorKind, Result};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::meant::Meant;

/// Options of `test.fail`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct FailOptions {
    /// Only vCons with this subject. Default: all.
    subject: Option<String>,
    /// On so many runs of each vCon. Default: on every run.
    runs: u32,
    /// How. Default: invalid.
    kind: FailKind,
}

impl Default for FailOptions {
    fn default() -> Self {
        Self { subject: None, runs: u32::MAX, kind: FailKind::Invalid }
    }
}

/// The kind of the error.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FailKind {
    /// Never heals.
    Invalid,
    /// May heal.
    Conflict,
    /// Somebody is away.
    Unavailable,
}

/// `test.fail`.
pub(crate) struct Fail {
    meant: Meant,
    runs: u32,
    kind: ErrorKind,
}

impl LinkKind for Fail {
    const NAME: &'static str = "test.fail";
    const ALIASES: &'static [&'static str] = &[];
    type Options = FailOptions;

    fn build(options: FailOptions, _cx: &BuildContext) -> Result<Arc<dyn Link>> {
        let kind = match options.kind {
            FailKind::Invalid => ErrorKind::Invalid,
            FailKind::Conflict => ErrorKind::Conflict,
            FailKind::Unavailable => ErrorKind::Unavailable,
        };
        let meant = Meant { subject: options.subject, ..Meant::default() };
        Ok(Arc::new(Self { meant, runs: options.runs, kind }))
    }
}

#[async_trait]
impl Link for Fail {
    async fn run(&self, cx: &LinkContext, vcon: Option<Vcon>) -> Result<LinkOutcome> {
        if cx.attempt < self.runs && vcon.as_ref().is_some_and(|vcon| self.meant.is(vcon)) {
            return Err(Error::new(self.kind, "this link fails on purpose"));
        }
        Ok(LinkOutcome::next(vcon))
    }
}

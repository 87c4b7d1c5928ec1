//! Links that take their time, or all of it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use conserver_core::Result;
use conserver_core::link::{Link, LinkContext, LinkOutcome};
use conserver_core::registry::{BuildContext, LinkKind};
use conserver_core::vcon::Vcon;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::meant::Meant;

/// `test.block`.
pub(crate) struct Block(Meant);

impl LinkKind for Block {
    const NAME: &'static str = "test.block";
    const ALIASES: &'static [&'static str] = &[];
    type Options = Meant;

    fn build(options: Meant, _cx: &BuildContext) -> Result<Arc<dyn Link>> {
        Ok(Arc::new(Self(options)))
    }
}

#[async_trait]
impl Link for Block {
    async fn run(&self, _cx: &LinkContext, vcon: Option<Vcon>) -> Result<LinkOutcome> {
        if vcon.as_ref().is_some_and(|vcon| self.0.is(vcon)) {
            loop {
                std::thread::park();
            }
        }
        Ok(LinkOutcome::next(vcon))
    }
}

/// `test.hang`.
pub(crate) struct Hang(Meant);

impl LinkKind for Hang {
    const NAME: &'static str = "test.hang";
    const ALIASES: &'static [&'static str] = &[];
    type Options = Meant;

    fn build(options: Meant, _cx: &BuildContext) -> Result<Arc<dyn Link>> {
        Ok(Arc::new(Self(options)))
    }
}

#[async_trait]
impl Link for Hang {
    async fn run(&self, _cx: &LinkContext, vcon: Option<Vcon>) -> Result<LinkOutcome> {
        if vcon.as_ref().is_some_and(|vcon| self.0.is(vcon)) {
            std::future::pending::<()>().await;
        }
        Ok(LinkOutcome::next(vcon))
    }
}

/// Options of `test.wait`. Shared ones are repeated: flattening would hide which keys are known.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct WaitOptions {
    /// Only vCons with this subject. Default: all.
    subject: Option<String>,
    /// How long, in seconds.
    seconds: f64,
}

/// `test.wait`.
pub(crate) struct Wait {
    meant: Meant,
    time: Duration,
}

impl LinkKind for Wait {
    const NAME: &'static str = "test.wait";
    const ALIASES: &'static [&'static str] = &[];
    type Options = WaitOptions;

    fn build(options: WaitOptions, _cx: &BuildContext) -> Result<Arc<dyn Link>> {
        let meant = Meant { subject: options.subject, ..Meant::default() };
        Ok(Arc::new(Self { meant, time: Duration::from_secs_f64(options.seconds) }))
    }
}

#[async_trait]
impl Link for Wait {
    async fn run(&self, _cx: &LinkContext, vcon: Option<Vcon>) -> Result<LinkOutcome> {
        if vcon.as_ref().is_some_and(|vcon| self.meant.is(vcon)) {
            tokio::time::sleep(self.time).await;
        }
        Ok(LinkOutcome::next(vcon))
    }
}

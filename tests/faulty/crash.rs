//! Links that crash: the process, or only themselves.

use std::sync::Arc;

use async_trait::async_trait;
use conserver_core::Result;
use conserver_core::link::{Link, LinkContext, LinkOutcome};
use conserver_core::registry::{BuildContext, LinkKind};
use conserver_core::vcon::Vcon;

use crate::meant::Meant;

/// `test.abort`.
pub(crate) struct Abort(Meant);

impl LinkKind for Abort {
    const NAME: &'static str = "test.abort";
    const ALIASES: &'static [&'static str] = &[];
    type Options = Meant;

    fn build(options: Meant, _cx: &BuildContext) -> Result<Arc<dyn Link>> {
        Ok(Arc::new(Self(options)))
    }
}

#[async_trait]
impl Link for Abort {
    async fn run(&self, _cx: &LinkContext, vcon: Option<Vcon>) -> Result<LinkOutcome> {
        if vcon.as_ref().is_some_and(|vcon| self.0.is(vcon)) {
            std::process::abort();
        }
        Ok(LinkOutcome::next(vcon))
    }
}

/// `test.panic`.
pub(crate) struct Panic(Meant);

impl LinkKind for Panic {
    const NAME: &'static str = "test.panic";
    const ALIASES: &'static [&'static str] = &[];
    type Options = Meant;

    fn build(options: Meant, _cx: &BuildContext) -> Result<Arc<dyn Link>> {
        Ok(Arc::new(Self(options)))
    }
}

#[async_trait]
impl Link for Panic {
    async fn run(&self, _cx: &LinkContext, vcon: Option<Vcon>) -> Result<LinkOutcome> {
        assert!(!vcon.as_ref().is_some_and(|vcon| self.0.is(vcon)), "this link panics on purpose");
        Ok(LinkOutcome::next(vcon))
    }
}

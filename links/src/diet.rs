//! Takes out of a vCon what need not be kept: media, analyses, attachments, prompts.
//!
//! What stays keeps its bytes. A body is only ever removed because the options say so; one that was to be kept elsewhere
//! and could not be put there is an error, and the vCon stays whole.

mod options;
mod slim;

use std::sync::Arc;

use async_trait::async_trait;
use conserver_core::link::{Link, LinkContext, LinkOutcome};
use conserver_core::registry::{BuildContext, LinkKind};
use conserver_core::vcon::Vcon;
use conserver_core::{Result, cpu};

use crate::document::needed;

pub use options::DietOptions;

/// The registry's entry.
#[derive(Debug)]
pub struct Diet;

impl LinkKind for Diet {
    const NAME: &'static str = "diet";
    const ALIASES: &'static [&'static str] = &["links.diet"];
    type Options = DietOptions;

    fn check(options: &DietOptions) -> Vec<String> {
        options.problems()
    }

    fn build(options: DietOptions, _cx: &BuildContext) -> Result<Arc<dyn Link>> {
        options.refuse_offload()?;
        Ok(Arc::new(DietLink { options: Arc::new(options) }))
    }
}

/// Slims by these options.
#[derive(Debug)]
pub struct DietLink {
    options: Arc<DietOptions>,
}

#[async_trait]
impl Link for DietLink {
    async fn run(&self, _cx: &LinkContext, vcon: Option<Vcon>) -> Result<LinkOutcome> {
        let vcon = needed(vcon)?;
        let options = Arc::clone(&self.options);
        let slimmed = cpu::run_if(vcon.size(), move || slim::slim(vcon, &options)).await?;
        Ok(LinkOutcome::next(Some(slimmed)))
    }
}

#[cfg(test)]
mod tests;

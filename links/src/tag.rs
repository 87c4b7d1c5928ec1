//! Adds tags to the vCon's tags attachment, which is made if there is none.
//!
//! A tag is there once: what is there already is not added again, so a repeated run changes nothing.

mod options;

use std::sync::Arc;

use async_trait::async_trait;
use conserver_core::Result;
use conserver_core::link::{Link, LinkContext, LinkOutcome};
use conserver_core::registry::{BuildContext, LinkKind};
use conserver_core::vcon::{BodyShape, Vcon};

use crate::document::{needed, refused};

pub use options::{TagOptions, Tags};

/// The registry's entry.
#[derive(Debug)]
pub struct Tag;

impl LinkKind for Tag {
    const NAME: &'static str = "tag";
    const ALIASES: &'static [&'static str] = &["links.tag"];
    type Options = TagOptions;

    fn check(options: &TagOptions) -> Vec<String> {
        options.problems()
    }

    fn build(options: TagOptions, cx: &BuildContext) -> Result<Arc<dyn Link>> {
        let tags = options.tags.0.into_iter().filter(|(name, _)| !name.is_empty()).collect();
        Ok(Arc::new(TagLink { tags, shape: cx.body_shape }))
    }
}

/// Adds these tags.
#[derive(Debug)]
pub struct TagLink {
    tags: Vec<(String, String)>,
    shape: BodyShape,
}

#[async_trait]
impl Link for TagLink {
    async fn run(&self, _cx: &LinkContext, vcon: Option<Vcon>) -> Result<LinkOutcome> {
        let mut vcon = needed(vcon)?;
        if !self.tags.is_empty() {
            vcon.add_tags(&self.tags, self.shape).map_err(|error| refused(&error))?;
        }
        Ok(LinkOutcome::next(Some(vcon)))
    }
}

#[cfg(test)]
mod tests;

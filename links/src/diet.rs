//! Takes out of a vCon what need not be kept: media, analyses, attachments, prompts.
//!
//! What stays keeps its bytes. A body is only ever removed because the options say so; one that was to be kept elsewhere
//! and could not be put there is an error, and the vCon stays whole.

mod media;
mod options;
mod slim;

use std::sync::Arc;

use async_trait::async_trait;
use conserver_core::event::MediaPostFailed;
use conserver_core::link::{Link, LinkContext, LinkInfo, LinkOutcome};
use conserver_core::registry::{BuildContext, LinkKind};
use conserver_core::vcon::Vcon;
use conserver_core::{Result, cpu};
use conserver_http::HttpClient;

use crate::document::needed;
use media::MediaStore;

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
        let address = options.post_media_to_url.clone().filter(|_| options.remove_dialog_body);
        let client = || HttpClient::new(options.post_media_timeout, None);
        let store = address.map(|to| MediaStore::new(to, client()));
        Ok(Arc::new(DietLink { options: Arc::new(options), store }))
    }
}

/// Slims by these options.
#[derive(Debug)]
pub struct DietLink {
    options: Arc<DietOptions>,
    store: Option<MediaStore>,
}

#[async_trait]
impl Link for DietLink {
    /// A checkpoint where bodies are put elsewhere: once they are gone, nobody puts them there again.
    fn info(&self) -> LinkInfo {
        match &self.store {
            Some(_) => LinkInfo::default().with_checkpoint().taking(self.options.post_media_timeout),
            None => LinkInfo::default(),
        }
    }

    async fn run(&self, cx: &LinkContext, vcon: Option<Vcon>) -> Result<LinkOutcome> {
        let mut vcon = needed(vcon)?;
        if let Some(store) = &self.store {
            let failed = |_: &_| MediaPostFailed { link: &cx.link }.emit();
            vcon = store.put_all(vcon).await.inspect_err(failed)?;
        }
        let options = Arc::clone(&self.options);
        let slimmed = cpu::run_if(vcon.size(), move || slim::slim(vcon, &options)).await?;
        Ok(LinkOutcome::next(Some(slimmed)))
    }
}

#[cfg(test)]
mod tests;

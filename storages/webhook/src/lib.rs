//! Hands vCons to receivers that speak HTTP, as the Python server does.
//!
//! What is sent and what an answer means is in `conserver-http`, which the link of the same name shares. A receiver that
//! answered 2xx has the vCon; it gives none back and deletes none.

use std::sync::Arc;

use async_trait::async_trait;
use conserver_core::event::RefusalPassedOver;
use conserver_core::registry::{BuildContext, StorageKind};
use conserver_core::storage::{Storage, StorageInfo};
use conserver_core::vcon::{Vcon, VconId, View};
use conserver_core::{Error, ErrorKind, Result};
use conserver_http::webhook;

pub use conserver_http::webhook::WebhookOptions;

/// The registry's entry.
#[derive(Debug)]
pub struct Webhook;

impl StorageKind for Webhook {
    const NAME: &'static str = "webhook";
    const ALIASES: &'static [&'static str] = &["storage.webhook"];
    type Options = WebhookOptions;

    fn check(options: &WebhookOptions) -> Vec<String> {
        options.problems()
    }

    fn build(options: WebhookOptions, cx: &BuildContext) -> Result<Arc<dyn Storage>> {
        Ok(Arc::new(WebhookStorage { name: cx.name.clone(), webhook: webhook::Webhook::new(options) }))
    }
}

/// Receivers of vCons.
#[derive(Debug)]
pub struct WebhookStorage {
    name: String,
    webhook: webhook::Webhook,
}

impl WebhookStorage {
    async fn send(&self, vcon: &Vcon) -> Result<()> {
        let body = vcon.render(View::Read);
        for error in self.webhook.deliver(&self.name, vcon.id(), &body).await? {
            RefusalPassedOver { webhook: &self.name, id: vcon.id(), error: &error }.emit();
        }
        Ok(())
    }
}

#[async_trait]
impl Storage for WebhookStorage {
    fn info(&self) -> StorageInfo {
        // Whatever a receiver says to another request than a POST: a vCon finds out whether it is back.
        StorageInfo::new("webhook").write_only().probed_by_saves()
    }

    /// One after the other, so that of two documents of one id the later one arrives last.
    async fn save(&self, batch: &[Vcon]) -> Vec<Result<()>> {
        let mut results = Vec::with_capacity(batch.len());
        for vcon in batch {
            results.push(self.send(vcon).await);
        }
        results
    }

    async fn get(&self, _id: &VconId) -> Result<Option<Vcon>> {
        Err(Error::new(ErrorKind::Unsupported, "a webhook gives no vCon back"))
    }

    async fn delete(&self, _id: &VconId) -> Result<bool> {
        Err(Error::new(ErrorKind::Unsupported, "a webhook deletes no vCon"))
    }

    async fn check(&self) -> Result<()> {
        self.webhook.reach().await
    }
}

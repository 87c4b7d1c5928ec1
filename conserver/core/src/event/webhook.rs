//! What is sent to servers by HTTP.

use std::time::Duration;

use conserver_vcon::VconId;

use super::millis;
use crate::figure::{self, Label};
use crate::{Error, LinkName};

/// A webhook answered, or did not.
#[derive(Debug)]
pub struct WebhookAnswered {
    /// The HTTP status; `None` where none came back.
    pub status: Option<u16>,
    /// Until the answer.
    pub took: Duration,
}

impl WebhookAnswered {
    /// At trace.
    pub fn emit(&self) {
        tracing::trace!(status = self.status, ms = millis(self.took), "webhook answered");
        let status = self.status.unwrap_or(0).to_string();
        figure::WEBHOOK.observe(&[Label::Text(&status)], self.took.as_secs_f64());
    }
}

/// A webhook has a vCon, but answered other than 2xx, which its options pass over.
#[derive(Debug)]
pub struct RefusalPassedOver<'a> {
    /// The link or storage.
    pub webhook: &'a str,
    /// The id.
    pub id: &'a VconId,
    /// What the answer would mean.
    pub error: &'a Error,
}

impl RefusalPassedOver<'_> {
    /// At warn: nobody else learns of it.
    pub fn emit(&self) {
        tracing::warn!(webhook = self.webhook, vcon = %self.id, reason = %self.error.kind(), error = %self.error.chain(), "a refusal was passed over");
    }
}

/// A link `webhook` has nobody to send a vCon to.
#[derive(Debug)]
pub struct WebhookUnset<'a> {
    /// The link.
    pub link: &'a LinkName,
}

impl WebhookUnset<'_> {
    /// Only counted: the configuration's check tells it.
    pub fn emit(&self) {
        figure::WEBHOOK_UNSET.add(&[Label::Name(self.link.shared())], 1);
    }
}

/// A link `webhook` did not reach all of its receivers.
#[derive(Debug)]
pub struct WebhookFailed<'a> {
    /// The link.
    pub link: &'a LinkName,
}

impl WebhookFailed<'_> {
    /// Only counted: the error is told where it ends.
    pub fn emit(&self) {
        figure::WEBHOOK_FAILURES.add(&[Label::Name(self.link.shared())], 1);
    }
}

/// A link `diet` could not put a body elsewhere.
#[derive(Debug)]
pub struct MediaPostFailed<'a> {
    /// The link.
    pub link: &'a LinkName,
}

impl MediaPostFailed<'_> {
    /// Only counted: the error is told where it ends.
    pub fn emit(&self) {
        figure::MEDIA_FAILURES.add(&[Label::Name(self.link.shared())], 1);
    }
}

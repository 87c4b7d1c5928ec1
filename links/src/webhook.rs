//! Sends the vCon to URLs.
//!
//! What is sent and what an answer means is in `conserver-http`, which the storage of the same name shares.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use conserver_core::Result;
use conserver_core::event::{RefusalPassedOver, WebhookFailed, WebhookUnset};
use conserver_core::link::{Link, LinkContext, LinkInfo, LinkOutcome};
use conserver_core::registry::{BuildContext, LinkKind};
use conserver_core::vcon::{Vcon, View};
use conserver_http::webhook;

use crate::document::needed;

pub use conserver_http::webhook::WebhookOptions;

/// The registry's entry.
#[derive(Debug)]
pub struct Webhook;

impl LinkKind for Webhook {
    const NAME: &'static str = "webhook";
    const ALIASES: &'static [&'static str] = &["links.webhook"];
    type Options = WebhookOptions;

    fn check(options: &WebhookOptions) -> Vec<String> {
        options.problems()
    }

    fn build(options: WebhookOptions, cx: &BuildContext) -> Result<Arc<dyn Link>> {
        let view = if cx.legacy_egress { View::Legacy001 } else { View::Read };
        Ok(Arc::new(WebhookLink { timeout: options.timeout, webhook: webhook::Webhook::new(options), view }))
    }
}

/// Sends to these receivers.
#[derive(Debug)]
pub struct WebhookLink {
    webhook: webhook::Webhook,
    timeout: Duration,
    view: View,
}

#[async_trait]
impl Link for WebhookLink {
    /// Not a checkpoint: saving a document that this link does not change would keep no repetition from happening.
    fn info(&self) -> LinkInfo {
        LinkInfo::default().taking(self.timeout)
    }

    async fn run(&self, cx: &LinkContext, vcon: Option<Vcon>) -> Result<LinkOutcome> {
        let vcon = needed(vcon)?;
        if self.webhook.is_unset() {
            WebhookUnset { link: &cx.link }.emit();
            return Ok(LinkOutcome::next(Some(vcon)));
        }
        let delivered = self.webhook.deliver(cx.chain.as_str(), vcon.id(), &vcon.render(self.view)).await;
        for error in delivered.inspect_err(|_| WebhookFailed { link: &cx.link }.emit())? {
            RefusalPassedOver { webhook: cx.link.as_str(), id: vcon.id(), error: &error }.emit();
        }
        Ok(LinkOutcome::next(Some(vcon)))
    }
}

#[cfg(test)]
mod tests {
    use conserver_core::ErrorKind;
    use conserver_testkit::http::{Answer, HttpServer};
    use conserver_testkit::json::{parse, read_view};
    use conserver_testkit::link_suite::{LinkFixture, context};
    use conserver_testkit::vcons::{Vcons, vcon};
    use serde_json::{Value, json};

    use super::*;

    fn link(options: Value, legacy: bool) -> Arc<dyn Link> {
        let options: WebhookOptions = serde_json::from_value(options).unwrap();
        let mut cx = BuildContext::new("notify");
        cx.legacy_egress = legacy;
        Webhook::build(options, &cx).unwrap()
    }

    /// A link to a receiver that lives as long as the test process.
    fn to_a_receiver() -> Arc<dyn Link> {
        let server = Box::leak(Box::new(HttpServer::start()));
        link(json!({"webhook-urls": server.url("/")}), false)
    }

    conserver_testkit::link_suite!(LinkFixture {
        link: to_a_receiver(),
        document: Vcons::new(1).call(),
        changes: false,
    });

    #[tokio::test]
    async fn the_receiver_gets_the_document_with_the_names_of_today() {
        let server = HttpServer::start();
        let vcon = vcon(&Vcons::new(2).legacy());
        let link = link(json!({"webhook-urls": [server.url("/hook")]}), false);
        let outcome = link.run(&context(&vcon), Some(vcon.clone())).await.unwrap();
        assert!(outcome.vcon.unwrap().same_as(&vcon));
        let request = server.requests().pop().unwrap();
        assert_eq!(
            (request.json(), &*request.headers["idempotency-key"]),
            (read_view(&vcon), vcon.id().as_str())
        );
    }

    #[tokio::test]
    async fn the_receiver_gets_the_old_format_where_that_is_wished() {
        let server = HttpServer::start();
        let mut call = Vcons::new(3).call();
        call["appended"] = json!({"uuid": "stale"});
        call["amended"] = json!({"uuid": "earlier"});
        let vcon = vcon(&call);
        link(json!({"webhook-urls": server.url("/")}), true)
            .run(&context(&vcon), Some(vcon.clone()))
            .await
            .unwrap();
        let sent = server.requests().pop().unwrap().json();
        assert_eq!(sent["vcon"], "0.0.1");
        assert_eq!(sent["appended"], call["amended"], "what a link reads is what leaves");
        assert_eq!(sent, parse(&vcon.render(View::Legacy001)));
    }

    #[tokio::test]
    async fn a_refusal_is_an_error_with_its_status() {
        let server = HttpServer::start();
        server.rule(|_| Answer::status(422));
        let vcon = vcon(&Vcons::new(4).call());
        let link = link(json!({"webhook-urls": server.url("/")}), false);
        let error = link.run(&context(&vcon), Some(vcon)).await.unwrap_err();
        assert_eq!((error.kind(), error.is_permanent()), (ErrorKind::Invalid, true));
        assert!(error.to_string().contains("answered 422 Unprocessable Entity"), "{error}");
    }

    #[tokio::test]
    async fn nobody_to_send_to_changes_nothing() {
        let vcon = vcon(&Vcons::new(5).call());
        let link = link(json!({"webhook-urls": []}), false);
        link.run(&context(&vcon), Some(vcon)).await.unwrap();
    }
}

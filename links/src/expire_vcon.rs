//! Lets the working copy of a vCon expire some time after the chain has ended.
//!
//! The expiry is an effect: it is set together with the end of the run, so later links and storages still find the
//! document. Nothing extends it afterwards. The document is not loaded.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use conserver_core::Result;
use conserver_core::config::coerce;
use conserver_core::link::{Effect, Link, LinkContext, LinkInfo, LinkOutcome};
use conserver_core::registry::{BuildContext, LinkKind};
use conserver_core::vcon::Vcon;
use schemars::JsonSchema;
use serde::Deserialize;

/// Options of an expiry.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ExpireVconOptions {
    /// How many seconds the working copy is kept after the end of the chain; 0 or less removes it at once. Default 86400,
    /// a day.
    #[serde(deserialize_with = "coerce::integer")]
    #[schemars(with = "coerce::Integer<i64>")]
    pub seconds: i64,
}

impl Default for ExpireVconOptions {
    fn default() -> Self {
        Self { seconds: 86_400 }
    }
}

/// A century: clocks of servers cannot count much further.
const LONGEST: u64 = 100 * 365 * 86_400;

/// The registry's entry.
#[derive(Debug)]
pub struct ExpireVcon;

impl LinkKind for ExpireVcon {
    const NAME: &'static str = "expire_vcon";
    const ALIASES: &'static [&'static str] = &["links.expire_vcon"];
    type Options = ExpireVconOptions;

    fn check(options: &ExpireVconOptions) -> Vec<String> {
        let seconds = options.seconds;
        let warning = || {
            format!(
                "`seconds` is {seconds}: the working copy is removed as soon as the chain ends, and later chains find it in \
                 storages only"
            )
        };
        (seconds <= 0).then(warning).into_iter().collect()
    }

    fn build(options: ExpireVconOptions, _cx: &BuildContext) -> Result<Arc<dyn Link>> {
        let after = Duration::from_secs(u64::try_from(options.seconds).unwrap_or(0).min(LONGEST));
        Ok(Arc::new(ExpireVconLink { after }))
    }
}

/// Lets the vCon expire after this time.
#[derive(Debug)]
pub struct ExpireVconLink {
    after: Duration,
}

#[async_trait]
impl Link for ExpireVconLink {
    fn info(&self) -> LinkInfo {
        LinkInfo::default().without_document()
    }

    async fn run(&self, _cx: &LinkContext, vcon: Option<Vcon>) -> Result<LinkOutcome> {
        Ok(LinkOutcome::next(vcon).with_effects(vec![Effect::ExpireAfter(self.after)]))
    }
}

#[cfg(test)]
mod tests {
    use conserver_core::link::Flow;
    use conserver_testkit::link_suite::{LinkFixture, context};
    use conserver_testkit::vcons::{Vcons, vcon};

    use super::*;

    fn options(json: &str) -> ExpireVconOptions {
        serde_json::from_str(json).unwrap()
    }

    fn link(json: &str) -> Arc<dyn Link> {
        ExpireVcon::build(options(json), &BuildContext::new("expire")).unwrap()
    }

    mod suite {
        use super::*;

        conserver_testkit::link_suite!(LinkFixture {
            link: link("{}"),
            document: Vcons::new(1).call(),
            changes: false,
        });
    }

    #[tokio::test]
    async fn the_expiry_is_an_effect_of_the_end() {
        let vcon = vcon(&Vcons::new(1).call());
        for (json, seconds) in [
            ("{}", 86_400),
            (r#"{"seconds": 60}"#, 60),
            (r#"{"seconds": "90"}"#, 90),
            (r#"{"seconds": 0}"#, 0),
            (r#"{"seconds": -5}"#, 0),
        ] {
            let outcome = link(json).run(&context(&vcon), None).await.unwrap();
            assert_eq!(outcome.flow, Flow::Continue);
            assert_eq!(outcome.effects, [Effect::ExpireAfter(Duration::from_secs(seconds))], "{json}");
        }
    }

    #[test]
    fn what_removes_the_vcon_at_once_is_told() {
        assert!(ExpireVcon::check(&options("{}")).is_empty());
        assert!(ExpireVcon::check(&options(r#"{"seconds": 0}"#))[0].contains("as soon as the chain ends"));
        assert!(serde_json::from_str::<ExpireVconOptions>(r#"{"seconds": "soon"}"#).is_err());
    }
}

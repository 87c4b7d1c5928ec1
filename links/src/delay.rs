//! Waits, and lets the vCon pass: an aid for tests and for pacing.
//!
//! It waits on a timer, so a waiting vCon holds a place of its chain and no thread. The document is not loaded.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use conserver_core::config::coerce;
use conserver_core::link::{Link, LinkContext, LinkInfo, LinkOutcome};
use conserver_core::registry::{BuildContext, LinkKind};
use conserver_core::vcon::Vcon;
use conserver_core::{Error, ErrorKind, Result};
use schemars::JsonSchema;
use serde::Deserialize;

/// Options of a delay.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default)]
pub struct DelayOptions {
    /// How many seconds to wait, fractions allowed; less than 0 is 0. Default 5.
    #[serde(deserialize_with = "coerce::number")]
    #[schemars(with = "coerce::Number")]
    pub seconds: f64,
}

impl Default for DelayOptions {
    fn default() -> Self {
        Self { seconds: 5.0 }
    }
}

/// The registry's entry.
#[derive(Debug)]
pub struct Delay;

impl LinkKind for Delay {
    const NAME: &'static str = "delay";
    const ALIASES: &'static [&'static str] = &["links.delay"];
    type Options = DelayOptions;

    fn check(options: &DelayOptions) -> Vec<String> {
        let seconds = options.seconds;
        let is_negative = seconds < 0.0;
        is_negative.then(|| format!("`seconds` is {seconds}, which is taken as 0")).into_iter().collect()
    }

    fn build(options: DelayOptions, _cx: &BuildContext) -> Result<Arc<dyn Link>> {
        let delay = Duration::try_from_secs_f64(options.seconds.max(0.0)).map_err(|error| {
            Error::new(ErrorKind::Invalid, "`seconds` is no time that can be waited for").source(error)
        })?;
        Ok(Arc::new(DelayLink { delay }))
    }
}

/// Waits for this long.
#[derive(Debug)]
pub struct DelayLink {
    delay: Duration,
}

#[async_trait]
impl Link for DelayLink {
    fn info(&self) -> LinkInfo {
        LinkInfo::default().without_document().taking(self.delay)
    }

    async fn run(&self, _cx: &LinkContext, vcon: Option<Vcon>) -> Result<LinkOutcome> {
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        Ok(LinkOutcome::next(vcon))
    }
}

#[cfg(test)]
mod tests {
    use conserver_core::link::Flow;
    use conserver_testkit::link_suite::{LinkFixture, context};
    use conserver_testkit::vcons::{Vcons, vcon};
    use tokio::time::Instant;

    use super::*;

    fn options(json: &str) -> DelayOptions {
        serde_json::from_str(json).unwrap()
    }

    fn link(json: &str) -> Arc<dyn Link> {
        Delay::build(options(json), &BuildContext::new("delay")).unwrap()
    }

    mod suite {
        use super::*;

        conserver_testkit::link_suite!(LinkFixture {
            link: link(r#"{"seconds": 0.01}"#),
            document: Vcons::new(1).call(),
            changes: false,
        });
    }

    async fn waited(json: &str) -> Duration {
        let (start, vcon) = (Instant::now(), vcon(&Vcons::new(1).call()));
        let outcome = link(json).run(&context(&vcon), None).await.unwrap();
        assert_eq!(outcome.flow, Flow::Continue);
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn it_waits_as_long_as_it_is_told() {
        for (json, millis) in [
            ("{}", 5000),
            (r#"{"seconds": 2}"#, 2000),
            (r#"{"seconds": 0.25}"#, 250),
            (r#"{"seconds": "3"}"#, 3000),
            (r#"{"seconds": 0}"#, 0),
            (r#"{"seconds": -1}"#, 0),
        ] {
            let waited = waited(json).await;
            // The timer's own step is a millisecond.
            let expected = Duration::from_millis(millis)..=Duration::from_millis(millis + 1);
            assert!(expected.contains(&waited), "{json}: {waited:?}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        assert_eq!(Delay::check(&options(r#"{"seconds": -2}"#)), ["`seconds` is -2, which is taken as 0"]);
        assert!(Delay::check(&options("{}")).is_empty());
        assert!(serde_json::from_str::<DelayOptions>(r#"{"seconds": "soon"}"#).is_err());
        let error =
            Delay::build(options(r#"{"seconds": 1e300}"#), &BuildContext::new("delay")).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
}

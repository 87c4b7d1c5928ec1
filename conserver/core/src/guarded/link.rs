//! A link with its policy around it.

use std::sync::Arc;
use std::time::Instant as Clock;

use conserver_vcon::Vcon;
use tokio::time::Instant;

use super::caught;
use crate::config::plan::OnError;
use crate::event::LinkRan;
use crate::link::{Flow, Link, LinkContext, LinkInfo, LinkOutcome};
use crate::policy::{Breaker, Call, Policy, PolicyOptions, Probe};
use crate::{Guards, LinkName, QueueName, Result};

/// A link as the runner calls it. Shared by all chains that name it.
pub struct GuardedLink {
    name: LinkName,
    link: Arc<dyn Link>,
    info: LinkInfo,
    policy: Policy,
    on_error: OnError,
}

impl GuardedLink {
    /// Puts a policy around a link.
    pub fn new(name: LinkName, link: Arc<dyn Link>, options: &PolicyOptions, on_error: OnError) -> Self {
        let info = link.info();
        let timeout = options.timeout.saturating_add(info.takes);
        let options = PolicyOptions { timeout, ..options.clone() };
        let policy = Policy::new(Guards::link(name.as_str()), &options, Probe::NextCall, 1);
        Self { info, name, link, policy, on_error }
    }

    /// Runs the link on one vCon; no attempt begins a pause that would reach beyond `deadline`.
    ///
    /// A link with a checkpoint costs or shows something when it is repeated, so an attempt of it that may have happened
    /// is not repeated within this call.
    ///
    /// # Errors
    /// The link's own after its attempts; a panic; a timeout; [`refused`](crate::policy::refused).
    pub async fn run(
        &self,
        cx: &LinkContext,
        vcon: Option<&Vcon>,
        deadline: Option<Instant>,
    ) -> Result<LinkOutcome> {
        let began = Clock::now();
        let call = Call { op: "run", idempotent: !self.info.checkpoint, deadline };
        let attempt = || async { caught(self.link.run(cx, vcon.cloned())).await.flatten() };
        let result = self.policy.run(call, attempt).await;
        let outcome = match &result {
            Ok(LinkOutcome { flow: Flow::Halt { .. }, .. }) => "halt",
            Ok(_) => "success",
            Err(_) => "error",
        };
        LinkRan { chain: &cx.chain, link: &self.name, outcome, took: began.elapsed() }.emit();
        result.map_err(|error| error.context(format!("link `{}`", self.name)))
    }

    /// The name in the file.
    pub fn name(&self) -> &LinkName {
        &self.name
    }

    /// What the runner has to know about it.
    pub fn info(&self) -> LinkInfo {
        self.info
    }

    /// Lists that it may put ids on.
    pub fn feeds(&self) -> Vec<QueueName> {
        self.link.feeds()
    }

    /// What an error of it means.
    pub fn on_error(&self) -> OnError {
        self.on_error
    }

    /// Its breaker, to look at.
    pub fn breaker(&self) -> &Breaker {
        self.policy.breaker()
    }
}

impl std::fmt::Debug for GuardedLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GuardedLink")
            .field("name", &self.name)
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}

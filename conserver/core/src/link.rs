//! One step of a chain.

use std::time::Duration;

use async_trait::async_trait;
use conserver_vcon::{Vcon, VconId};

use crate::{ChainName, LinkName, QueueName, Result};

/// What the runner has to know about a link before it runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkInfo {
    /// Whether the document is saved after this link: a second run would cost money or show outside.
    pub checkpoint: bool,
    /// Whether the link looks at the document at all. Where no link and no storage does, it is never loaded.
    pub needs_document: bool,
    /// How long it takes by its own options, at the least: added to the time that its policy allows.
    pub takes: Duration,
}

impl Default for LinkInfo {
    fn default() -> Self {
        Self { checkpoint: false, needs_document: true, takes: Duration::ZERO }
    }
}

impl LinkInfo {
    /// A link that decides without the document.
    #[must_use]
    pub fn without_document(mut self) -> Self {
        self.needs_document = false;
        self
    }

    /// A link that takes this long by its own options.
    #[must_use]
    pub fn taking(mut self, takes: Duration) -> Self {
        self.takes = takes;
        self
    }

    /// A link after which the document is saved at once.
    #[must_use]
    pub fn with_checkpoint(mut self) -> Self {
        self.checkpoint = true;
        self
    }
}

/// Where a link runs. It holds names and a trace context, no client and no settings: those came with the options.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LinkContext {
    /// The chain that runs.
    pub chain: ChainName,
    /// This link, as the file names it.
    pub link: LinkName,
    /// The list the id came from.
    pub ingress: QueueName,
    /// The id as it stood in the list.
    pub id: VconId,
    /// How often this id was handed out before, 0 at first.
    pub attempt: u32,
}

impl LinkContext {
    /// The context of one run of one link.
    pub fn new(chain: ChainName, link: LinkName, ingress: QueueName, id: VconId, attempt: u32) -> Self {
        Self { chain, link, ingress, id, attempt }
    }
}

/// What a link made of a vCon.
#[derive(Debug, Clone)]
pub struct LinkOutcome {
    /// The document: the one that came in, or an edited copy. `None` where the link had none to look at.
    pub vcon: Option<Vcon>,
    /// What comes next.
    pub flow: Flow,
    /// What is to be done with the finish; dropped if the run fails.
    pub effects: Vec<Effect>,
}

impl LinkOutcome {
    /// Goes on with this document.
    pub fn next(vcon: Option<Vcon>) -> Self {
        Self { vcon, flow: Flow::Continue, effects: Vec::new() }
    }

    /// Ends the chain here, well.
    pub fn halt(vcon: Option<Vcon>, reason: impl Into<String>) -> Self {
        Self { vcon, flow: Flow::Halt { reason: reason.into() }, effects: Vec::new() }
    }

    /// Adds effects.
    #[must_use]
    pub fn with_effects(mut self, effects: Vec<Effect>) -> Self {
        self.effects.extend(effects);
        self
    }
}

/// What comes after a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flow {
    /// The next link, or the storages.
    Continue,
    /// Nothing more: no further link, no storage, no egress. Not a failure.
    Halt {
        /// Why, for the log and the summary.
        reason: String,
    },
    /// The chain goes on with another vCon.
    Switch(VconId),
}

/// Something a link wants done. Applied once, together with the finish, so that a repeated run does not repeat it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Puts an id on a list.
    Enqueue {
        /// The list.
        queue: QueueName,
        /// The id.
        id: VconId,
    },
    /// Lets the document expire after this time, whatever else extends it.
    ExpireAfter(Duration),
}

/// One step of a chain. It knows nothing of queues, and is given the document rather than fetching it.
#[async_trait]
pub trait Link: Send + Sync + 'static {
    /// What the runner has to know. The default: looks at the document, needs no checkpoint.
    fn info(&self) -> LinkInfo {
        LinkInfo::default()
    }

    /// Lists that it may put ids on, for those who look at a configuration before it runs. The default: none.
    ///
    /// # Behaviour
    /// * names every list that an [`Effect::Enqueue`] of it may name
    fn feeds(&self) -> Vec<QueueName> {
        Vec::new()
    }

    /// Runs the step on one vCon.
    ///
    /// # Behaviour
    /// * running on its own output changes nothing more (a crash repeats the chain from its first link)
    /// * members that the link does not know survive
    /// * a document that the link does not change comes back as the same one ([`Vcon::same_as`])
    /// * a document in legacy names, with odd bodies or without the usual sections is an outcome or an error,
    ///   never a panic
    /// * `None` comes in only if [`LinkInfo::needs_document`] is false
    ///
    /// # Errors
    /// Classified by the link; the runner decides what becomes of the vCon.
    async fn run(&self, cx: &LinkContext, vcon: Option<Vcon>) -> Result<LinkOutcome>;
}

//! Small links.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use async_trait::async_trait;
use conserver_core::link::{Effect, Flow, Link, LinkContext, LinkInfo, LinkOutcome};
use conserver_core::vcon::{BodyShape, Vcon, VconId};
use conserver_core::{Error, ErrorKind, Result};

/// Does one thing, and counts how often.
pub(crate) struct Step {
    does: Does,
    info: LinkInfo,
    runs: AtomicUsize,
}

pub(crate) enum Does {
    /// Adds this tag.
    Tag(&'static str),
    /// Returns it as it came.
    Nothing,
    /// Halts with these effects, after tagging.
    Halt(Vec<Effect>),
    /// Continues with these effects.
    Effects(Vec<Effect>),
    /// Goes on with another id.
    Switch(&'static str),
    /// Fails the first so many times, each with a fresh error.
    Fail(usize, fn() -> Error),
    /// Panics.
    Panic,
    /// Takes this long, then tags.
    Sleep(Duration),
    /// Makes a document of its own.
    Make(&'static str),
    /// Says the context it was given, as an error.
    Tell,
}

impl Step {
    pub(crate) fn new(does: Does) -> Arc<Self> {
        Self::with(does, LinkInfo::default())
    }

    pub(crate) fn with(does: Does, info: LinkInfo) -> Arc<Self> {
        Arc::new(Self { does, info, runs: AtomicUsize::new(0) })
    }

    pub(crate) fn runs(&self) -> usize {
        self.runs.load(SeqCst)
    }
}

#[async_trait]
impl Link for Step {
    fn info(&self) -> LinkInfo {
        self.info
    }

    async fn run(&self, cx: &LinkContext, vcon: Option<Vcon>) -> Result<LinkOutcome> {
        let run = self.runs.fetch_add(1, SeqCst);
        match &self.does {
            Does::Tag(name) => Ok(LinkOutcome::next(tagged(vcon, name)?)),
            Does::Nothing => Ok(LinkOutcome::next(vcon)),
            Does::Halt(effects) => {
                Ok(LinkOutcome::halt(tagged(vcon, "halted")?, "enough").with_effects(effects.clone()))
            }
            Does::Effects(effects) => Ok(LinkOutcome::next(vcon).with_effects(effects.clone())),
            Does::Switch(id) => Ok(LinkOutcome {
                flow: Flow::Switch(VconId::new(id)),
                ..LinkOutcome::next(tagged(vcon, "left")?)
            }),
            Does::Fail(times, error) if run < *times => Err(error()),
            Does::Fail(..) => Ok(LinkOutcome::next(vcon)),
            Does::Panic => panic!("this link has a bug"),
            Does::Sleep(time) => {
                tokio::time::sleep(*time).await;
                Ok(LinkOutcome::next(tagged(vcon, "slept")?))
            }
            Does::Make(json) => {
                let made = Vcon::parse(cx.id.clone(), json.as_bytes().into(), &Default::default());
                Ok(LinkOutcome::next(Some(made.unwrap())))
            }
            Does::Tell => {
                let LinkContext { chain, link, ingress, id, attempt, .. } = cx;
                Err(Error::new(ErrorKind::Invalid, format!("{chain} {link} {ingress} {id} {attempt}")))
            }
        }
    }
}

fn tagged(vcon: Option<Vcon>, name: &str) -> Result<Option<Vcon>> {
    let Some(mut vcon) = vcon else { return Ok(None) };
    vcon.add_tag(name, "yes", BodyShape::Native)
        .map_err(|error| Error::new(ErrorKind::Invalid, "cannot tag").source(error))?;
    Ok(Some(vcon))
}

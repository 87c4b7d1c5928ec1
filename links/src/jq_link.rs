//! Lets vCons pass or halts them, by a jq filter.
//!
//! A filter is a program: it may loop for ever, ask for all the memory there is, or recurse until the stack ends, and no
//! interpreter in this process could be stopped from doing so. It runs in a process of its own, which the kernel bounds
//! in processor time and memory, and whose death is an error of one vCon. The filter is compiled when the
//! configuration is read, and once in each such process.
//!
//! | module | what lives there |
//! |---|---|
//! | `program` | the filter: compiled, and run on a document |
//! | [`host`] | the process that runs it, from inside |
//! | `pool` | the processes, from outside |

pub mod host;
mod options;
mod pool;
mod program;

use std::sync::Arc;

use async_trait::async_trait;
use conserver_core::link::{Link, LinkContext, LinkOutcome};
use conserver_core::registry::{BuildContext, LinkKind};
use conserver_core::vcon::{Vcon, View};
use conserver_core::{Error, ErrorKind, Result, cpu};

use crate::document::needed;
use host::Answer;
use pool::Pool;

pub use options::{Filter, JqLinkOptions, OnFilterError};

/// The registry's entry.
#[derive(Debug)]
pub struct JqLink;

impl LinkKind for JqLink {
    const NAME: &'static str = "jq_link";
    const ALIASES: &'static [&'static str] = &["links.jq_link", "jq", "links.jq"];
    type Options = JqLinkOptions;

    fn check(options: &JqLinkOptions) -> Vec<String> {
        options.problems()
    }

    fn build(options: JqLinkOptions, _cx: &BuildContext) -> Result<Arc<dyn Link>> {
        Ok(Arc::new(JqLinkLink { pool: Pool::new(options.settings()), options }))
    }
}

/// Filters by these options.
#[derive(Debug)]
pub struct JqLinkLink {
    options: JqLinkOptions,
    pool: Pool,
}

#[async_trait]
impl Link for JqLinkLink {
    async fn run(&self, _cx: &LinkContext, vcon: Option<Vcon>) -> Result<LinkOutcome> {
        let vcon = needed(vcon)?;
        let document = vcon.clone();
        let json = cpu::run_if(vcon.size(), move || document.render(View::Read)).await;
        match self.pool.ask(&json).await? {
            Answer::Decided(matches) if matches == self.options.forward_matches => {
                Ok(LinkOutcome::next(Some(vcon)))
            }
            Answer::Decided(true) => Ok(LinkOutcome::halt(Some(vcon), "the filter matches")),
            Answer::Decided(false) => Ok(LinkOutcome::halt(Some(vcon), "the filter does not match")),
            Answer::Failed(fault) => match self.options.on_filter_error {
                OnFilterError::Fail => Err(Error::new(ErrorKind::Invalid, fault.sentence())),
                OnFilterError::Halt => Ok(LinkOutcome::halt(Some(vcon), fault.sentence())),
            },
        }
    }
}

#[cfg(test)]
mod tests;

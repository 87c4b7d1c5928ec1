//! Lists that no chain takes from: what is put there waits, perhaps for ever, because of a name that was misspelt.

use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use conserver_core::QueueName;
use conserver_core::config::settings::UnknownLists;
use serde_json::Value;

use crate::error::Result;
use crate::extract::Query;
use crate::state::State;

/// Names of such lists in the answer, with commas.
pub(crate) const UNSERVED: HeaderName = HeaderName::from_static("x-vcons-unserved");

/// The lists of a request that no chain takes from.
pub(crate) struct Unserved {
    lists: Vec<QueueName>,
    hint: Option<String>,
}

impl Unserved {
    /// Looks at the lists that a parameter names.
    ///
    /// # Errors
    /// Where there is one and the configuration refuses it.
    pub(crate) fn among(
        state: &State,
        query: &mut Query,
        parameter: &str,
        lists: &[QueueName],
    ) -> Result<Self> {
        let live = state.live();
        let lists: Vec<QueueName> = lists.iter().filter(|list| !live.is_ingress(list)).cloned().collect();
        let hint = lists.first().map(|list| live.plan.unserved(list));
        if let Some(hint) = &hint {
            if live.plan.settings.api.unknown_lists == UnknownLists::Refuse {
                query.refuse(parameter, hint);
                query.check()?;
            }
            if state.unserved.lock().expect("no panic while held").is_time() {
                tracing::warn!(list = %lists[0], "a request named a list of which nothing is taken: {hint}");
            }
        }
        Ok(Self { lists, hint })
    }

    /// Says what to do about it in an answer that has a place for it.
    pub(crate) fn hinted(&self, mut answer: Value) -> Value {
        if let Some(hint) = &self.hint {
            answer["hint"] = hint.as_str().into();
        }
        answer
    }

    /// Says so in the answer.
    pub(crate) fn told(&self, mut answer: Response) -> Response {
        let names: Vec<&str> = self.lists.iter().map(QueueName::as_str).collect();
        if let (false, Ok(names)) = (names.is_empty(), HeaderValue::from_bytes(names.join(", ").as_bytes())) {
            answer.headers_mut().insert(UNSERVED, names);
        }
        answer
    }
}

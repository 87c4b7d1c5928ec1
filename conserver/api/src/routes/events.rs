//! What happens, as it happens: server-sent events.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State as Extract;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use conserver_core::QueueName;
use conserver_core::clock::{rfc3339, unix_millis};
use serde_json::{Value, json};

use crate::error::{ApiError, Result};
use crate::extract::{Query, header_text};
use crate::hub::{Refused, Wish};
use crate::state::State;

/// All that a listener may ask for. `missed` comes to everybody.
const KINDS: &[&str] = &["settled", "dead-letter", "breaker", "worker", "list", "figures"];
/// How often listeners are told how the lists stand.
const EVERY: Duration = Duration::from_secs(1);
/// Proxies that would gather a stream until it is whole (nginx) are told not to.
const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");

/// What happens, as it happens: a stream of server-sent events that ends when the server does or its configuration changes.
#[utoipa::path(get, path = "/events", tag = "instance",
    params(
        ("kind" = Option<String>, Query, description = "Only these, with commas: settled, dead-letter, breaker, worker, list, figures"),
        ("chain" = Option<String>, Query, description = "Of what is about a chain, only what is about these, with commas"),
        ("last-event-id" = Option<String>, Header, description = "The id of the last event that the client has"),
    ),
    responses(
        (status = 200, description = "Events with `id`, `event` and `data` (JSON)", body = String, content_type = "text/event-stream"),
        (status = 429, description = "As many listen as may", body = crate::error::ErrorBody),
    ))]
pub(crate) async fn events(
    Extract(state): Extract<State>,
    headers: HeaderMap,
    mut query: Query,
) -> Result<Response> {
    let live = state.live();
    let kinds = words(&query, "kind");
    if let Some(unknown) = kinds.iter().find(|kind| !KINDS.contains(&kind.as_str())) {
        let says = format!("there is no kind `{unknown}`; there is {}", KINDS.join(", "));
        query.refuse("kind", &says);
    }
    let chains = words(&query, "chain");
    if let Some(unknown) = chains.iter().find(|chain| live.plan.chain(chain).is_none()) {
        query.refuse("chain", &format!("no chain `{unknown}` takes from a list"));
    }
    query.check()?;
    let last = header_text(&headers, "last-event-id").map(str::to_owned);
    let frames = state.feed.hub().listen(Wish { kinds, chains, last }).map_err(|refused| match refused {
        Refused::Full => {
            let hint = "as many listen to this server as may: end one of them";
            ApiError::new(StatusCode::TOO_MANY_REQUESTS, "Too many listeners", hint).retry_after(5)
        }
        Refused::Ended => {
            let hint = "this server is about to end: come again when it is back";
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "Server is ending", hint).retry_after(1)
        }
    })?;
    let frames = futures::stream::unfold(frames, |mut frames| async {
        let frame = frames.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(frame), frames))
    });
    let head = [(CONTENT_TYPE, "text/event-stream"), (UNBUFFERED, "no")];
    Ok((head, Body::from_stream(frames)).into_response())
}

fn words(query: &Query, name: &str) -> Vec<String> {
    let words = query.all(name).flat_map(|value| value.split(','));
    words.map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

impl State {
    /// Tells listeners each second how the lists stand, and which were paused or resumed by whomever. For whoever
    /// serves to spawn; it asks the backend only while somebody listens.
    pub async fn pulse(self) {
        let mut every = tokio::time::interval(EVERY);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut paused: BTreeMap<QueueName, bool> = BTreeMap::new();
        loop {
            every.tick().await;
            if self.feed.hub().is_heard() {
                self.beat(&mut paused).await;
            } else {
                // What changes meanwhile is not news to those who come later.
                paused.clear();
            }
        }
    }

    async fn beat(&self, paused: &mut BTreeMap<QueueName, bool>) {
        let (live, standing, hub) = (self.live(), self.feed.standing(), self.feed.hub());
        let chains = &live.plan.chains;
        let lists = live.plan.ingress_lists();
        let looked = tokio::time::timeout(EVERY * 2, self.queue.status(&lists)).await;
        let status = looked.ok().and_then(|status| status.ok());
        let at = rfc3339(unix_millis());
        for (list, status) in lists.iter().zip(status.iter().flatten()) {
            let before = paused.insert(list.clone(), status.paused);
            if before.is_some_and(|before| before != status.paused) {
                let chain = chains.iter().find(|chain| chain.ingress.contains(list));
                let word = if status.paused { "paused" } else { "resumed" };
                let data = json!({"at": at, "kind": "list", "list": list, "state": word});
                hub.publish("list", chain.map(|chain| chain.name.as_str()), &data);
            }
        }
        let of_list = |(list, status): (&QueueName, _)| {
            let rate = standing.as_ref().map(|standing| standing.rate(list.as_str()));
            let conserver_core::queue::ListStatus { queued, in_flight, delayed, paused, .. } = status;
            let row = json!({"queued": queued, "in_flight": in_flight, "delayed": delayed, "paused": paused, "rate": rate});
            (list.to_string(), row)
        };
        let rows = status.map(|status| Value::Object(lists.iter().zip(status).map(of_list).collect()));
        let rates = standing.as_ref().map(|standing| {
            let rate =
                |chain: &conserver_core::ChainName| json!({"rate": standing.rates.chain(chain.as_str())});
            Value::Object(chains.iter().map(|chain| (chain.name.to_string(), rate(&chain.name))).collect())
        });
        let workers = standing.as_ref().map(|standing| standing.outages.workers);
        let data = json!({"at": at, "kind": "figures", "workers": workers, "chains": rates, "lists": rows});
        hub.publish("figures", None, &data);
    }
}

//! What happens, as listeners hear it.

use axum::body::Body;
use axum::http::Request;
use conserver_api::Standing;
use conserver_core::GuardKind;
use conserver_core::event::live::{Happening, Live};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::site::{Backend, CHAINS, Site};

/// A listener, and what it has heard so far.
struct Listener {
    body: Body,
    heard: String,
}

impl Listener {
    async fn new(site: &Site, path: &str) -> Self {
        Self::with(site, path, None).await
    }

    async fn with(site: &Site, path: &str, last: Option<&str>) -> Self {
        let mut request = Request::get(path);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let answer = site.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self { body: answer.into_body(), heard: String::new() }
    }

    /// Hears what comes next; `false` at the end.
    async fn hear(&mut self) -> bool {
        let next = tokio::time::timeout(std::time::Duration::from_secs(30), self.body.frame()).await;
        let Some(frame) = next.unwrap_or_else(|_| panic!("nothing comes after\n{}", self.heard)) else {
            return false;
        };
        self.heard += std::str::from_utf8(&frame.unwrap().into_data().unwrap()).unwrap();
        true
    }

    async fn until(&mut self, text: &str) {
        while !self.heard.contains(text) {
            assert!(self.hear().await, "it ended without `{text}`:\n{}", self.heard);
        }
    }

    /// Data of the events of one kind.
    fn of(&self, kind: &str) -> Vec<Value> {
        let events = self.heard.split("\n\n");
        let of_kind = events.filter(|event| event.lines().any(|line| line == format!("event: {kind}")));
        let data = of_kind.flat_map(str::lines).filter_map(|line| line.strip_prefix("data: "));
        data.map(|data| serde_json::from_str(data).unwrap()).collect()
    }

    /// The id of the last event.
    fn last(&self) -> String {
        let mut ids = self.heard.lines().filter_map(|line| line.strip_prefix("id: "));
        ids.next_back().unwrap().to_owned()
    }
}

fn done(chain: &str, vcon: &str) -> Live {
    let what = Happening::Settled {
        chain: chain.into(),
        list: "in".into(),
        vcon: vcon.into(),
        outcome: "done".to_owned(),
        ms: 7,
        why: None,
    };
    Live { at: 1000, what }
}

fn breaker() -> Live {
    let guards = GuardKind::Storage;
    let what = Happening::Breaker { guards, name: "archive".to_owned(), state: "open".to_owned(), pid: 1 };
    Live { at: 1000, what }
}

#[tokio::test]
async fn listeners_hear_what_they_asked_for() {
    let more = CHAINS.replace("storages:\n", "  other: {ingress_lists: [more]}\nstorages:\n");
    let site = Site::with(Backend::Redis, &more, &[]).await;
    let mut all = Listener::new(&site, "/events").await;
    let mut some = Listener::new(&site, "/api/events?chain=other&kind=settled,breaker").await;
    site.feed.publish(&[done("main", "a"), done("other", "b"), breaker()], 5);
    all.until("\"why\":\"many\"").await;
    some.until("\"why\":\"many\"").await;
    let expected = json!({"at": "1970-01-01T00:00:01.000Z", "kind": "settled", "chain": "main", "list": "in", "vcon": "a", "outcome": "done", "ms": 7});
    assert_eq!(all.of("settled")[0], expected);
    assert_eq!((all.of("settled").len(), all.of("breaker").len()), (2, 1));
    let expected = json!({"at": "1970-01-01T00:00:01.000Z", "kind": "breaker", "guards": "storage", "name": "archive", "state": "open", "pid": 1});
    assert_eq!(all.of("breaker")[0], expected);
    assert_eq!(all.of("missed"), [json!({"missed": 5, "why": "many"})]);
    assert_eq!((some.of("settled").len(), &some.of("settled")[0]["vcon"]), (1, &json!("b")));
    assert_eq!(some.of("breaker").len(), 1, "what is about no chain comes all the same");
    for (path, place) in [("/events?kind=settled,nothing", "kind"), ("/events?chain=nobody", "chain")] {
        let error = site.call(&format!("GET {path}")).await.expect(422).json();
        assert_eq!(error["detail"][0]["loc"], json!(["query", place]));
    }
}

#[tokio::test]
async fn a_slow_listener_loses_events_and_is_told_how_many() {
    let site = Site::new(Backend::Redis).await;
    let mut slow = Listener::new(&site, "/events").await;
    let events: Vec<Live> = (0..5000).map(|n| done("main", &n.to_string())).collect();
    site.feed.publish(&events, 0);
    slow.until("\"4999\"").await;
    let missed = slow.of("missed");
    assert_eq!((missed.len(), &missed[0]["why"]), (1, &json!("slow")));
    assert_eq!(missed[0]["missed"].as_u64().unwrap() as usize + slow.of("settled").len(), 5000);
}

#[tokio::test]
async fn who_comes_again_is_told_how_much_it_missed() {
    let site = Site::new(Backend::Redis).await;
    let mut first = Listener::new(&site, "/events").await;
    site.feed.publish(&[done("main", "a")], 0);
    first.until("\"a\"").await;
    let last = first.last();
    let mut early = Listener::with(&site, "/events", Some(&last)).await;
    site.feed.publish(&[done("main", "b"), done("main", "c")], 0);
    early.until("\"c\"").await;
    assert_eq!(early.of("missed"), [json!(null); 0]);
    let mut late = Listener::with(&site, "/events", Some(&last)).await;
    late.until("away").await;
    assert_eq!(late.of("missed"), [json!({"missed": 2, "why": "away"})]);
    let mut stranger = Listener::with(&site, "/events", Some("of another server")).await;
    stranger.until("away").await;
    assert_eq!(stranger.of("missed"), [json!({"missed": null, "why": "away"})]);
}

#[tokio::test]
async fn places_for_listeners_are_bounded_and_come_free() {
    let site = Site::new(Backend::Redis).await;
    let mut listeners = Vec::new();
    for _ in 0..64 {
        listeners.push(Listener::new(&site, "/events").await);
    }
    let full = site.call("GET /events").await.expect(429);
    assert_eq!(full.header("retry-after"), "5");
    listeners.pop();
    let retried = async {
        while site
            .router
            .clone()
            .oneshot(Request::get("/events").body(Body::empty()).unwrap())
            .await
            .unwrap()
            .status()
            != 200
        {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), retried).await.expect("a place comes free");
}

#[tokio::test]
async fn another_configuration_and_the_end_of_the_server_end_the_stream() {
    let site = Site::new(Backend::Redis).await;
    let mut listener = Listener::new(&site, "/events").await;
    let text = std::fs::read_to_string(&site.file.path).unwrap();
    site.renew();
    site.feed.publish(&[done("main", "a")], 0);
    listener.until("\"a\"").await;
    std::fs::write(&site.file.path, text.replace("[out]", "[elsewhere]")).unwrap();
    site.renew();
    while listener.hear().await {}
    let mut again = Listener::new(&site, "/events").await;
    site.feed.close();
    while again.hear().await {}
    site.call("GET /events").await.expect(503);
}

#[tokio::test]
async fn each_second_tells_how_lists_stand_and_who_was_paused() {
    let mut site = Site::new(Backend::Redis).await;
    // Before anybody looks: a look at the list may have begun before.
    site.feed.tell(Standing::default());
    let pulse = tokio::spawn(site.state.clone().pulse());
    let mut listener = Listener::new(&site, "/events?kind=figures,list").await;
    site.redis::<i64>("RPUSH in a b").await;
    listener.until("\"queued\":2").await;
    let figures = listener.of("figures").pop().unwrap();
    assert_eq!((&figures["workers"], &figures["chains"]["main"]["rate"]), (&json!(0), &json!(0.0)));
    assert_eq!(figures["lists"]["in"]["rate"], json!({"taken": 0.0, "settled": 0.0}));
    // By whomever: here, by another program.
    site.redis::<i64>("SADD cs:paused in").await;
    listener.until("event: list").await;
    site.redis::<i64>("SREM cs:paused in").await;
    listener.until("resumed").await;
    let states: Vec<Value> = listener.of("list").iter().map(|event| event["state"].clone()).collect();
    assert_eq!(states, ["paused", "resumed"]);
    site.server().stop();
    listener.until("\"lists\":null").await;
    pulse.abort();
}

//! Receivers of vCons that are away, come back in the worst way, or refuse one of them.

use std::collections::BTreeSet;
use std::time::Duration;

use conserver_testkit::http::{Answer, HttpServer, Request};
use conserver_testkit::vcons::Vcons;

use crate::health::get;
use crate::site::{Site, until};

/// A receiver that is told by the path who sends.
fn config(receiver: &HttpServer) -> String {
    format!(
        "
conserver: 1
links:
  notify: {{module: webhook, options: {{webhook-urls: '{}'}}, breaker: {{cooldown: 1s}}}}
storages:
  partner: {{module: webhook, options: {{webhook-urls: ['{}']}}, breaker: {{cooldown: 1s}}}}
chains:
  main: {{links: [notify], storages: [partner], ingress_lists: [in], egress_lists: [out]}}
",
        receiver.url("/link"),
        receiver.url("/storage"),
    )
}

fn id_of(request: &Request) -> String {
    request.headers["idempotency-key"].clone()
}

/// The ids that arrived at a path.
fn arrived(receiver: &HttpServer, path: &str) -> BTreeSet<String> {
    let posts = receiver.requests().into_iter().filter(|request| request.method == "POST");
    posts.filter(|request| request.target == path).map(|request| id_of(&request)).collect()
}

#[test]
fn an_outage_of_a_receiver_fills_the_queue_and_heals_by_itself() {
    let mut receiver = HttpServer::start();
    let site = Site::new(&config(&receiver));
    let daemon = site.run(2);
    let mut vcons = Vcons::new(31);
    // Modest load: now and then a few.
    let mut load = |times: usize| -> Vec<String> {
        let few = (0..times).map(|_| {
            std::thread::sleep(Duration::from_millis(200));
            (0..3).map(|_| site.push("in", &vcons.chat())).collect::<Vec<_>>()
        });
        few.flatten().collect()
    };
    let done = || (site.db.len("out"), site.db.keys("DLQ:*"));
    let first = load(1);
    until("the receiver is in use", || site.db.len("out") == 3);

    receiver.stop();
    let mut waiting = load(15);
    assert_eq!(done(), (3, Vec::new()));
    assert!(!daemon.told("breaker open").is_empty(), "nobody told that the receiver is away");

    // It comes back as receivers do: a proxy before its program, a program before its secrets, connections that end.
    for answer in [Answer::status(503), Answer::status(401), Answer::hang_up_late()] {
        receiver.rule(move |_| answer.clone());
        receiver.restart();
        waiting.extend(load(5));
    }
    assert_eq!(done(), (3, Vec::new()));
    receiver.forget();
    receiver.rule(|_| Answer::status(200));
    until("what waited is done", || site.db.len("out") == 3 + waiting.len());
    for path in ["/link", "/storage"] {
        assert_eq!(arrived(&receiver, path), waiting.iter().cloned().collect(), "{path}");
    }

    // The storage alone, and its receiver has an error for everybody: that is no fault of any vCon.
    receiver.rule(|request| Answer::status(if request.target == "/storage" { 500 } else { 200 }));
    let later = load(40);
    assert_eq!(done(), (3 + waiting.len(), Vec::new()));
    receiver.forget();
    receiver.rule(|_| Answer::status(200));
    let pushed: Vec<String> = [first, waiting, later.clone()].concat();
    until("all is done", || site.db.len("out") == pushed.len());
    assert_eq!(arrived(&receiver, "/storage"), later.into_iter().collect());
    let out: BTreeSet<String> = site.db.list("out").into_iter().collect();
    assert_eq!((done().1, site.db.left(), out), (Vec::new(), Vec::new(), pushed.into_iter().collect()));
}

#[test]
fn what_goes_out_takes_the_proxy_of_the_environment() {
    let (proxy, direct) = (HttpServer::start(), HttpServer::start());
    let config = format!(
        "
conserver: 1
links: {{notify: {{module: webhook, options: {{webhook-urls: ['http://receiver.invalid/hook', '{}']}}}}}}
chains: {{main: {{links: [notify], ingress_lists: [in], egress_lists: [out]}}}}
",
        direct.url("/hook")
    );
    let site = Site::new(&config).env("HTTP_PROXY", proxy.url("")).env("NO_PROXY", "localhost");
    let _daemon = site.run(1);
    site.push("in", &Vcons::new(33).call());
    until("the receivers have it", || site.db.len("out") == 1);
    let targets = [&proxy, &direct].map(|server| server.requests().remove(0).target);
    assert_eq!(targets, ["http://receiver.invalid/hook", "/hook"]);
}

#[test]
fn one_refusal_is_one_dead_letter_and_the_others_finish() {
    let receiver = HttpServer::start();
    let site = Site::new(&config(&receiver));
    let address = format!("127.0.0.1:{}", conserver_testkit::free_port());
    let _daemon = site.setup.run(1, &["--listen", &address]);
    let mut vcons = Vcons::new(32);
    let calls: Vec<_> = (0..20).map(|_| vcons.call()).collect();
    let ids: Vec<String> = calls.iter().map(crate::db::id_of).collect();
    let (by_link, by_storage) = (ids[7].clone(), ids[13].clone());
    let (at_link, at_storage) = (by_link.clone(), by_storage.clone());
    receiver.rule(move |request| {
        let is = |path: &str, id: &String| request.target == path && id_of(request) == *id;
        let refuses = is("/link", &at_link) || is("/storage", &at_storage);
        Answer::status(if refuses { 400 } else { 201 }).body("my secret reason")
    });
    calls.iter().for_each(|call| drop(site.push("in", call)));
    until("the others are done", || site.db.len("out") == 19 && site.db.len("DLQ:in") == 1);

    let dead = site.db.letter("DLQ:in", &by_link);
    assert_eq!((&*dead["reason"], &*dead["link"], &*dead["chain"]), ("invalid", "notify", "main"));
    assert_eq!(site.db.list("DLQ:storage:partner"), [by_storage.as_str()]);
    let refused = site.db.letter("DLQ:storage:partner", &by_storage);
    assert_eq!((&*refused["reason"], &*refused["storage"]), ("invalid", "partner"));
    for letter in [&dead, &refused] {
        let error = &letter["error"];
        assert!(error.contains("answered 400 Bad Request; the receiver's log says why"), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
    assert!(site.db.list("out").contains(&by_storage), "the chain goes on without this copy");
    assert_eq!(arrived(&receiver, "/storage").len(), 19);

    let figures = [
        "conserver_link_webhook_post_failures_total{link_name=\"notify\"} 1\n",
        "conserver_webhook_duration_seconds_count{status_code=\"400\"} 2\n",
    ];
    until("both refusals are counted", || {
        let text = get(&address, "/metrics").map(|(_, text)| text).unwrap_or_default();
        figures.iter().all(|figure| text.contains(figure))
    });

    // The receiver is put right; what it refused is sent again.
    let (code, shown, _) = site.command(&["dlq", "show", &by_link]);
    let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(code == 0 && shown.contains("notify") && shown.contains("400 Bad Request"), "{shown}");
    receiver.rule(|_| Answer::status(200));
    for list in [["--list", "in"], ["--storage-dlq", "partner"]] {
        let (code, out, err) = site.command(&["dlq", "replay", list[0], list[1]]);
        assert_eq!(code, 0, "{out}{err}");
    }
    until("all are done", || site.db.len("out") == 20);
    assert_eq!(arrived(&receiver, "/storage").len(), 20);
    assert_eq!((site.db.keys("DLQ:*"), site.db.left()), (Vec::new(), Vec::new()));
}

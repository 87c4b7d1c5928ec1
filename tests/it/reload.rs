//! A changed file is taken up while vCons pass; a bad one changes nothing.

use conserver_testkit::daemon::Signal;
use conserver_testkit::vcons::Vcons;
use serde_json::json;

use crate::api::ask;
use crate::site::{Site, until};

fn config(tag: &str) -> String {
    format!(
        "
conserver: 1
links:
  mark: {{module: tag, options: {{tags: {{version: {tag}}}}}}}
  slow: {{module: delay, options: {{seconds: 0.1}}}}
chains:
  main: {{links: [slow, mark], ingress_lists: [in], egress_lists: [out]}}
"
    )
}

fn is_marked(site: &Site, id: &str, version: &str) -> bool {
    let document = site.db.document(id).unwrap();
    document["attachments"][0]["body"].as_array().unwrap().contains(&json!(format!("version:{version}")))
}

#[test]
fn a_changed_file_takes_effect_and_loses_nothing() {
    let site = Site::new(&config("one"));
    let daemon = site.run(2);
    let mut vcons = Vcons::new(30);
    let before = site.push("in", &vcons.call());
    until("one is done", || site.db.len("out") == 1);
    assert!(is_marked(&site, &before, "one"));

    let ids: Vec<String> = (0..300).map(|_| site.push("in", &vcons.call())).collect();
    site.configure(&config("two"));
    until("both workers took it up", || daemon.told("configuration reloaded").len() == 2);
    let after = site.push("in", &vcons.call());

    until("all are done", || site.db.len("out") == 302);
    assert!(is_marked(&site, &after, "two") && !is_marked(&site, &after, "one"));
    for id in &ids {
        // Each ran on one of the two as a whole.
        assert_ne!(is_marked(&site, id, "one"), is_marked(&site, id, "two"), "{id}");
    }
    assert_eq!((site.db.len("DLQ:in"), site.db.left()), (0, Vec::new()));
    assert!(daemon.told("a worker ended").is_empty());
}

#[test]
fn a_new_list_is_served_after_sighup_and_one_that_is_gone_is_left_alone() {
    let site = Site::new(&config("one"));
    let daemon = site.run(1);
    let mut vcons = Vcons::new(31);
    site.configure(&config("one").replace("ingress_lists: [in]", "ingress_lists: [new]"));
    daemon.signal(Signal::HUP);
    let first = site.push("new", &vcons.call());
    until("the new list is served", || site.db.list("out") == [first.as_str()]);

    let left = site.push("in", &vcons.call());
    let second = site.push("new", &vcons.call());
    until("it is served again", || site.db.list("out") == [first.as_str(), second.as_str()]);
    assert_eq!(site.db.list("in"), [left]);
    assert_eq!(daemon.told("configuration reloaded").len(), 1);
}

#[test]
fn what_a_changed_file_brings_only_at_the_next_start_is_named() {
    let site = Site::new(&config("one"));
    let daemon = site.run(1);
    until("it runs", || !daemon.told("worker started").is_empty());
    site.configure(&format!(
        "{}workers: 3\nstories: {{runs: 7}}\napi: {{max_queue_length: 9}}\n",
        config("two")
    ));
    let told = || daemon.told("counts from the next start");
    until("it is told", || !told().is_empty());
    assert_eq!((told().len(), &told()[0]["keys"]), (1, &json!("workers, stories")));
}

#[test]
fn a_bad_file_keeps_the_old_configuration_and_a_mended_one_is_taken_up() {
    let site = Site::new(&config("one"));
    let daemon = site.run(1);
    let mut vcons = Vcons::new(32);
    let errors = || daemon.events().iter().filter(|event| event["level"] == "ERROR").count();
    let bad = [
        "conserver: 1\nchains: 5\n",
        "# nothing\n",
        "",
        "conserver: 1\nlimits: {max_document_bytes: many}\n",
    ];
    for (n, text) in bad.into_iter().enumerate() {
        site.configure(text);
        until("the mistake is told", || daemon.told("the old one runs on").len() == n + 1);
    }
    let told = errors();
    let id = site.push("in", &vcons.call());
    until("the old one runs on", || site.db.len("out") == 1);
    assert!(is_marked(&site, &id, "one"));
    site.configure(&config("two"));
    until("the mended one is taken up", || !daemon.told("configuration reloaded").is_empty());
    let id = site.push("in", &vcons.call());
    until("it runs", || site.db.len("out") == 2);
    assert!(is_marked(&site, &id, "two"));
    assert_eq!(told, errors(), "a bad file is told once");
}

/// A second chain beside the first, and a mistake in the first.
fn with_a_mistake(tag: &str) -> String {
    config(tag).replace("links: [slow, mark]", "links: [slow, mrak]")
        + "  other: {links: [mark], ingress_lists: [in2], egress_lists: [out2]}\n"
}

#[test]
fn a_running_chain_never_stops_because_of_a_mistake() {
    let site = Site::new(&config("one"));
    let daemon = site.run(1);
    let mut vcons = Vcons::new(34);
    site.configure(&with_a_mistake("two"));
    until("it is told", || !daemon.told("in its last good form").is_empty());
    until("the rest is taken up", || !daemon.told("configuration reloaded").is_empty());
    let told = &daemon.told("in its last good form")[0];
    assert!(told["why"].as_str().unwrap().contains("no link named `mrak`"), "{told}");
    let (one, two) = (site.push("in", &vcons.call()), site.push("in2", &vcons.call()));
    until("both chains run", || site.db.len("out") == 1 && site.db.len("out2") == 1);
    // A link that is sound is the new one, whoever uses it.
    assert!(is_marked(&site, &one, "two") && is_marked(&site, &two, "two"));

    // A worker that starts later runs it in the same form.
    daemon.usual_workers()[0].signal(Signal::KILL);
    until("its death is noticed", || !daemon.told("a worker ended").is_empty());
    let _ = site.push("in", &vcons.call());
    until("it still runs", || site.db.len("out") == 2);

    site.configure(&config("three"));
    until("it is mended", || daemon.told("configuration handed to the workers").len() == 2);
    let mut last = String::new();
    until("it runs in its new form", || {
        last = site.push("in", &vcons.call());
        until("it is done", || site.db.list("out").contains(&last));
        is_marked(&site, &last, "three")
    });
}

#[test]
fn the_python_dialect_runs_what_is_sound_and_lookers_see_the_rest() {
    let site = Site::new(
        "
links:
  good: {module: links.tag, options: {tags: [a]}}
  bad: {module: links.sampler, options: {method: no-such-method}}
chains:
  x: {links: [good], ingress_lists: [in], egress_lists: [out]}
  y: {links: [bad], ingress_lists: [in2], egress_lists: [out2]}
",
    );
    let _daemon = site.run(1);
    let mut vcons = Vcons::new(35);
    let waits = site.push("in2", &vcons.call());
    site.push("in", &vcons.call());
    until("the sound chain runs", || site.db.len("out") == 1);
    assert_eq!(site.db.list("in2"), [waits]);
    let (code, shown, _) = site.command(&["queues", "-c", "chains.yaml"]);
    assert!(code == 0 && shown.contains("in2"), "{code}: {shown}");
    let (code, shown, _) = site.command(&["check", "-c", "chains.yaml"]);
    assert!(code == 78 && shown.contains("chain `y` does not run"), "{code}: {shown}");
    // Our dialect starts nothing of it, unless it is asked to.
    let ours = format!("conserver: 1\n{}", std::fs::read_to_string(site.path("chains.yaml")).unwrap());
    std::fs::write(site.path("ours.yaml"), ours).unwrap();
    let (code, _, said) = site.command(&["run", "--no-api", "-c", "ours.yaml"]);
    assert!(code == 78 && said.contains("--lenient"), "{code}: {said}");
}

#[test]
fn a_configuration_from_a_pipe_is_read_once() {
    let site = Site::new(&config("one"));
    let pipe = site.path("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let text = std::fs::read_to_string(site.path("chains.yaml")).unwrap();
    let writer = std::thread::spawn({
        let pipe = pipe.clone();
        move || std::fs::write(pipe, text).unwrap()
    });
    let daemon = site.setup.start(&["run", "--no-api", "-c", pipe.to_str().unwrap()]);
    writer.join().unwrap();
    until("it runs", || !daemon.told("worker started").is_empty());
    daemon.signal(Signal::HUP);
    until("it says that it cannot be read again", || !daemon.told("cannot reload").is_empty());
    let id = site.push("in", &Vcons::new(36).call());
    until("it runs on", || site.db.list("out") == [id.as_str()]);
}

#[test]
fn a_worker_that_dies_after_a_bad_file_comes_back_with_the_old_configuration() {
    let site = Site::new(&config("one"));
    let daemon = site.run(1);
    site.configure("conserver: 1\nchains: 5\n");
    until("the mistake is told", || !daemon.told("the old one runs on").is_empty());
    daemon.usual_workers()[0].signal(Signal::KILL);
    until("its death is noticed", || !daemon.told("a worker ended").is_empty());

    let id = site.push("in", &Vcons::new(33).call());
    until("a new worker runs the old configuration", || site.db.list("out") == [id.as_str()]);
}

#[test]
fn a_key_is_revoked_whatever_is_wrong_with_a_chain() {
    let keyed = |key: &str, text: String| {
        let api = format!("conserver: 1\napi: {{keys: [{{name: us, key: {key}}}]}}\n");
        text.replacen("conserver: 1\n", &api, 1)
    };
    let site = Site::new(&keyed("old-key", config("one")));
    let address = format!("127.0.0.1:{}", conserver_testkit::free_port());
    let daemon = site.setup.run(1, &["--listen", &address]);
    let answers = |key: &str| ask(&address, "GET /queues", key, "").map_or(0, |(status, _)| status);
    until("the API is there", || answers("old-key") == 200);
    assert_eq!(answers("new-key"), 403);
    site.configure(&keyed("new-key", with_a_mistake("one")));
    until("the new key opens", || answers("new-key") == 200);
    assert_eq!(answers("old-key"), 403);
    until("the API says so", || !daemon.told("the API took up").is_empty());
}

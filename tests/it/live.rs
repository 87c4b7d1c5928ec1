//! How the instance stands, as the API tells it: what the workers said a second ago.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use conserver_testkit::daemon::Signal;
use conserver_testkit::vcons::Vcons;
use serde_json::{Value, json};

use crate::health::get;
use crate::site::{Site, until};

/// What a GET answers, as JSON; null while nobody listens.
fn json_of(address: &str, path: &str) -> Value {
    get(address, path).and_then(|(_, text)| serde_json::from_str(&text).ok()).unwrap_or_default()
}

#[test]
fn a_chain_that_waits_for_a_storage_says_so() {
    let nobody = conserver_testkit::free_port();
    let site = Site::new(&format!(
        "
conserver: 1
storages:
  pg:
    module: postgres
    options: {{url: 'postgres://me@127.0.0.1:{nobody}/db', connect_timeout: 1s}}
    retry: {{attempts: 1}}
    breaker: {{failures: 1, cooldown: 1s}}
chains:
  main: {{links: [], storages: [pg], ingress_lists: [in], egress_lists: [out]}}
  other: {{links: [], ingress_lists: [more], egress_lists: [out]}}
"
    ));
    let address = format!("127.0.0.1:{}", conserver_testkit::free_port());
    let daemon = site.setup.run(2, &["--listen", &address]);
    until("both workers told", || json_of(&address, "/chains")[0]["workers"] == 2);
    let well = json_of(&address, "/chains");
    assert_eq!((&well[0]["held_up"], &well[0]["breakers"][0]["state"]), (&json!(false), &json!("closed")));

    let listener = Listener::new(&address, "/events?kind=settled");
    let mut vcons = Vcons::new(80);
    let mut chains = Value::Null;
    until("the chain is held up", || {
        site.push("in", &vcons.call());
        std::thread::sleep(Duration::from_millis(100));
        chains = json_of(&address, "/chains");
        chains[0]["held_up"] == true
    });
    listener.until(
        "the run says what it failed of",
        &["\"outcome\":\"retry\"", "\"reason\":\"unavailable\"", "\"storage\":\"pg\"", "\"error\":"],
    );
    let breaker = &chains[0]["breakers"][0];
    assert_eq!((&chains[0]["held_up_by"], &breaker["error"]), (&json!("pg"), &json!("unavailable")));
    assert!(breaker["open_in"].as_u64().unwrap() >= 1 && breaker["state"] != "closed", "{breaker}");
    assert_eq!(chains[1]["held_up"], false);

    // The other chain works, and its list tells how fast.
    until("its list moves", || {
        site.push("more", &vcons.call());
        let queues = json_of(&address, "/queues");
        let rows = queues.as_array().cloned().unwrap_or_default();
        rows.iter().any(|row| row["list"] == "more" && row["rate"]["settled"].as_f64() > Some(0.0))
    });
    drop(daemon);
}

/// What a client of `/events` has heard so far; whole once the stream has ended.
struct Listener {
    heard: Arc<Mutex<String>>,
    ended: std::thread::JoinHandle<()>,
}

impl Listener {
    fn new(address: &str, path: &str) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n").unwrap();
        let heard = Arc::new(Mutex::new(String::new()));
        let writes = heard.clone();
        let ended = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = stream.read(&mut bytes) {
                writes.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
        Self { heard, ended }
    }

    fn heard(&self) -> String {
        self.heard.lock().unwrap().clone()
    }

    #[track_caller]
    fn until(&self, what: &str, parts: &[&str]) {
        let holds = || self.heard().lines().any(|line| parts.iter().all(|part| line.contains(part)));
        until(&format!("{what}: {parts:?}"), holds);
    }
}

#[test]
fn listeners_hear_of_vcons_dead_letters_workers_and_pauses() {
    let site = Site::new(
        "
conserver: 1
links:
  mark: {module: tag, options: {tags: {seen: yes}}}
chains:
  main: {links: [mark], ingress_lists: [in], egress_lists: [out]}
",
    );
    let address = format!("127.0.0.1:{}", conserver_testkit::free_port());
    let mut daemon = site.setup.run(2, &["--listen", &address]);
    until("the API hears of both workers", || json_of(&address, "/chains")[0]["workers"] == 2);
    let listener = Listener::new(&address, "/events");
    listener.until("figures come", &["\"kind\":\"figures\"", "\"workers\":2", "\"in\":{"]);

    let id = site.push("in", &Vcons::new(81).call());
    listener
        .until("it comes by", &["\"kind\":\"settled\"", &id, "\"outcome\":\"done\"", "\"chain\":\"main\""]);
    site.db.push("in", &["nowhere"]);
    listener.until("it is dead", &["\"kind\":\"settled\"", "nowhere", "\"outcome\":\"dead\"", "missing"]);
    listener.until("its letter", &["\"kind\":\"dead-letter\"", "nowhere", "DLQ:in"]);

    let worker = daemon.usual_workers().pop().unwrap();
    worker.signal(Signal::KILL);
    let pid = format!("\"pid\":{}", worker.pid);
    listener.until("its death is told", &["\"kind\":\"worker\"", "\"state\":\"ended\"", "SIGKILL", &pid]);
    listener.until("its recovery, too", &["\"kind\":\"worker\"", "\"state\":\"recovered\"", &pid]);
    listener.until(
        "another one starts",
        &["\"kind\":\"worker\"", "\"state\":\"started\"", "\"role\":\"worker\""],
    );

    assert_eq!(site.command(&["queues", "--pause", "in"]).0, 0);
    listener.until("the pause is told", &["\"kind\":\"list\"", "\"state\":\"paused\"", "\"list\":\"in\""]);

    assert!(daemon.stop().success());
    let heard = listener.heard.clone();
    listener.ended.join().unwrap();
    let heard = heard.lock().unwrap();
    // The end of the stream, not of a connection that was cut.
    assert!(heard.ends_with("0\r\n\r\n"), "{heard}");
    assert!(!heard.contains("missed"), "{heard}");
}

//! How the instance stands, as the API tells it: what the workers said a second ago.

use std::time::Duration;

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

    let mut vcons = Vcons::new(80);
    let mut chains = Value::Null;
    until("the chain is held up", || {
        site.push("in", &vcons.call());
        std::thread::sleep(Duration::from_millis(100));
        chains = json_of(&address, "/chains");
        chains[0]["held_up"] == true
    });
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

//! The description of the API against the API itself: Schemathesis makes requests out of `/openapi.json`, good ones and
//! bad ones, and holds the running instance to what is written there. `schemathesis.toml` has the exceptions.

use std::process::Command;

use conserver_api::CALLS;

use crate::site::{Site, until};

const CONFIG: &str = "
conserver: 1
api:
  keys: [{name: all, key: sesame, role: admin}]
chains:
  main: {ingress_lists: [in], egress_lists: [out], storages: [archive]}
storages:
  archive: {module: storage.file, options: {path: $DIR/archive}}
ingress_auth: {partner: [sesame]}
";

/// Calls that have a run of their own, or none, and why.
const APART: &[(&str, &str)] = &[
    ("POST /config", "it takes away the lists and partners that the other calls need"),
    ("GET /events", "it answers for ever: `live.rs` listens to it"),
];

#[test]
fn the_api_does_what_its_description_says() {
    let site = Site::new(CONFIG);
    let address = format!("127.0.0.1:{}", conserver_testkit::free_port());
    let daemon = site.setup.run(1, &["--listen", &address]);
    until("the API listens", || !daemon.told("API listening").is_empty());
    until("a worker is at work", || {
        crate::api::ask(&address, "GET /ready", "", "").is_some_and(|(status, _)| status == 200)
    });
    let others: Vec<&str> = APART.iter().flat_map(|(call, _)| ["--exclude-name", *call]).collect();
    assert_eq!(tested(&site, &address, &others), CALLS.len() - APART.len());
    assert_eq!(tested(&site, &address, &["--include-name", "POST /config"]), 1);
    drop(daemon);
}

/// Runs it; answers how many calls it tested.
fn tested(site: &Site, address: &str, which: &[&str]) -> usize {
    let python = std::env::var("CONSERVER_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let output = Command::new(&python)
        .args(["-m", "schemathesis.cli", "--no-color"])
        .args(["--config-file", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/schemathesis.toml")])
        .args(["run", &format!("http://{address}/openapi.json"), "--header", "x-conserver-api-token: sesame"])
        // The same requests each time; a number of them that takes seconds. Examples have a test of their own, on both
        // backends: this one cannot send lines.
        .args(["--generation-deterministic", "--max-examples", "20", "--phases", "coverage,fuzzing"])
        .args(["--continue-on-failure", "--request-timeout", "30"])
        .args(which)
        .current_dir(site.setup.folder())
        .output()
        .unwrap_or_else(|e| {
            panic!("`{python}` cannot be started ({e}): set CONSERVER_PYTHON, or .ci/run tools")
        });
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let [said, wrong] = &text;
    assert!(
        !wrong.contains("No module named"),
        "`{python}` has no Schemathesis: .ci/run tools, or pip install schemathesis"
    );
    assert!(output.status.success(), "{said}\n{wrong}");
    let tested = said.lines().find_map(|line| line.trim().strip_prefix("Tested:"));
    tested.and_then(|number| number.trim().parse().ok()).unwrap_or_else(|| panic!("{said}\n{wrong}"))
}

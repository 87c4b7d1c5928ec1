//! A jq filter that runs away costs its own vCon, and neither the worker nor the vCons beside it.

use std::fs;

use conserver_testkit::vcons::Vcons;
use serde_json::json;

use crate::site::{Site, until};

const CONFIG: &str = r#"
conserver: 1
links:
  filter:
    module: jq_link
    options:
      max_cpu_seconds: 1
      max_memory: 64MiB
      filter: |
        def endless: endless; def deep: 1 + deep;
        if .subject == "endless" then endless
        elif .subject == "deep" then deep
        elif .subject == "list" then [range(1e9)]
        elif .subject == "text" then "a" * 1000000000
        elif .subject == "grow" then [limit(1e9; repeat(1))]
        else .subject != "no" end
chains:
  main: {links: [filter], ingress_lists: [in], egress_lists: [out]}
"#;

#[test]
fn a_filter_that_runs_away_makes_one_dead_letter_and_ends_no_worker() {
    let site = Site::new(CONFIG);
    let mut vcons = Vcons::new(1);
    let mut push = |subject: &str| {
        let mut call = vcons.call();
        call["subject"] = json!(subject);
        site.push("in", &call)
    };
    let wild = ["endless", "deep", "list", "text", "grow"].map(|subject| {
        (0..10).for_each(|_| drop(push("yes")));
        push("no");
        (subject, push(subject))
    });
    let mut daemon = site.run(1);
    let worker = daemon.usual_workers()[0].pid;

    until("50 pass and 5 are dead", || site.db.len("out") == 50 && site.db.len("DLQ:in") == 5);
    for (subject, id) in &wild {
        let letter = site.db.letter("DLQ:in", id);
        assert_eq!(letter["reason"], "invalid", "{subject}: {letter:?}");
        assert!(letter.values().any(|value| value.contains("`max_")), "{subject}: {letter:?}");
    }
    assert_eq!(daemon.usual_workers()[0].pid, worker, "the worker lives");
    // The last one may have ended the only host.
    push("yes");
    until("one more passes", || site.db.len("out") == 51 && hosts(&site) > 0);

    daemon.stop();
    until("no process of a filter is left", || hosts(&site) == 0);
    assert_eq!(site.db.left(), []);
}

#[test]
fn a_filter_at_work_does_not_outlive_a_killed_worker() {
    let site = Site::new(&CONFIG.replace("max_cpu_seconds: 1", "max_cpu_seconds: 3"));
    let mut call = Vcons::new(1).call();
    call["subject"] = json!("endless");
    site.push("in", &call);
    let mut daemon = site.run(1);
    until("the filter runs", || hosts(&site) > 0);
    for worker in daemon.kill() {
        worker.signal(conserver_testkit::daemon::Signal::KILL);
    }
    until("its time is up", || hosts(&site) == 0);
}

/// How many processes run filters for this site: they have its folder as theirs.
fn hosts(site: &Site) -> usize {
    let folder = fs::canonicalize(site.setup.folder()).unwrap();
    let is_host = |path: std::path::PathBuf| {
        let line = fs::read(path.join("cmdline")).unwrap_or_default();
        let is_ours = fs::read_link(path.join("cwd")).is_ok_and(|cwd| cwd == folder);
        is_ours && line.split(|byte| *byte == 0).any(|argument| argument == b"jq-host")
    };
    fs::read_dir("/proc").unwrap().flatten().filter(|entry| is_host(entry.path())).count()
}

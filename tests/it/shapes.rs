//! Chains beside each other: what one waits for holds up no other. `conserver-load shapes` measures how little.

use conserver_testkit::daemon::Setup;
use conserver_testkit::vcons::Vcons;

use crate::embedded::File;
use crate::site::{Site, until};

/// A serial chain that is busy, one that is idle, one that is slow, and one whose storage is away.
const CHAINS: &str = "
links:
  mark: {module: tag, options: {tags: {seen: yes}}}
  crawl: {module: delay, options: {seconds: 5}}
storages:
  away: {module: webhook, options: {webhook-urls: ['http://127.0.0.1:9/']}}
chains:
  busy: {links: [mark], ingress_lists: [in], egress_lists: [out], concurrency: 1}
  idle: {links: [mark], ingress_lists: [idle], egress_lists: [out]}
  slow: {links: [crawl], ingress_lists: [slow], egress_lists: [late], concurrency: 1}
  lame: {links: [mark], storages: [away], ingress_lists: [lame], egress_lists: [late]}
";
/// With a wait of a second between two of them they would take minutes.
const VCONS: usize = 300;
/// On each list beside it: more than the slow chain gets done meanwhile.
const BESIDE: usize = 50;

#[test]
fn a_busy_chain_waits_for_no_other() {
    let site = Site::new(&format!("conserver: 1\n{CHAINS}"));
    let mut vcons = Vcons::new(3);
    for list in ["slow", "lame"] {
        (0..BESIDE).for_each(|_| drop(site.push(list, &vcons.call())));
    }
    let _daemon = site.run(1);
    (0..VCONS).for_each(|_| drop(site.push("in", &vcons.call())));
    until("the busy chain is done", || site.db.len("out") == VCONS);
    // The others were at work all the time.
    assert!(site.db.len("slow") > 0 && site.db.len("late") < BESIDE);
}

#[test]
fn a_busy_chain_waits_for_no_other_without_redis() {
    let setup =
        Setup::new(env!("CARGO_BIN_EXE_conserver"), &format!("conserver: 1\ndata_dir: data\n{CHAINS}"));
    let mut vcons = Vcons::new(3);
    let mut push = |list: &str, count: usize| {
        let files: Vec<String> = (0..count).map(|n| format!("{list}-{n}.json")).collect();
        for file in &files {
            std::fs::write(setup.folder().join(file), vcons.call().to_string()).unwrap();
        }
        let mut args = vec!["push", "-l", list];
        args.extend(files.iter().map(String::as_str));
        assert!(setup.command(&args).status.success());
    };
    push("slow", BESIDE);
    push("lame", BESIDE);
    let _daemon = setup.run(1, &["--no-api"]);
    push("in", VCONS);
    let file = File::open(&setup.folder().join("data"));
    until("the busy chain is done", || file.len("out") == VCONS);
    assert!(file.len("slow") > 0 && file.len("late") < BESIDE);
}

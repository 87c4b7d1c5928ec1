//! A vCon is in at most one run at a time, whoever queues it how often, and whoever else takes from the list.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use conserver_testkit::vcons::Vcons;

use crate::site::{Site, until};

const CONFIG: &str = "
conserver: 1
links:
  count: {module: test.count, options: {file: $DIR/runs, seconds: 0.1}}
chains:
  one: {links: [count], ingress_lists: [in_one], egress_lists: [out_one]}
  two: {links: [count], ingress_lists: [in_two], egress_lists: [out_two]}
";

#[test]
fn an_id_that_is_queued_five_times_at_once_runs_five_times_and_no_update_is_lost() {
    let site = Site::faulty(CONFIG);
    let mut vcons = Vcons::new(4);
    let ids: Vec<String> = (0..20).map(|_| site.db.put(&vcons.call())).collect();
    for id in &ids {
        site.db.push("in_one", &[id, id, id]);
        site.db.push("in_two", &[id, id]);
    }
    let _daemon = site.run(2);

    until("every occurrence is done", || site.db.len("out_one") == 60 && site.db.len("out_two") == 40);
    for id in &ids {
        assert_eq!(site.db.document(id).unwrap()["runs"], 5, "{id}");
    }
    let runs = std::fs::read_to_string(site.path("runs")).unwrap();
    assert_eq!(runs.lines().filter(|line| line.contains(" one ")).count(), 60);
    assert_eq!(runs.lines().filter(|line| line.contains(" two ")).count(), 40);
    assert_eq!((site.db.len("DLQ:in_one"), site.db.len("DLQ:in_two")), (0, 0));
    assert_eq!(site.db.left(), []);
}

#[test]
fn beside_a_plain_consumer_of_the_same_list_nothing_is_processed_twice() {
    let site = Site::faulty(&CONFIG.replace("seconds: 0.1", "seconds: 0.002"));
    let mut vcons = Vcons::new(5);
    let ids: Vec<String> = (0..1000).map(|_| site.db.put(&vcons.call())).collect();
    let (db, enough) = (site.db.clone(), Arc::new(AtomicBool::new(false)));
    let ended = enough.clone();
    let rival = std::thread::spawn(move || {
        let (mut connection, mut taken) = (db.connect(), Vec::new());
        while !ended.load(Ordering::SeqCst) {
            let popped: Option<(String, String)> =
                redis::cmd("BLPOP").arg("in_one").arg(0.2).query(&mut connection).unwrap();
            taken.extend(popped.map(|(_, id)| id));
            // It works a little for each.
            std::thread::sleep(Duration::from_millis(2));
        }
        taken
    });
    let _daemon = site.run(2);
    for id in &ids {
        site.db.push("in_one", &[id]);
    }

    until("the list is empty", || site.db.len("in_one") == 0 && site.db.in_flight(None) == 0);
    enough.store(true, Ordering::SeqCst);
    let theirs = rival.join().unwrap();
    until("all that is ours is done", || site.db.len("out_one") + theirs.len() >= ids.len());
    let ours = site.db.list("out_one");
    assert!(!ours.is_empty() && !theirs.is_empty(), "both took some: {} and {}", ours.len(), theirs.len());
    let all: Vec<&String> = ours.iter().chain(&theirs).collect();
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "nothing twice");
    assert_eq!(all.into_iter().collect::<BTreeSet<_>>(), ids.iter().collect::<BTreeSet<_>>(), "nothing lost");
}

//! A storage that is away fills the queue, not the dead letters; and when it is back, nobody has to do anything.

use std::time::Duration;

use conserver_testkit::daemon::Daemon;
use conserver_testkit::postgres::{Database, PostgresServer};
use conserver_testkit::vcons::Vcons;

use crate::api::ask;
use crate::site::{Site, until, within};

/// How long the storage is away: a minute in the long form.
fn outage() -> Duration {
    Duration::from_secs(if crate::is_long() { 60 } else { 8 })
}

fn config(database: &Database, more: &str) -> String {
    format!(
        "
conserver: 1
links:
  mark: {{module: tag, options: {{tags: {{seen: yes}}}}}}
storages:
  pg:
    module: postgres
    options: {{url: '{}', index_json: false, connect_timeout: 1s}}
    breaker: {{cooldown: 1s}}
    {more}
  files: {{module: file, options: {{path: $DIR/files}}}}
chains:
  main: {{links: [mark], storages: [pg, files], ingress_lists: [in], egress_lists: [out]}}
",
        database.url()
    )
}

fn rows(database: &Database) -> usize {
    database.psql("SELECT count(*) FROM vcons").parse().unwrap()
}

/// How many breakers opened.
fn opened(daemon: &Daemon) -> usize {
    daemon.told("breaker open").len()
}

#[test]
fn an_outage_of_a_required_storage_fills_the_queue_and_heals_by_itself() {
    let mut server = PostgresServer::start();
    let database = server.create_database();
    let site = Site::faulty_alone(&config(&database, ""));
    let daemon = site.run(2);
    let mut vcons = Vcons::new(6);
    site.push("in", &vcons.call());
    until("the storage is in use", || site.db.len("out") == 1);

    // Low load: now and then one vCon.
    server.stop();
    let mut pushed = 1;
    let start = std::time::Instant::now();
    while start.elapsed() < outage() {
        site.push("in", &vcons.call());
        pushed += 1;
        std::thread::sleep(Duration::from_millis(300));
    }
    assert_eq!((site.db.len("DLQ:in"), site.db.len("out")), (0, 1));
    let told = opened(&daemon);
    assert!((1..=2).contains(&told), "each of two workers tells once that its breaker opened: {told}");
    server.restart();
    until("what waited is done", || site.db.len("out") == pushed);

    // High load: everything at once, in the middle of it the storage goes.
    let ids: Vec<String> = (0..600).map(|_| site.db.put(&vcons.call())).collect();
    site.db.push("in", &ids.iter().map(String::as_str).collect::<Vec<_>>());
    until("some are done", || site.db.len("out") > pushed + 20);
    server.stop();
    std::thread::sleep(outage());
    let waiting = site.db.len("in");
    assert!(waiting > 0 || site.db.len("out") == pushed + ids.len(), "the queue holds what cannot be saved");
    assert_eq!(site.db.len("DLQ:in"), 0);
    server.restart();
    until("all is done", || site.db.len("out") == pushed + ids.len());

    assert_eq!(rows(&database), pushed + ids.len());
    assert_eq!(site.db.keys("DLQ:*"), Vec::<String>::new());
    assert_eq!(site.db.left(), []);
}

#[test]
fn a_storage_that_is_not_required_stops_nobody_and_is_healed_by_a_replay() {
    let mut server = PostgresServer::start();
    let database = server.create_database();
    let site = Site::faulty(&config(&database, "required: false\n    retry: {attempts: 1}"));
    let _daemon = site.run(1);
    let mut vcons = Vcons::new(7);
    site.push("in", &vcons.call());
    until("the storage is in use", || site.db.len("out") == 1);

    server.stop();
    let ids: Vec<String> = (0..30).map(|_| site.push("in", &vcons.call())).collect();
    within(Duration::from_secs(30), "the others are done without it", || site.db.len("out") == 31);
    let mut dead = site.db.list("DLQ:storage:pg");
    dead.sort();
    assert_eq!(dead, ids);
    assert_eq!(site.db.letter("DLQ:storage:pg", &ids[0])["storage"], "pg");
    assert_eq!(site.db.len("DLQ:in"), 0);

    let away = site.command(&["dlq", "replay", "--storage-dlq", "pg", "--limit", "1"]);
    assert_eq!((away.0, site.db.len("DLQ:storage:pg")), (1, 30), "{}", away.2);
    server.restart();
    let replayed = site.command(&["dlq", "replay", "--storage-dlq", "pg"]);
    assert_eq!(replayed.0, 0, "{}{}", replayed.1, replayed.2);
    assert_eq!((rows(&database), site.db.len("DLQ:storage:pg")), (31, 0));
    assert_eq!(site.db.len("out"), 31);
}

#[test]
fn the_api_reads_from_a_storage_again_once_it_is_back() {
    let mut server = PostgresServer::start();
    let database = server.create_database();
    let site = Site::new(&config(&database, ""));
    let address = format!("127.0.0.1:{}", conserver_testkit::free_port());
    let _daemon = site.setup.run(1, &["--listen", &address]);
    let id = site.push("in", &Vcons::new(8).call());
    until("it is stored", || site.db.len("out") == 1);
    std::fs::remove_dir_all(site.path("files")).unwrap();
    let read = || {
        let () = redis::Commands::del(&mut site.db.connect(), format!("vcon:{id}")).unwrap();
        ask(&address, &format!("GET /vcon/{id}"), "", "").map(|(status, _)| status)
    };
    until("the storage has it", || read() == Some(200));
    server.stop();
    for _ in 0..20 {
        assert_eq!(read(), Some(503), "nobody knows whether the storage has it");
    }
    server.restart();
    until("the storage is asked again", || read() == Some(200));
}

//! Where it happens: Redis behind a proxy, PostgreSQL, a folder of files, the program; and the evidence afterwards.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use conserver_testkit::daemon::Daemon;
use conserver_testkit::json::read_view;
use conserver_testkit::oracle::{Evidence, Oracle};
use conserver_testkit::postgres::{Database, PostgresServer};
use conserver_testkit::proxy::Proxy;
use conserver_testkit::vcons::{Vcons, vcon};
use redis::Commands;
use serde_json::{Value, json};

use crate::site::{Site, until};

/// No progress for so long means that something is lost.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Field {
    // In this order: the program ends before its servers do.
    pub(super) daemon: Daemon,
    pub(super) proxy: Proxy,
    pub(super) site: Site,
    pub(super) oracle: Arc<Mutex<Oracle>>,
    database: Database,
}

fn config(database: &Database) -> String {
    format!(
        "
conserver: 1
links:
  slow: {{module: delay, options: {{seconds: 0.07}}}}
  first: {{module: tag, options: {{tags: {{first: '1'}}}}}}
  second: {{module: tag, options: {{tags: {{second: '2'}}}}}}
storages:
  files: {{module: file, options: {{path: $DIR/files, organize_by_date: false}}}}
  pg: {{module: postgres, options: {{url: '{}', index_json: false}}}}
chains:
  one: {{links: [first, slow], storages: [pg], ingress_lists: [in], egress_lists: [mid], concurrency: 60}}
  two: {{links: [slow, second], storages: [files, pg], ingress_lists: [mid], egress_lists: [out], concurrency: 60}}
",
        database.url()
    )
}

/// The document that has to come out for this one.
pub(super) fn expected(document: &Value) -> Value {
    let mut document = document.clone();
    let tags = document["attachments"][0]["body"].as_array_mut().expect("a generated call has tags");
    tags.extend([json!("first:1"), json!("second:2")]);
    read_view(&vcon(&document))
}

impl Field {
    pub(super) fn prepare() -> Self {
        let database = PostgresServer::shared().create_database();
        let site = Site::faulty_alone(&config(&database));
        let proxy = Proxy::start(site.redis.address());
        let site = site.env("REDIS_URL", proxy.url());
        let daemon = site.run(2);
        Self { daemon, proxy, site, oracle: Arc::default(), database }
    }

    pub(super) fn owed(&self) -> usize {
        self.oracle.lock().unwrap().count()
    }

    /// Waits until every id is out, or nothing moves any more.
    pub(super) fn wait_for_all(&self) {
        let mut progress = (0, Instant::now());
        loop {
            let out = self.site.db.list("out");
            let in_flight = self.site.db.in_flight(None);
            if self.oracle.lock().unwrap().missing(&out) == 0 && in_flight == 0 {
                return;
            }
            if out.len() > progress.0 {
                progress = (out.len(), Instant::now());
            }
            if progress.1.elapsed() > PATIENCE {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// How many ids were handed out again, as the program's own log has it.
    pub(super) fn redelivered(&self) -> u64 {
        let messages = ["recovered what it held", "recovered a worker", "took up ids whose claim was lost"];
        let told = messages.iter().flat_map(|message| self.daemon.told(message));
        told.filter_map(|event| event["vcons"].as_u64()).sum()
    }

    /// What is wrong.
    pub(super) fn judge(&self) -> Vec<String> {
        let db = &self.site.db;
        let dead = db.keys("DLQ:*").into_iter().flat_map(|list| {
            let ids = db.list(&list);
            ids.into_iter().map(move |id| (list.clone(), id))
        });
        let evidence = Evidence {
            egress: db.list("out"),
            dead: dead.collect(),
            left: [db.left(), vec![("in".to_owned(), db.len("in")), ("mid".to_owned(), db.len("mid"))]]
                .concat(),
            copies: vec![
                ("Redis".to_owned(), self.working_copies()),
                ("the folder".to_owned(), files(&self.site.path("files"))),
                ("PostgreSQL".to_owned(), self.rows()),
            ],
        };
        let mut wrong = self.oracle.lock().unwrap().judge(&evidence);
        let errors = self.daemon.events().into_iter().filter(|event| event["level"] == "ERROR");
        wrong.extend(errors.map(|event| format!("told as an error: {event}")));
        wrong
    }

    /// Afterwards everything works as before.
    pub(super) fn fresh_vcon_passes(&self) {
        let mut call = Vcons::new(99).call();
        call["uuid"] = json!("019b8d71-ffff-8000-8caa-f24ab1a0c334");
        let id = self.site.push("in", &call);
        until("a fresh vCon passes", || self.site.db.list("out").last() == Some(&id));
    }

    fn working_copies(&self) -> HashMap<String, Value> {
        let out = self.site.db.list("out");
        let mut connection = self.site.db.connect();
        let mut copies = HashMap::new();
        for ids in out.chunks(500) {
            let keys: Vec<String> = ids.iter().map(|id| format!("vcon:{id}")).collect();
            let found: Vec<Option<String>> = connection.mget(keys).unwrap();
            copies.extend(found.iter().flatten().map(|json| parse(json)));
        }
        copies
    }

    fn rows(&self) -> HashMap<String, Value> {
        let rows = self.database.psql("SELECT vcon_json FROM vcons");
        rows.lines().map(parse).collect()
    }
}

fn files(folder: &Path) -> HashMap<String, Value> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let documents = entries.filter(|path| path.extension().is_some_and(|ending| ending == "json"));
    documents.map(|path| parse(&std::fs::read_to_string(path).unwrap())).collect()
}

fn parse(json: &str) -> (String, Value) {
    let document: Value = serde_json::from_str(json).unwrap();
    (crate::db::id_of(&document), document)
}

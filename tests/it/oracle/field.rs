//! Where it happens: Redis behind a proxy, PostgreSQL, a folder of files, the program; and the evidence afterwards.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use conserver_testkit::daemon::Daemon;
use conserver_testkit::oracle::{Evidence, Oracle};
use conserver_testkit::postgres::{Database, PostgresServer};
use conserver_testkit::proxy::Proxy;
use conserver_testkit::vcons::Vcons;
use redis::Commands;
use serde_json::Value;

use crate::proof;
use crate::site::{Site, until};

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

impl Field {
    pub(super) fn prepare() -> Self {
        let database = PostgresServer::shared().create_database();
        let site = Site::faulty_alone(&config(&database));
        let proxy = Proxy::start(site.redis.address());
        let site = site.env("REDIS_URL", proxy.url());
        let daemon = site.run(2);
        Self { daemon, proxy, site, oracle: Arc::default(), database }
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

impl proof::Field for Field {
    fn daemon(&self) -> &Daemon {
        &self.daemon
    }

    fn oracle(&self) -> &Mutex<Oracle> {
        &self.oracle
    }

    fn out(&self) -> Vec<String> {
        self.site.db.list("out")
    }

    fn passed(&self) -> usize {
        self.site.db.len("out")
    }

    fn is_idle(&self) -> bool {
        self.site.db.in_flight(None) == 0
    }

    fn evidence(&self) -> Evidence {
        let db = &self.site.db;
        let dead = db.keys("DLQ:*").into_iter().flat_map(|list| {
            let ids = db.list(&list);
            ids.into_iter().map(move |id| (list.clone(), id))
        });
        Evidence {
            egress: db.list("out"),
            dead: dead.collect(),
            left: [db.left(), vec![("in".to_owned(), db.len("in")), ("mid".to_owned(), db.len("mid"))]]
                .concat(),
            copies: vec![
                ("Redis".to_owned(), self.working_copies()),
                ("the folder".to_owned(), files(&self.site.path("files"))),
                ("PostgreSQL".to_owned(), self.rows()),
            ],
        }
    }

    fn fresh_vcon_passes(&self) {
        let id = self.site.push("in", &proof::fresh(Vcons::new(99).call()));
        until("a fresh vCon passes", || self.site.db.list("out").last() == Some(&id));
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

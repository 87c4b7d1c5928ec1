//! PostgreSQL: vCons through the storage, against COPY of the same rows into the same table.
//!
//! Both write 4.4 kB of jsonb with the primary key and the index on created_at; the GIN index is left out of both, for
//! its upkeep would hide every other difference.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use conserver_testkit::postgres::{Database, PostgresServer};
use conserver_testkit::redis::AppendOnly;
use serde_json::Value;

use super::{Bound, Promise, calls, median, promise};
use crate::instance::Instance;

const VCONS: usize = 20_000;

pub(crate) fn measure(rounds: usize) -> anyhow::Result<Vec<Promise>> {
    let server = PostgresServer::start();
    let mut instance = Instance::start(AppendOnly::No)?;
    let documents = calls();
    let (mut copies, mut daemons, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let database = server.create_database();
        let config = config(&database);
        // The daemon first: it makes the table, which COPY then fills again.
        instance.flush()?;
        let ids = instance.store(&documents, VCONS)?;
        let daemon = instance.daemon(&config, 2)?;
        std::thread::sleep(Duration::from_millis(500));
        let start = Instant::now();
        instance.push("in", &ids)?;
        instance.wait_for("out", VCONS, Duration::from_secs(180))?;
        let through = VCONS as f64 / start.elapsed().as_secs_f64();
        drop(daemon);
        anyhow::ensure!(
            database.psql("SELECT count(*) FROM vcons").trim() == VCONS.to_string(),
            "rows are missing"
        );

        database.psql("TRUNCATE vcons; CHECKPOINT");
        let rows = rows(&documents, &ids)?;
        let start = Instant::now();
        copy(&database, &rows)?;
        let copied = VCONS as f64 / start.elapsed().as_secs_f64();
        copies.push(copied);
        daemons.push(through);
        ratios.push(through / copied);
    }
    Ok(vec![
        promise("COPY of the same rows", median(&mut copies), "rows/s", Bound::None),
        promise("daemon into PostgreSQL, 2 workers", median(&mut daemons), "vCons/s", Bound::None),
        promise("daemon / COPY", median(&mut ratios), "", Bound::AtLeast(0.5)),
    ])
}

fn config(database: &Database) -> String {
    format!(
        "storages: {{pg: {{module: postgres, options: {{url: \"{}\", index_json: false}}}}}}\n\
         chains: {{main: {{links: [], storages: [pg], ingress_lists: [in], egress_lists: [out], concurrency: 512}}}}\n",
        database.url()
    )
}

/// The rows as COPY reads them.
fn rows(documents: &[Vec<u8>], ids: &[String]) -> anyhow::Result<Vec<u8>> {
    let mut text = String::new();
    for (i, id) in ids.iter().enumerate() {
        let json = std::str::from_utf8(&documents[i % documents.len()])?;
        let document: Value = serde_json::from_str(json)?;
        let created = document["created_at"].as_str().unwrap_or_default();
        let subject = document["subject"].as_str().unwrap_or_default();
        writeln!(text, "{id}\t0.4.0\t{id}\t{created}\t{created}\t{}\t{}", escaped(subject), escaped(json))?;
    }
    Ok(text.into_bytes())
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n")
}

fn copy(database: &Database, rows: &[u8]) -> anyhow::Result<()> {
    let sql = "\\copy vcons (id, vcon, uuid, created_at, updated_at, subject, vcon_json) FROM STDIN";
    let mut psql = Command::new("psql")
        .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", &database.url(), "-c", sql])
        .stdin(Stdio::piped())
        .spawn()
        .context("start psql (Debian: postgresql-client)")?;
    psql.stdin.take().context("psql has no input")?.write_all(rows)?;
    anyhow::ensure!(psql.wait()?.success(), "COPY failed");
    Ok(())
}

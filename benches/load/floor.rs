//! The floor: a bare loop of the same Redis calls as a worker makes, over raw sockets.
//!
//! One thread per worker: claim script, MGET, a byte splice, settle script with the documents after it in one
//! transaction, batches of 32; the settlement and the next claim go out together. No parsing of documents, no leases,
//! no tasks, no bookkeeping.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::resp::{Connection, Reply};

const CLAIM: &str = include_str!("../../conserver/redis/src/lua/claim.lua");
const PLACE: &str = include_str!("../../conserver/redis/src/lua/place.lua");
const DOCUMENT: &str = include_str!("../../conserver/redis/src/lua/document.lua");
const SETTLE: &str = include_str!("../../conserver/redis/src/lua/settle.lua");
const RESTORE: &str = include_str!("../../conserver/redis/src/lua/restore.lua");
const RENEW: &str = include_str!("../../conserver/redis/src/lua/renew.lua");
const BATCH: &[u8] = b"32";

/// Runs loops until `stop`.
pub(crate) fn run(
    port: u16,
    threads: usize,
    list: &str,
    egress: &str,
    stop: &Arc<AtomicBool>,
) -> Vec<std::thread::JoinHandle<anyhow::Result<()>>> {
    (0..threads)
        .map(|n| {
            let (stop, list, egress) = (stop.clone(), list.to_owned(), egress.to_owned());
            std::thread::spawn(move || work(port, &format!("floor:{n}"), &list, &egress, &stop))
        })
        .collect()
}

fn work(port: u16, worker: &str, list: &str, egress: &str, stop: &AtomicBool) -> anyhow::Result<()> {
    let mut redis = Connection::open(port)?;
    let claim = load(&mut redis, CLAIM)?;
    let settle = bare(&[PLACE, DOCUMENT, SETTLE].concat());
    redis.command(&[
        b"EVAL",
        RENEW.as_bytes(),
        b"0",
        worker.as_bytes(),
        b"3600000",
        b"0",
        b"realm",
        b"floor",
    ]);
    redis.reply()?;
    add_claim(&mut redis, &claim, worker, list);
    while !stop.load(Ordering::Relaxed) {
        let mut parts = redis.reply()?.items().into_iter().skip(2);
        let entries = parts.next().map(Reply::items).unwrap_or_default();
        let entries: Vec<Range<usize>> = entries.iter().filter_map(bulk).collect();
        if entries.is_empty() {
            redis.forget();
            std::thread::sleep(std::time::Duration::from_micros(200));
            add_claim(&mut redis, &claim, worker, list);
            continue;
        }
        let fields: Vec<(String, String)> = entries.iter().map(|place| split(redis.bytes(place))).collect();
        redis.begin(fields.len() + 1).arg(b"MGET");
        for (_, id) in &fields {
            redis.arg_parts(&[b"vcon:", id.as_bytes()]);
        }
        let documents: Vec<Range<usize>> = redis.reply()?.items().iter().filter_map(bulk).collect();
        anyhow::ensure!(documents.len() == fields.len(), "a document is missing");
        redis.command(&[b"MULTI"]);
        // EVAL text 0, five of the script's own, and twelve for each item.
        redis.begin(3 + 5 + 12 * fields.len());
        redis.arg(b"EVAL").arg(settle.as_bytes()).arg(b"0");
        redis.arg(worker.as_bytes()).arg(b"604800000").arg(b"86400").arg(b"3600000");
        redis.arg(fields.len().to_string().as_bytes());
        for (entry, id) in &fields {
            redis.arg(b"F").arg(list.as_bytes()).arg(entry.as_bytes()).arg(b"1").arg(b"1");
            redis.arg(id.as_bytes()).arg(b"f").arg(b"");
            redis.arg(b"P").arg(egress.as_bytes()).arg(id.as_bytes()).arg(b"");
        }
        let waiting = 3 + documents.len();
        for ((_, id), document) in fields.iter().zip(documents) {
            redis.begin(5).arg(b"SET").arg_parts(&[b"vcon:", id.as_bytes()]);
            redis.arg_spliced(document, TAGGED).arg(b"XX").arg(b"KEEPTTL");
        }
        redis.command(&[b"EVAL", RESTORE.as_bytes(), b"0"]).command(&[b"EXEC"]);
        add_claim(&mut redis, &claim, worker, list);
        for _ in 0..=waiting {
            redis.reply()?;
        }
        redis.forget();
    }
    Ok(())
}

/// What a tag adds, about.
const TAGGED: &[u8] = br#","attachments":[{"purpose":"tags","encoding":"json","body":["a:1","b:b"]}]}"#;

fn add_claim(redis: &mut Connection, claim: &str, worker: &str, list: &str) {
    redis.command(&[
        b"EVALSHA",
        claim.as_bytes(),
        b"0",
        worker.as_bytes(),
        BATCH,
        b"main",
        b"1",
        list.as_bytes(),
        BATCH,
        b"1",
        BATCH,
    ]);
}

/// A script as the daemon sends it: without comments and indentation.
fn bare(script: &str) -> String {
    let lines = script.lines().map(str::trim).filter(|line| !line.starts_with("--"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

fn load(redis: &mut Connection, script: &str) -> anyhow::Result<String> {
    redis.command(&[b"SCRIPT", b"LOAD", script.as_bytes()]);
    let reply = redis.reply()?;
    let digest = bulk(&reply).map(|place| String::from_utf8_lossy(redis.bytes(&place)).into_owned());
    redis.forget();
    digest.ok_or_else(|| anyhow::anyhow!("SCRIPT LOAD gave no digest"))
}

fn bulk(reply: &Reply) -> Option<Range<usize>> {
    match reply {
        Reply::Bulk(place) => Some(place.clone()),
        _ => None,
    }
}

/// The entry, `token|id`, and the id of one line of a claim's answer.
fn split(line: &[u8]) -> (String, String) {
    let text = String::from_utf8_lossy(line);
    let entry = text.splitn(3, '\n').nth(2).unwrap_or_default();
    let id = entry.split_once('|').map_or("", |(_, id)| id);
    (entry.to_owned(), id.to_owned())
}

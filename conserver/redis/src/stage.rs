//! How a document travels: within the arguments of a script, after it, or, a large one, before it, into a key of its
//! own which the script renames.
//!
//! A document of many megabytes is written in parts, so that no copy of the whole lies in the client's buffers: the
//! driver copies each command several times on its way out.

use std::sync::atomic::{AtomicU64, Ordering};

use conserver_core::store::{DocumentWrite, Encoding};
use conserver_core::{Result, WorkerId};
use redis::Cmd;

use crate::keys;
use crate::queue::RedisQueue;

/// Documents up to this many bytes travel within the script's arguments.
const INLINE: usize = 64 << 10;
/// Larger ones are written in parts of this many bytes.
const PART: usize = 1 << 19;
/// A staged document that no script took lives this long.
const STAGED_MS: u64 = 600_000;

/// The mode and the payload that the scripts read.
pub(crate) enum Staged<'a> {
    /// Within the arguments.
    Inline(&'a [u8]),
    /// In a command of its own after the script, in one transaction with it: see `lua/document.lua`.
    Following(&'a [u8]),
    /// In this key.
    Key(String),
}

impl<'a> Staged<'a> {
    /// The script's word for it.
    pub(crate) fn mode(&self) -> &'static str {
        match self {
            Self::Inline(_) => "s",
            Self::Following(_) => "f",
            Self::Key(_) => "n",
        }
    }

    /// The script's argument.
    pub(crate) fn payload(&self) -> &[u8] {
        match self {
            Self::Inline(json) => json,
            Self::Following(_) => b"",
            Self::Key(key) => key.as_bytes(),
        }
    }

    /// One that a transaction can carry after its script, if it is.
    pub(crate) fn following(document: &'a DocumentWrite) -> Option<Self> {
        let fits = document.encoding == Encoding::Text && document.json.len() <= PART;
        fits.then_some(Self::Following(&document.json))
    }
}

impl RedisQueue {
    /// Writes a document that does not fit the arguments of a script to a key of its own. Repeating it is harmless.
    pub(crate) async fn stage<'a>(
        &self,
        worker: &WorkerId,
        document: &'a DocumentWrite,
    ) -> Result<Staged<'a>> {
        let doing = "write a large document";
        let json = &document.json;
        if document.encoding == Encoding::Text && json.len() <= INLINE {
            return Ok(Staged::Inline(json));
        }
        if let Some((set, staged)) = stage_ahead(worker, document) {
            self.client.command(doing, &set).await?;
            return Ok(staged);
        }
        let key = new_key(worker);
        match document.encoding {
            Encoding::Text => {
                // It has an end from the beginning: this process may die in between.
                self.client
                    .command(doing, redis::cmd("SET").arg(&key).arg("").arg("PX").arg(STAGED_MS))
                    .await?;
                // The last part first: the server makes room for the whole at once.
                for (n, part) in json.chunks(PART).enumerate().collect::<Vec<_>>().into_iter().rev() {
                    let mut set = redis::cmd("SETRANGE");
                    set.arg(&key).arg(n * PART).arg(part);
                    self.client.command(doing, &set).await?;
                }
            }
            Encoding::Json => {
                let mut set = redis::pipe();
                set.cmd("JSON.SET").arg(&key).arg("$").arg(&json[..]);
                set.cmd("PEXPIRE").arg(&key).arg(STAGED_MS);
                self.client.all(doing, &set).await?;
            }
        }
        Ok(Staged::Key(key))
    }
}

/// For a document of middle size the command that writes it to a key of its own: it can go ahead of the script in one
/// pipeline. Larger ones would lie there whole.
pub(crate) fn stage_ahead<'a>(worker: &WorkerId, document: &DocumentWrite) -> Option<(Cmd, Staged<'a>)> {
    let json = &document.json;
    if document.encoding != Encoding::Text || !(INLINE + 1..=PART).contains(&json.len()) {
        return None;
    }
    let key = new_key(worker);
    let mut set = Cmd::with_capacity(5, key.len() + json.len() + 16);
    set.arg("SET").arg(&key).arg(&json[..]).arg("PX").arg(STAGED_MS);
    Some((set, Staged::Key(key)))
}

fn new_key(worker: &WorkerId) -> String {
    static STAGED: AtomicU64 = AtomicU64::new(0);
    keys::staged(worker, STAGED.fetch_add(1, Ordering::Relaxed))
}

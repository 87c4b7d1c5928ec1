//! A body of lines, read as it comes: what is held is a line, not the body.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use bytes::{Buf, Bytes, BytesMut};
use flate2::write::MultiGzDecoder;
use http_body_util::BodyExt;

use super::body::{Budget, Packed, SILENCE, SLOWEST, Share, packed, silent};
use crate::error::{ApiError, Result, too_large, unreadable};

/// Packed bytes that are unpacked at once: not much more than a thousand times as many come out.
const BITE: usize = 1 << 10;
/// A line that is so many times longer than a document may be, and longer than this, is not waited for any longer.
const ENDLESS: (usize, usize) = (4, 4 << 20);
/// How long a client may be slower than [`SLOWEST`] in all.
const PATIENCE: Duration = Duration::from_secs(30);

/// One line that is not empty.
#[derive(Debug)]
pub(crate) enum Line {
    /// As it came, without its end.
    Text(Bytes),
    /// Longer than a document may be; passed over.
    TooLong,
}

/// The lines of a body.
pub(crate) struct Lines {
    body: Body,
    unpacker: Option<MultiGzDecoder<Vec<u8>>>,
    /// What came and was not unpacked yet.
    rest: Bytes,
    /// What came and was not answered yet.
    held: BytesMut,
    /// Bytes of `held` in which there is no end of a line.
    looked: usize,
    /// Whether the line in hand is passed over.
    skipping: bool,
    /// How much of it was passed over.
    skipped: usize,
    ended: bool,
    limit: usize,
    read: usize,
    /// How long was waited for the client.
    waited: Duration,
    share: Share,
}

/// Whether a body says that it has lines.
pub(crate) fn is_lines(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(|kind| kind.as_bytes()).unwrap_or_default();
    let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    [&b"application/x-ndjson"[..], b"application/jsonl"].iter().any(|lines| kind.eq_ignore_ascii_case(lines))
}

impl Lines {
    pub(crate) fn new(headers: &HeaderMap, body: Body, limit: usize, budget: &Arc<Budget>) -> Result<Self> {
        let unpacker = match packed(headers)? {
            Packed::Not => None,
            Packed::Gzip => Some(MultiGzDecoder::new(Vec::new())),
        };
        Ok(Self {
            body,
            unpacker,
            rest: Bytes::new(),
            held: BytesMut::new(),
            looked: 0,
            skipping: false,
            skipped: 0,
            ended: false,
            limit,
            read: 0,
            waited: Duration::ZERO,
            share: budget.share(),
        })
    }

    /// The next lines: up to `most`, or until they have `bytes` together. None are left when none are answered.
    ///
    /// # Errors
    /// Where no more can be read: too slow, ended early, no gzip.
    pub(crate) async fn group(&mut self, most: usize, bytes: usize) -> Result<Vec<Line>> {
        let (mut group, mut size) = (Vec::new(), 0);
        while group.len() < most && size < bytes {
            match self.cut() {
                Some(Line::Text(text)) if text.is_empty() => {}
                Some(line) => {
                    size += if let Line::Text(text) = &line { text.len() } else { 0 };
                    group.push(line);
                }
                None if self.ended => break,
                None if self.skipped / ENDLESS.0 > self.limit && self.skipped > ENDLESS.1 => {
                    return Err(too_large("a line has no end; send one document on each line"));
                }
                None => self.fill().await?,
            }
        }
        Ok(group)
    }

    /// A line of what is held, if its end is there.
    fn cut(&mut self) -> Option<Line> {
        let end = self.held[self.looked..].iter().position(|byte| *byte == b'\n').map(|n| self.looked + n);
        let Some(end) = end else {
            self.looked = self.held.len();
            if self.looked > self.limit {
                self.skipping = true;
            }
            if self.skipping {
                self.skipped += self.held.len();
                self.held.clear();
                self.looked = 0;
            }
            let is_last = self.ended && (self.skipping || !self.held.is_empty());
            return is_last.then(|| {
                self.looked = 0;
                let text = self.held.split();
                self.line(text)
            });
        };
        let mut text = self.held.split_to(end + 1);
        text.truncate(end);
        self.looked = 0;
        Some(self.line(text))
    }

    fn line(&mut self, text: BytesMut) -> Line {
        self.skipped = 0;
        if std::mem::take(&mut self.skipping) || text.len() > self.limit {
            return Line::TooLong;
        }
        let text = text.freeze();
        Line::Text(text.slice_ref(text.trim_ascii()))
    }

    /// Reads and unpacks some more.
    async fn fill(&mut self) -> Result<()> {
        if self.rest.is_empty() {
            let began = tokio::time::Instant::now();
            let slack = PATIENCE + Duration::from_secs((self.read / SLOWEST) as u64);
            let wait = SILENCE.min(slack.saturating_sub(self.waited));
            let frame = tokio::time::timeout(wait, self.body.frame()).await.map_err(|_| silent())?;
            self.waited += began.elapsed();
            match frame {
                None => return self.end(),
                Some(Ok(frame)) => self.rest = frame.into_data().unwrap_or_default(),
                Some(Err(_)) => return Err(unreadable("the body ended early; send the rest again")),
            }
            self.read += self.rest.len();
        }
        match &mut self.unpacker {
            None => self.held.extend_from_slice(&std::mem::take(&mut self.rest)),
            Some(unpacker) => {
                let bite = self.rest.len().min(BITE);
                unpacker.write_all(&self.rest[..bite]).map_err(no_gzip)?;
                unpacker.flush().map_err(no_gzip)?;
                self.rest.advance(bite);
                self.held.extend_from_slice(unpacker.get_ref());
                unpacker.get_mut().clear();
                // A little may have become much: others have their turn.
                tokio::task::yield_now().await;
            }
        }
        self.share.hold(self.held.capacity())
    }

    fn end(&mut self) -> Result<()> {
        self.ended = true;
        if let Some(unpacker) = &mut self.unpacker {
            unpacker.try_finish().map_err(no_gzip)?;
            self.held.extend_from_slice(unpacker.get_ref());
            unpacker.get_mut().clear();
        }
        Ok(())
    }
}

fn no_gzip(_: std::io::Error) -> ApiError {
    unreadable("the body says it is gzip and is none")
}

//! Heads that are no HTTP, too large, or never whole. Whoever speaks HTTP for us answers them by itself, before the router
//! sees anything, and without a body: this puts one in that says what to do.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::error::ErrorBody;
use crate::gate::REQUEST_ID;

/// A connection that explains refusals which are not ours.
pub(crate) struct Explained<S> {
    stream: S,
    /// What is written in place of a refusal, and how much of it is.
    instead: Option<(Vec<u8>, usize)>,
}

impl<S: AsyncWrite + Unpin> Explained<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, instead: None }
    }

    /// Tells a client whose head never came to its end.
    pub(crate) async fn too_late(&mut self) {
        // It may be gone: there is nobody else to tell.
        let _ = self.stream.write_all(&explained("408 Request Timeout")).await;
        let _ = self.stream.shutdown().await;
    }
}

/// The refusal that a head announces, if it has neither a body nor an id: ours have both.
fn refusal(head: &[u8]) -> Option<&str> {
    // Every answer comes by here: what is asked of all of them costs nothing.
    let is_bare = head.get(9) == Some(&b'4') && head.starts_with(b"HTTP/1.") && head.ends_with(b"\r\n\r\n");
    if !is_bare {
        return None;
    }
    let head = std::str::from_utf8(head).ok().filter(|head| !head.contains(REQUEST_ID.as_str()))?;
    head.get(9..)?.lines().next()
}

fn explained(status: &str) -> Vec<u8> {
    let (what, hint) = match status.get(..3) {
        Some("408") => {
            ("the request took too long", "send the whole head within 30 seconds of its first byte")
        }
        Some("414") => ("the address is too long", "send long parameters as a body"),
        Some("431") => ("the head is too large", "send at most 100 header lines and 64 kB of them"),
        _ => ("this is no HTTP request", "speak HTTP/1.1; where the server has a certificate, `https://`"),
    };
    let body = serde_json::to_string(&ErrorBody::new(what, hint)).unwrap_or_default();
    let length = body.len();
    let head = "content-type: application/json\r\nx-content-type-options: nosniff\r\nconnection: close";
    format!("HTTP/1.1 {status}\r\n{head}\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Explained<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if let (None, [head]) = (&this.instead, slices) {
            this.instead = refusal(head).map(|status| (explained(status), 0));
        }
        let Some((bytes, written)) = &mut this.instead else {
            return Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        };
        while *written < bytes.len() {
            match ready!(Pin::new(&mut this.stream).poll_write(cx, &bytes[*written..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => *written += n,
            }
        }
        this.instead = None;
        Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Explained<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_refusals_without_id_and_body_are_explained() {
        let bare = "HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(refusal(bare.as_bytes()), Some("431 Request Header Fields Too Large"));
        assert_eq!(refusal(b"HTTP/1.0 400 Bad Request\r\n\r\n"), Some("400 Bad Request"));
        for other in [
            "HTTP/1.1 404 Not Found\r\nx-request-id: 1\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}",
            "HTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 201 Created\r\n\r\n",
            "{\"a\":\"HTTP/1.1 400 Bad Request\r\n\r\n",
            "HTTP/1.",
            "",
        ] {
            assert_eq!(refusal(other.as_bytes()), None, "{other}");
        }
    }
}

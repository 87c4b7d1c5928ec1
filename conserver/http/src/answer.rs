//! What a server answers.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use conserver_core::{Applied, Class, Error, ErrorKind, Result};
use reqwest::{Response, StatusCode};

use crate::error;

/// Of a body that nobody wants, no more than this is read to keep its connection.
const SPARE_BYTES: usize = 64 << 10;
/// Nor for longer.
const SPARE_TIME: Duration = Duration::from_millis(500);

/// The head of an answer, with the body still to come.
#[derive(Debug)]
pub struct Answer {
    doing: String,
    response: Response,
}

impl Answer {
    pub(crate) fn new(doing: String, response: Response) -> Self {
        Self { doing, response }
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// What its status means: nothing is wrong with 2xx alone.
    ///
    /// # Errors
    /// As the table in [`error`] says.
    pub fn ok(&self) -> Result<()> {
        match self.status() {
            status if status.is_success() => Ok(()),
            status => Err(error::of_status(&self.doing, status, self.response.headers())),
        }
    }

    /// Reads the body.
    ///
    /// # Errors
    /// `invalid`, class unavailable, if it has more bytes than `limit`; as [`error`] says if it does not come. The request has
    /// had its effect by then.
    pub async fn read(mut self, limit: usize) -> Result<Bytes> {
        let mut body = BytesMut::new();
        loop {
            match self.response.chunk().await {
                Ok(None) => return Ok(body.freeze()),
                Ok(Some(chunk)) if body.len() + chunk.len() > limit => {
                    let says = format!("{}: the answer is longer than {limit} bytes", self.doing);
                    let error = Error::new(ErrorKind::Invalid, says).class(Class::Unavailable);
                    return Err(error.applied(Applied::Unknown));
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Err(cause) => return Err(error::of_body(&self.doing, &cause)),
            }
        }
    }

    /// Reads a short body that nobody wants, so that the connection can be used again. A long or slow one costs the
    /// connection.
    pub async fn let_go(mut self) {
        let rest = async {
            let mut bytes = 0;
            while let Ok(Some(chunk)) = self.response.chunk().await {
                bytes += chunk.len();
                if bytes > SPARE_BYTES {
                    break;
                }
            }
        };
        // Either way the answer is dropped.
        let _ = tokio::time::timeout(SPARE_TIME, rest).await;
    }
}

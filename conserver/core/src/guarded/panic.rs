//! Panics as errors.
//!
//! A bug in a link costs the vCon that met it, not the worker. Texts of panics go to dead letters and logs, where
//! nothing of a document belongs; yet a formatted text may quote one, as that of a slice at a wrong place does.
//! So only what comes before the first quotation is kept.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures::FutureExt;

use crate::{Applied, Error, ErrorKind, Result};

/// The longest text that is kept, in characters.
const LONGEST: usize = 160;

/// Waits for a future and turns its panic into an error.
///
/// # Errors
/// [`ErrorKind::Panic`], permanent; what was done before the panic may have taken effect.
pub(crate) async fn caught<T>(future: impl Future<Output = T>) -> Result<T> {
    // The future is dropped with the panic, and what it shared with others is guarded by locks that poison.
    AssertUnwindSafe(future).catch_unwind().await.map_err(|panic| {
        Error::new(ErrorKind::Panic, format!("panicked: {}", text(&*panic))).applied(Applied::Unknown)
    })
}

fn text(panic: &(dyn Any + Send)) -> String {
    if let Some(literal) = panic.downcast_ref::<&'static str>() {
        return (*literal).to_owned();
    }
    let formatted = panic.downcast_ref::<String>().map_or("no text", String::as_str);
    let quotation = [": ", "of `", "'", "\""].iter().filter_map(|mark| formatted.find(mark)).min();
    let plain: String = formatted[..quotation.unwrap_or(formatted.len())].chars().take(LONGEST).collect();
    if plain.len() < formatted.len() { format!("{} …", plain.trim_end()) } else { plain }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_permanent_error_with_its_text() {
        let error = caught(async { panic!("no such entry") }).await.unwrap_err();
        assert_eq!((error.kind(), error.is_permanent()), (ErrorKind::Panic, true));
        assert_eq!(error.to_string(), "panicked: no such entry");
        assert_eq!(caught(async { 7 }).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn what_a_panic_quotes_of_a_document_is_left_out() {
        let secret = String::from("é my number is 123");
        let sliced = caught(async { secret[..1].len() }).await.unwrap_err().to_string();
        let parsed = caught(async { secret.parse::<u32>().map_err(|_| secret.clone()).unwrap() }).await;
        let parsed = parsed.unwrap_err().to_string();
        for text in [&sliced, &parsed] {
            assert!(!text.contains("123") && !text.contains("my"), "{text}");
        }
        assert_eq!(parsed, "panicked: called `Result::unwrap()` on an `Err` value …");
    }
}

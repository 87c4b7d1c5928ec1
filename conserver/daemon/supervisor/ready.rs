//! The wait for a backend that can be used, at start.

use std::time::Duration;

use conserver_core::backend::Gravity;
use conserver_core::clock::Seldom;
use conserver_core::config::Plan;

use crate::wiring::Backend;

/// Waits until the backend answers, and says what is worth saying about it.
pub(super) async fn ready(backend: &Backend, plan: &Plan) -> anyhow::Result<()> {
    let mut told = Seldom::every(Duration::from_secs(10));
    let findings = loop {
        match backend.advise(plan).await {
            Ok(findings) => break findings,
            Err(error) => {
                if told.is_time() {
                    tracing::warn!(error = %error.chain(), "cannot reach {}; waiting for it", backend.inspect.kind());
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
    };
    for finding in &findings {
        match finding.gravity {
            Gravity::Good => tracing::debug!(subject = finding.subject, "{}", finding.found),
            Gravity::Warning => {
                tracing::warn!(subject = finding.subject, advice = finding.advice, "{}", finding.found);
            }
            Gravity::Fatal => anyhow::bail!("{}; {}", finding.found, finding.advice),
        }
    }
    Ok(())
}

//! The HTTP side: for now whether the instance lives and works.
//!
//! [`app`] makes a router from contracts alone, so that tests call it without a socket and it knows no backend.
//!
//! | path | answers |
//! |---|---|
//! | `GET /health`, `GET /api/health` | 200 while this process lives; asks nobody |
//! | `GET /metrics`, `GET /api/metrics` | figures of the whole instance, in Prometheus' text format |
//! | `GET /ready`, `GET /api/ready` | 200 while a worker of this host has claimed, or proved its lists empty, in the last seconds; else 503 with the reason |

mod health;
mod metrics;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use conserver_core::queue::Queue;

/// What the handlers need.
#[derive(Clone)]
pub struct State {
    /// The queue, for the state of the workers.
    pub queue: Arc<dyn Queue>,
    /// Only workers of this realm count for `/ready`.
    pub realm: String,
    /// A worker that has made no progress for this long is not ready.
    pub stale_after: Duration,
    /// What `/metrics` shows, made when it is asked for.
    pub figures: Arc<dyn Fn() -> String + Send + Sync>,
    /// What `/health` reports.
    pub version: String,
    /// Prefix under which everything is served too: `/api`.
    pub root_path: String,
}

/// The router.
pub fn app(state: State) -> Router {
    let prefix = state.root_path.clone();
    let routes = Router::new()
        .route("/health", get(health::health))
        .route("/ready", get(health::ready))
        .route("/metrics", get(metrics::metrics))
        .with_state(state);
    let app = Router::new().merge(routes.clone());
    let app = if prefix.is_empty() { app } else { app.nest(&prefix, routes) };
    app.fallback(not_found)
}

/// Serves the router until `stop` completes and the requests under way are answered.
pub async fn serve(
    listener: tokio::net::TcpListener,
    state: State,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    axum::serve(listener, app(state)).with_graceful_shutdown(stop).await
}

async fn not_found() -> impl IntoResponse {
    let hint = serde_json::json!({"detail": "Not Found", "hint": "this version serves /health, /ready and /metrics"});
    (StatusCode::NOT_FOUND, axum::Json(hint))
}

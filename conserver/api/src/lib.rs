//! The HTTP side: every call of the Python server, and more.
//!
//! [`app`] makes a router from contracts alone, so that tests call it without a socket and it knows no backend.
//! [`CALLS`] is the table of all calls and of who may make them.
//!
//! | file | what |
//! |---|---|
//! | `serve` | from a socket to the router, with an end to every wait |
//! | `heads` | what becomes of requests that are none |
//! | `tls` | certificate and key, and their renewal |
//! | `gate` | around every request: who calls, may it, request id, headers, audit log |
//! | `access` | the table of calls, keys, roles, partners |
//! | `extract` | parameters and bodies within bounds |
//! | `model` | the Python server's rules for a posted vCon |
//! | `routes` | a file for each family of calls |
//! | `feed` | what the workers tell, by way of the supervisor |
//! | `hub` | who listens to what happens |
//! | `outages` | what workers need and cannot have |
//! | `served` | lists that no chain takes from, told to whoever names them |
//! | `fetch` | documents that only storages have, one look for everybody who asks |
//! | `error` | what is answered when something is wrong |
//! | `answers` | what calls answer, as it is described |
//! | `openapi` | the description of all calls |

mod access;
mod answers;
mod audit;
mod configuration;
mod error;
mod extract;
mod failures;
mod feed;
mod fetch;
mod gate;
mod heads;
mod hub;
mod model;
mod openapi;
mod outages;
mod routes;
mod serve;
mod served;
mod state;
mod tls;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, Method};
use axum::routing::{get, post};
use tower_http::cors::{AllowOrigin, Any, CorsLayer};

pub use access::{CALLS, Call, Needs, markdown, may};
pub use configuration::ConfigFile;
pub use feed::{Feed, Rate, Rates, Standing};
pub use openapi::openapi_json;
pub use outages::{Guard, HeldUp, Outages};
pub use serve::serve;
pub use state::{Parts, State};
pub use tls::Tls;

use routes::{
    batch, chains, config, docs, egress, events, health, ingest, letters, metrics, queues, story, vcons,
};

/// The router.
pub fn app(state: State) -> Router {
    let settings = state.live().plan.settings.api.clone();
    let mut router = routes(Router::new(), "");
    if !settings.root_path.is_empty() {
        router = routes(router, &settings.root_path);
    }
    let gate = axum::middleware::from_fn_with_state(state.clone(), gate::pass);
    let router = router.method_not_allowed_fallback(gate::other_method).fallback(gate::unknown).layer(gate);
    let router = if settings.cors.is_empty() { router } else { router.layer(cors(&settings.cors)) };
    router.with_state(state)
}

/// Every call under a prefix.
fn routes(router: Router<State>, prefix: &str) -> Router<State> {
    let at = |path: &str| format!("{prefix}{path}");
    router
        .route(&at("/version"), get(health::version))
        .route(&at("/health"), get(health::health))
        .route(&at("/ready"), get(health::ready))
        .route(&at("/metrics"), get(metrics::metrics))
        .route(&at("/openapi.json"), get(docs::description))
        .route(&at("/docs"), get(docs::page))
        .route(&at("/docs/{file}"), get(docs::file))
        .route(&at("/stats/queue"), get(egress::depth))
        .route(&at("/vcon"), get(vcons::list).post(ingest::create))
        .route(&at("/vcon/{vcon_uuid}"), get(vcons::get).delete(vcons::delete))
        .route(&at("/vcon/{vcon_uuid}/story"), get(story::story))
        .route(&at("/vcon/count"), get(egress::count))
        .route(&at("/vcon/egress"), get(egress::egress))
        .route(&at("/vcon/ingress"), post(egress::ingress))
        .route(&at("/vcon/external-ingress"), post(ingest::external))
        .route(&at("/vcons"), get(vcons::get_many).post(batch::create))
        .route(&at("/vcons/search"), get(vcons::search))
        .route(&at("/index_vcons"), get(vcons::index))
        .route(&at("/dlq"), get(letters::ids))
        .route(&at("/dlq/reprocess"), post(letters::reprocess))
        .route(&at("/dlq/storage"), get(letters::storage_ids))
        .route(&at("/dlq/storage/reprocess"), post(letters::reprocess_storage))
        .route(&at("/dlq/letters"), get(letters::letters))
        .route(&at("/dlq/facets"), get(letters::facets))
        .route(&at("/dlq/replay"), post(letters::replay))
        .route(&at("/dlq/discard"), post(letters::discard))
        .route(&at("/queues"), get(queues::queues))
        .route(&at("/queues/pause"), post(queues::pause))
        .route(&at("/queues/resume"), post(queues::resume))
        .route(&at("/workers"), get(queues::workers))
        .route(&at("/chains"), get(chains::chains))
        .route(&at("/events"), get(events::events))
        .route(&at("/chains/{name}/pause"), post(chains::pause))
        .route(&at("/chains/{name}/resume"), post(chains::resume))
        .route(&at("/config"), get(config::read).post(config::write))
}

/// Pages of these origins may call.
fn cors(origins: &[String]) -> CorsLayer {
    let layer = CorsLayer::new()
        .allow_methods([Method::GET, Method::POST, Method::DELETE])
        .allow_headers(Any)
        .expose_headers(
            ["x-next-cursor", "x-request-id", "x-vcons-missing", "x-vcons-unserved", "retry-after"]
                .map(HeaderName::from_static),
        )
        .max_age(std::time::Duration::from_secs(600));
    if origins.iter().any(|origin| origin == "*") {
        return layer.allow_origin(Any);
    }
    let origins = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
    layer.allow_origin(AllowOrigin::list(origins))
}

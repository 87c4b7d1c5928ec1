//! The description of all calls, made from the handlers.

use conserver_core::config::settings::ApiSettings;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Content, Ref, ResponseBuilder, Server};
use utoipa::{OpenApi, openapi};

use crate::access::{CALLS, Needs};
use crate::error::ErrorBody;
use crate::routes::{batch, chains, config, docs, egress, health, ingest, letters, metrics, queues, vcons};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "conserver",
        description = "vCons in, through chains, and out. Every error is JSON with `detail` and `hint`."
    ),
    paths(
        health::version,
        health::health,
        health::ready,
        metrics::metrics,
        docs::description,
        egress::depth,
        vcons::list,
        vcons::get,
        vcons::get_many,
        vcons::search,
        egress::count,
        ingest::create,
        batch::create,
        ingest::external,
        vcons::delete,
        egress::ingress,
        egress::egress,
        vcons::index,
        letters::ids,
        letters::reprocess,
        letters::storage_ids,
        letters::reprocess_storage,
        letters::letters,
        letters::facets,
        letters::replay,
        letters::discard,
        queues::queues,
        queues::pause,
        queues::resume,
        queues::workers,
        chains::chains,
        chains::pause,
        chains::resume,
        config::read,
        config::write,
    ),
    components(schemas(ErrorBody))
)]
struct Calls;

/// The document for these settings.
pub(crate) fn document(settings: &ApiSettings) -> openapi::OpenApi {
    let mut document = Calls::openapi();
    let mut servers = vec![Server::new("/")];
    if !settings.root_path.is_empty() {
        servers.insert(0, Server::new(&settings.root_path));
    }
    document.servers = Some(servers);
    if let Some(components) = &mut document.components {
        let key = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new(&settings.header)));
        components.add_security_scheme("key", key);
    }
    for call in CALLS {
        let Some(item) = document.paths.paths.get_mut(call.path) else { continue };
        if let Some(operation) = operation(item, call.method) {
            complete(operation, call.needs);
        }
    }
    document
}

fn operation<'a>(item: &'a mut PathItem, method: &str) -> Option<&'a mut Operation> {
    match method {
        "GET" => item.get.as_mut(),
        "POST" => item.post.as_mut(),
        "DELETE" => item.delete.as_mut(),
        _ => None,
    }
}

/// Adds what all calls have in common: the key, and the answers that say no.
fn complete(operation: &mut Operation, needs: Needs) {
    let is_public = needs == Needs::Nothing;
    if !is_public {
        let key = SecurityRequirement::new("key", Vec::<String>::new());
        operation.security = Some(if needs == Needs::KnownList {
            vec![key, SecurityRequirement::default()]
        } else {
            vec![key]
        });
    }
    let body = || Content::new(Some(Ref::from_schema_name("ErrorBody")));
    let mut add = |code: &str, says: &str| {
        let answer = ResponseBuilder::new().description(says).content("application/json", body()).build();
        operation.responses.responses.entry(code.to_owned()).or_insert_with(|| answer.into());
    };
    if is_public {
        return;
    }
    add("403", "No key, or one that may not do this");
    add("422", "A parameter or the body breaks a rule");
    add("429", "Too many requests, or a list is full; `retry-after` says when");
    add("503", "The backend is away or the server is busy; `retry-after` says when");
    add("400", "The body cannot be read");
    add("408", "The body came too slowly");
    add("409", "A key of the backend holds something else, or the request contradicts another");
    add("413", "The body is too large");
    add("415", "The body is packed in a way that is not known");
}

/// The document with the default settings, as it is checked in.
pub fn openapi_json() -> String {
    let document = document(&ApiSettings::default());
    serde_json::to_string_pretty(&document).unwrap_or_default() + "\n"
}

//! The description of all calls, made from the handlers.

use conserver_core::config::settings::ApiSettings;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, ParameterBuilder, PathItem};
use utoipa::openapi::schema::{KnownFormat, Object, Schema, SchemaFormat, SchemaType, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Content, Ref, RefOr, Required, ResponseBuilder, Server};
use utoipa::{OpenApi, ToSchema, openapi};

use crate::access::{CALLS, Needs};
use crate::error::ErrorBody;
use crate::routes::{
    batch, chains, config, docs, egress, events, health, ingest, letters, metrics, queues, story, vcons,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "conserver",
        description = "vCons in, through chains, and out. Every error is JSON with `detail` and `hint`."
    ),
    tags(
        (name = "vcons", description = "Documents in, out, found and deleted"),
        (name = "lists", description = "Ids onto lists and off them"),
        (name = "dead letters", description = "What could not be processed, and the way back"),
        (name = "instance", description = "What lies where, who works, and how it is"),
        (name = "configuration", description = "What is configured"),
    ),
    paths(
        health::version,
        health::health,
        health::ready,
        metrics::metrics,
        docs::description,
        docs::page,
        docs::file,
        egress::depth,
        vcons::list,
        vcons::get,
        story::story,
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
        events::events,
        chains::pause,
        chains::resume,
        config::read,
        config::write,
    ),
    components(schemas(ErrorBody))
)]
struct Calls;

/// A vCon. Members that are not named here are kept as they come.
#[derive(ToSchema)]
#[schema(example = json!({
    "vcon": "0.4.0",
    "uuid": "01969c5e-4f5c-8f3a-b0d1-5f0c2b6a7d10",
    "created_at": "2026-01-02T03:04:05Z",
    "parties": [{"tel": "+15550100", "name": "Ann"}, {"mailto": "ben@example.com", "name": "Ben"}],
    "dialog": [{
        "type": "text", "start": "2026-01-02T03:04:05Z", "parties": [0, 1], "originator": 0,
        "mediatype": "text/plain", "body": "Good morning", "encoding": "none",
    }],
}))]
#[expect(dead_code, reason = "it is only described")]
pub(crate) struct PostedVcon {
    /// The version of the format.
    vcon: String,
    /// The id.
    uuid: uuid::Uuid,
    /// When the conversation was recorded.
    #[schema(format = DateTime)]
    created_at: String,
    /// What it is about.
    #[schema(required = false)]
    subject: Option<String>,
    /// Who takes part; a `tel` has to look like a telephone number or a SIP address.
    #[schema(required = false, value_type = Vec<Object>)]
    parties: (),
    /// What was said and sent; `parties` and `originator` are indices into the parties.
    #[schema(required = false, value_type = Vec<Object>)]
    dialog: (),
    /// What was found out about it.
    #[schema(required = false, value_type = Vec<Object>)]
    analysis: (),
    /// What goes with it.
    #[schema(required = false, value_type = Vec<Object>)]
    attachments: (),
}

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
    for parameter in operation.parameters.iter_mut().flatten() {
        if let Some(RefOr::T(schema)) = &mut parameter.schema {
            plain(schema);
        }
        let example = EXAMPLES.iter().find(|(name, _)| *name == parameter.name);
        if let (Some((_, example)), Required::True) = (example, &parameter.required) {
            *parameter = ParameterBuilder::from(parameter.clone()).example(Some((*example).into())).build();
        }
    }
    let is_public = needs == Needs::Nothing;
    if is_public {
        return;
    }
    let key = SecurityRequirement::new("key", Vec::<String>::new());
    operation.security =
        Some(if needs == Needs::KnownList { vec![key, SecurityRequirement::default()] } else { vec![key] });
    for (code, says) in REFUSALS {
        let body = Content::new(Some(Ref::from_schema_name("ErrorBody")));
        let mut answer = ResponseBuilder::new().description(*says).content("application/json", body);
        if matches!(*code, "429" | "503") {
            let seconds = HeaderBuilder::new().schema(Object::with_type(Type::Integer));
            let seconds = seconds.description(Some("Seconds after which it is worth trying again"));
            answer = answer.header("retry-after", seconds.build());
        }
        operation.responses.responses.entry((*code).to_owned()).or_insert_with(|| answer.build().into());
    }
}

/// What a parameter that has to be there may be, in the example pipeline.
const EXAMPLES: &[(&str, &str)] = &[
    ("vcon_uuid", "01969c5e-4f5c-8f3a-b0d1-5f0c2b6a7d10"),
    ("ingress_list", "intake"),
    ("egress_list", "done"),
    ("list_name", "intake"),
    ("storage_name", "archive"),
    ("name", "main"),
    ("file", "page.js"),
];

/// The answers of every call that needs a key.
const REFUSALS: &[(&str, &str)] = &[
    ("400", "The body cannot be read"),
    ("403", "No key, or one that may not do this"),
    ("408", "The body came too slowly"),
    ("409", "A key of the backend holds something else, or the request contradicts another"),
    ("413", "The body is too large"),
    ("415", "The body is packed in a way that is not known"),
    ("422", "A parameter or the body breaks a rule"),
    ("429", "Too many requests of this key"),
    ("503", "The backend is away, the server is busy or a list is full"),
];

const INT64: SchemaFormat = SchemaFormat::KnownFormat(KnownFormat::Int64);

/// A parameter as it is sent: left out rather than null, and a number of any length.
fn plain(schema: &mut Schema) {
    let kind = match schema {
        Schema::Array(array) => &mut array.schema_type,
        Schema::Object(object) => {
            object.format.take_if(|format| *format == INT64);
            &mut object.schema_type
        }
        _ => return,
    };
    let only = match kind {
        SchemaType::Array(types) => types.iter().find(|kind| **kind != Type::Null).cloned(),
        _ => None,
    };
    if let Some(only) = only {
        *kind = SchemaType::Type(only);
    }
}

/// The document with the default settings, as it is checked in.
pub fn openapi_json() -> String {
    let document = document(&ApiSettings::default());
    serde_json::to_string_pretty(&document).unwrap_or_default() + "\n"
}

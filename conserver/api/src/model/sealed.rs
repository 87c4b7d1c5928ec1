//! Signed and encrypted vCons: nothing in them is changed, for that would break the seal.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use conserver_core::store::IndexKeys;
use conserver_core::vcon::{Limits, Vcon};

use super::{Accepted, Loc, Problem, Refusal, echo, text};

/// Takes it under the uuid that its headers or its payload state.
pub(super) fn accept(body: Bytes, limits: &Limits) -> Result<Accepted, Refusal> {
    let vcon = Vcon::from_json(body.clone(), limits).map_err(|error| match error.rule() {
        "no-uuid" => Refusal::Rules(vec![Problem::missing(Loc::body("uuid"), echo(&body))]),
        _ => Refusal::Document(error),
    })?;
    let uuid = uuid::Uuid::parse_str(vcon.id().as_str()).map_err(|error| {
        let raw = serde_json::Value::from(vcon.id().as_str()).to_string();
        Refusal::Rules(vec![Problem::uuid_parsing(Loc::body("uuid"), &error, &raw)])
    })?;
    Ok(Accepted { id: uuid.into(), keys: payload_keys(&vcon, limits), json: body })
}

/// What a signed vCon can be found by: its payload can be read by everybody.
fn payload_keys(vcon: &Vcon, limits: &Limits) -> IndexKeys {
    let payload = vcon.raw("payload").and_then(text);
    let inner = payload
        .and_then(|payload| URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=').as_bytes()).ok())
        .and_then(|json| Vcon::parse(vcon.id().clone(), json.into(), limits).ok());
    inner.as_ref().map(IndexKeys::of).unwrap_or_default()
}

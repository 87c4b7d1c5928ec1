//! A forwarder with a spool folder, as a recorder of calls has it: what it does with a file depends on the status
//! code and on nothing else.

use super::wire::send;

/// What becomes of the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reaction {
    /// It is removed: nobody else has it now.
    Delivered,
    /// It stays and is sent again later.
    Keep,
    /// It is put aside for somebody to look at, and never sent again.
    Failed,
    /// Nothing more is sent until somebody mends the settings.
    Stop,
}

/// Sends a file as it is.
pub(super) fn forward(address: &str, list: &str, key: &str, file: &str) -> Reaction {
    let line = format!("POST /vcon/external-ingress?ingress_list={list}");
    let key = format!("x-conserver-api-token: {key}");
    let headers = ["content-type: application/json", &key, "user-agent: forwarder/1"];
    send(address, &line, &headers, file).map_or(Reaction::Keep, |answer| reaction(answer.status))
}

/// Its table.
fn reaction(status: u16) -> Reaction {
    match status {
        200..300 => Reaction::Delivered,
        401 | 403 => Reaction::Stop,
        400..500 => Reaction::Failed,
        _ => Reaction::Keep,
    }
}

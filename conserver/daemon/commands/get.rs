//! `get`: print a vCon.

use std::sync::Arc;

use conserver_core::guarded::GuardedStorage;
use conserver_core::vcon::{Vcon, VconId, View};
use conserver_core::{Error, ErrorKind};

use super::Instance;
use crate::cli::{GetArgs, Global};
use crate::exit::Exit;
use crate::output;
use crate::wiring::Wiring;

pub(crate) fn run(wiring: &Wiring, global: &Global, args: &GetArgs) -> anyhow::Result<Exit> {
    super::block_on(async {
        let instance = Instance::open(wiring, global)?;
        let id = VconId::new(&args.id);
        let found = match args.storage {
            None => instance.working_copy(&id).await?,
            Some(_) => None,
        };
        let vcon = match found {
            Some(vcon) => Some(vcon),
            None => from_storages(wiring, &instance, args, &id).await?,
        };
        let Some(vcon) = vcon else {
            output::note(format!(
                "`{id}` is neither among the working copies nor in a storage that was asked"
            ));
            return Ok(Exit::NotFound);
        };
        output::bytes(&vcon.render(if args.legacy { View::StoredLegacy001 } else { View::Stored }));
        Ok(Exit::Ok)
    })
}

async fn from_storages(
    wiring: &Wiring,
    instance: &Instance,
    args: &GetArgs,
    id: &VconId,
) -> anyhow::Result<Option<Vcon>> {
    let only = args.storage.as_deref().filter(|name| !name.is_empty());
    let storages = wiring.storages(&instance.plan)?;
    if let Some(name) = only
        && !storages.iter().any(|storage| storage.name().as_str() == name)
    {
        let names: Vec<&str> = storages.iter().map(|storage| storage.name().as_str()).collect();
        anyhow::bail!("no storage named `{name}`; there are: {}", names.join(", "));
    }
    let asked = storages.iter().filter(|s| only.is_none_or(|name| s.name().as_str() == name));
    Ok(first_of(asked, id).await?)
}

/// The copy of the first of these storages that has one.
///
/// # Errors
/// If none of those that answer has one, and one does not answer: an outage is no answer, the vCon may be there.
pub(super) async fn first_of(
    storages: impl Iterator<Item = &Arc<GuardedStorage>>,
    id: &VconId,
) -> conserver_core::Result<Option<Vcon>> {
    let mut away: Option<Error> = None;
    for storage in storages {
        match storage.get(id, None).await {
            Ok(Some(vcon)) => return Ok(Some(vcon)),
            Ok(None) => {}
            Err(error) if error.kind() == ErrorKind::Unsupported || error.kind() == ErrorKind::Invalid => {}
            Err(error) => away = Some(error.context(format!("ask storage `{}`", storage.name()))),
        }
    }
    away.map_or(Ok(None), Err)
}

//! `get`: print a vCon.

use std::sync::Arc;

use conserver_core::ErrorKind;
use conserver_core::chain::find_in_storages;
use conserver_core::guarded::GuardedStorage;
use conserver_core::vcon::{Vcon, VconId, View};

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
    let mut storages = wiring.storages(&instance.plan)?;
    if let Some(name) = only
        && !storages.iter().any(|storage| storage.name().as_str() == name)
    {
        let names: Vec<&str> = storages.iter().map(|storage| storage.name().as_str()).collect();
        anyhow::bail!("no storage named `{name}`; there are: {}", names.join(", "));
    }
    storages.retain(|storage| only.is_none_or(|name| storage.name().as_str() == name));
    Ok(first_of(&storages, id).await?)
}

/// The copy of the first of these storages that has one.
///
/// # Errors
/// If none has one and one of them failed: an error is no answer, the vCon may be there.
pub(super) async fn first_of(
    storages: &[Arc<GuardedStorage>],
    id: &VconId,
) -> conserver_core::Result<Option<Vcon>> {
    match find_in_storages(storages, id, None).await {
        Ok(vcon) => Ok(Some(vcon)),
        Err(error) if error.kind() == ErrorKind::Missing => Ok(None),
        Err(error) => Err(error),
    }
}

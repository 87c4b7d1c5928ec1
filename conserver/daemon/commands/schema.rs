//! `schema`: the JSON Schema of the configuration.

use anyhow::Context;

use crate::cli::SchemaArgs;
use crate::exit::Exit;
use crate::output;
use crate::wiring::Wiring;

pub(crate) fn run(wiring: &Wiring, args: &SchemaArgs) -> anyhow::Result<Exit> {
    let schema = serde_json::to_string_pretty(&conserver_core::config::schema(wiring.registry()))?;
    let Some(file) = &args.check else {
        output::line(schema);
        return Ok(Exit::Ok);
    };
    let there = std::fs::read_to_string(file).with_context(|| format!("read `{}`", file.display()))?;
    if there.trim_end() == schema {
        return Ok(Exit::Ok);
    }
    output::note(format!("`{0}` is stale: conserver schema > {0}", file.display()));
    Ok(Exit::Failed)
}

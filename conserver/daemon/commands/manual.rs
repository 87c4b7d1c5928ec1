//! `completions` and `man`: the grammar for shells and for `man`.

use anyhow::Context;
use clap::CommandFactory;

use crate::cli::{Cli, CompletionsArgs, ManArgs};
use crate::exit::Exit;
use crate::output;

pub(crate) fn completions(args: &CompletionsArgs) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "conserver", &mut script);
    output::bytes(&script);
    Exit::Ok
}

pub(crate) fn man(args: &ManArgs) -> anyhow::Result<Exit> {
    match &args.folder {
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page)?;
            output::bytes(&page);
        }
        Some(folder) => {
            std::fs::create_dir_all(folder).with_context(|| format!("create `{}`", folder.display()))?;
            clap_mangen::generate_to(Cli::command(), folder)
                .with_context(|| format!("write pages to `{}`", folder.display()))?;
            output::note(format!("wrote the pages to `{0}`: man {0}/conserver.1", folder.display()));
        }
    }
    Ok(Exit::Ok)
}

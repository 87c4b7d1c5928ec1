//! The Lua scripts, each from a file of its own.

use redis::Cmd;

/// A script with its digest. Sent as `EVALSHA`; [`Client::script`](crate::client::Client::script) loads it where it is missing.
pub(crate) struct Script {
    code: String,
    digest: String,
}

impl Script {
    fn new(parts: &[&str]) -> Self {
        // Some travel with each call: without comments and indentation, but with the lines of the files in errors.
        let lines = parts.iter().flat_map(|part| part.lines()).map(str::trim);
        let code: String = lines
            .map(|line| if line.starts_with("--") { "" } else { line })
            .flat_map(|line| [line, "\n"])
            .collect();
        let digest = redis::Script::new(&code).get_hash().to_owned();
        Self { code, digest }
    }

    /// The command that runs it, for arguments to be added. No keys: names are built inside from list names.
    pub(crate) fn call(&self) -> Cmd {
        let mut command = redis::cmd("EVALSHA");
        command.arg(&self.digest).arg(0);
        command
    }

    /// The same with room for this many arguments and bytes: a large command that grows is copied each time.
    pub(crate) fn call_of(&self, arguments: usize, bytes: usize) -> Cmd {
        let mut command = Cmd::with_capacity(3 + arguments, self.digest.len() + 16 + bytes);
        command.arg("EVALSHA").arg(&self.digest).arg(0);
        command
    }

    /// The command that makes the server know it.
    pub(crate) fn load(&self) -> Cmd {
        let mut command = redis::cmd("SCRIPT");
        command.arg("LOAD").arg(&self.code);
        command
    }

    /// The command that runs it with its whole text, and so whatever the server has forgotten.
    pub(crate) fn eval(&self) -> Cmd {
        self.eval_of(0, 0)
    }

    /// The same with room for this many arguments and bytes.
    pub(crate) fn eval_of(&self, arguments: usize, bytes: usize) -> Cmd {
        let mut command = Cmd::with_capacity(3 + arguments, self.code.len() + 16 + bytes);
        command.arg("EVAL").arg(&self.code).arg(0);
        command
    }
}

/// All scripts.
pub(crate) struct Scripts {
    pub(crate) claim: Script,
    pub(crate) settle: Script,
    pub(crate) restore: Script,
    pub(crate) recover: Script,
    pub(crate) renew: Script,
    pub(crate) checkpoint: Script,
    pub(crate) replay: Script,
    pub(crate) drain: Script,
    pub(crate) extend: Script,
    pub(crate) accept: Script,
    pub(crate) enqueue: Script,
    pub(crate) unfold: Script,
    pub(crate) rename_member: Script,
    pub(crate) unindex: Script,
    pub(crate) rights: Script,
}

impl Scripts {
    /// Reads the files that were compiled in.
    pub(crate) fn new() -> Self {
        const PLACE: &str = include_str!("lua/place.lua");
        const DOCUMENT: &str = include_str!("lua/document.lua");
        Self {
            claim: Script::new(&[include_str!("lua/claim.lua")]),
            settle: Script::new(&[PLACE, DOCUMENT, include_str!("lua/settle.lua")]),
            restore: Script::new(&[include_str!("lua/restore.lua")]),
            recover: Script::new(&[PLACE, include_str!("lua/recover.lua")]),
            renew: Script::new(&[include_str!("lua/renew.lua")]),
            checkpoint: Script::new(&[DOCUMENT, include_str!("lua/checkpoint.lua")]),
            replay: Script::new(&[include_str!("lua/replay.lua")]),
            drain: Script::new(&[PLACE, include_str!("lua/drain.lua")]),
            extend: Script::new(&[include_str!("lua/extend.lua")]),
            accept: Script::new(&[include_str!("lua/accept.lua")]),
            enqueue: Script::new(&[include_str!("lua/enqueue.lua")]),
            unfold: Script::new(&[include_str!("lua/unfold.lua")]),
            rename_member: Script::new(&[include_str!("lua/rename_member.lua")]),
            unindex: Script::new(&[include_str!("lua/unindex.lua")]),
            rights: Script::new(&[include_str!("lua/rights.lua")]),
        }
    }
}

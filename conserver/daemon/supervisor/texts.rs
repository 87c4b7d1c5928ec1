//! The texts of the configuration that runs. One is enough as long as it is sound; a chain that runs on in its last good
//! form needs the text that had it, too: a process that starts later is told all of them in order.

use conserver_core::ChainName;
use conserver_core::config::Plan;

use crate::config::File;

/// Never empty; the newest is the last.
pub(super) struct Texts {
    kept: Vec<Kept>,
    /// The text as last looked at: a bad one is not told again each second.
    seen: String,
    /// A changed text that was seen once. It counts when it is seen again: it may be half written.
    draft: Option<String>,
}

struct Kept {
    file: File,
    /// Chains that were sound in it.
    sound: Vec<ChainName>,
}

impl Kept {
    fn of(file: File, plan: &Plan) -> Self {
        let sound = plan.chains.iter().filter(|chain| chain.blocked.is_none() && chain.stale.is_none());
        Self { file, sound: sound.map(|chain| chain.name.clone()).collect() }
    }
}

impl Texts {
    pub(super) fn new(file: File, plan: &Plan) -> Self {
        Self { seen: file.text.clone(), draft: None, kept: vec![Kept::of(file, plan)] }
    }

    /// The file as it was last taken up.
    pub(super) fn newest(&self) -> &File {
        &self.kept.last().expect("it is never empty").file
    }

    /// Oldest first.
    pub(super) fn all(&self) -> impl Iterator<Item = &File> {
        self.kept.iter().map(|kept| &kept.file)
    }

    /// The file, if it changed since it was last looked at, or somebody asked for it.
    pub(super) fn changed(&mut self, asked: bool) -> anyhow::Result<Option<File>> {
        let newest = self.newest();
        if !newest.lasts {
            anyhow::ensure!(!asked, "`{}` was read from a pipe, which cannot be read again", newest.name());
            return Ok(None);
        }
        let file = match File::read_at(&newest.path) {
            Ok(file) => file,
            // It may be about to be put in its place.
            Err(_) if !asked => return Ok(None),
            Err(error) => return Err(error),
        };
        if !asked {
            if file.text == self.seen {
                self.draft = None;
                return Ok(None);
            }
            if self.draft.as_ref() != Some(&file.text) {
                self.draft = Some(file.text);
                return Ok(None);
            }
        }
        self.draft = None;
        self.seen.clone_from(&file.text);
        Ok(Some(file))
    }

    /// This file runs now, in the form of this plan.
    pub(super) fn take_up(&mut self, file: File, plan: &Plan) {
        let stale = plan.chains.iter().filter(|chain| chain.stale.is_some());
        let needed: Vec<usize> = stale
            .filter_map(|chain| self.kept.iter().rposition(|kept| kept.sound.contains(&chain.name)))
            .collect();
        let mut index = 0;
        self.kept.retain(|_| {
            index += 1;
            needed.contains(&(index - 1))
        });
        self.kept.push(Kept::of(file, plan));
    }
}

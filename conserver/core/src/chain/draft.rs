//! One document on its way through a chain: what it is now, and what of it lies in the store.
//!
//! Rendered at most once for each version, and on the pool if it is large. Signed and encrypted documents come
//! out as they came in; that is the document's affair, not ours.

use bytes::Bytes;
use conserver_vcon::{BodyShape, Limits, Vcon, VconId, View};

use super::documents::parse;
use crate::store::{DocumentWrite, Encoding};
use crate::{Result, cpu};

/// A document while links work on it.
pub(super) struct Draft {
    /// The id it is stored under.
    id: VconId,
    encoding: Encoding,
    /// As it came; `None` if a link made it.
    loaded: Option<Vcon>,
    /// As it lies in the store.
    stored: Option<Vcon>,
    current: Vcon,
    /// The write form, and of which version.
    written: Option<(Vcon, Bytes)>,
}

impl Draft {
    /// A document that was loaded.
    pub(super) fn loaded(id: VconId, vcon: Vcon, encoding: Encoding) -> Self {
        Self {
            id,
            encoding,
            loaded: Some(vcon.clone()),
            stored: Some(vcon.clone()),
            current: vcon,
            written: None,
        }
    }

    /// A document that a link made without having seen one.
    pub(super) fn made(id: VconId, vcon: Vcon) -> Self {
        Self { id, encoding: Encoding::default(), loaded: None, stored: None, current: vcon, written: None }
    }

    pub(super) fn id(&self) -> &VconId {
        &self.id
    }

    pub(super) fn current(&self) -> &Vcon {
        &self.current
    }

    /// Goes on with what a link made of it.
    pub(super) fn replace(&mut self, vcon: Vcon) {
        self.current = vcon;
    }

    /// What has to be written, if anything.
    pub(super) async fn unwritten(&mut self, shape: BodyShape) -> Option<DocumentWrite> {
        if self.stored.as_ref().is_some_and(|stored| self.current.same_as(stored)) {
            return None;
        }
        let json = self.write_form(shape).await;
        Some(DocumentWrite { id: self.id.clone(), json, encoding: self.encoding })
    }

    /// Notes that the store has it as it is now.
    pub(super) fn mark_stored(&mut self) {
        self.stored = Some(self.current.clone());
    }

    /// What storages get: the document itself where no link changed it, so that they render the read view, else
    /// the write form, which is its own read view. The bytes are shared with [`Draft::unwritten`].
    pub(super) async fn for_storages(&mut self, shape: BodyShape, limits: &Limits) -> Result<Vcon> {
        if self.loaded.as_ref().is_some_and(|loaded| self.current.same_as(loaded)) {
            return Ok(self.current.clone());
        }
        let json = self.write_form(shape).await;
        // What links added to it is not refused here: the limit is for what comes in.
        let limits = Limits { max_bytes: usize::MAX, ..*limits };
        parse(self.current.id(), json, &limits).await
    }

    async fn write_form(&mut self, shape: BodyShape) -> Bytes {
        if let Some((version, json)) = &self.written
            && version.same_as(&self.current)
        {
            return json.clone();
        }
        let vcon = self.current.clone();
        let json = cpu::run_if(vcon.size(), move || vcon.render(View::Write(shape))).await;
        self.written = Some((self.current.clone(), json.clone()));
        json
    }
}

//! The vCon: a document and the id it goes by.
//!
//! A clone is two reference counts, and an edit copies only the member list, and that only when the
//! document is shared. An edit that changes nothing leaves the document the same, which is how the
//! pipeline knows that there is nothing to write.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;

use crate::addition::{NewAnalysis, NewAttachment};
use crate::body::BodyShape;
use crate::document::{Content, Document};
use crate::entry::{self, Analysis, Attachment, Dialog, Entries, Entry, Party};
use crate::error::DocumentError;
use crate::form::{self, Form};
use crate::id::VconId;
use crate::json::{self, Elements, Values};
use crate::limits::Limits;
use crate::section::Section;
use crate::tags::{self, Edit};
use crate::timestamp;
use crate::view::{self, View};

/// One vCon: cheap to clone, copied on write.
#[derive(Clone)]
pub struct Vcon {
    id: VconId,
    document: Arc<Document>,
}

impl Vcon {
    /// Takes a document that goes by `id`, which need not be the uuid inside.
    ///
    /// One strict pass over the bytes; nothing is decoded and nothing is copied.
    ///
    /// # Errors
    ///
    /// `too-large`, `not-utf8`, `not-an-object`, `not-json`, `too-deep` or `duplicate-key`, with the place.
    pub fn parse(id: VconId, json: Bytes, limits: &Limits) -> Result<Self, DocumentError> {
        Ok(Self { id, document: Arc::new(Document::parse(json, limits)?) })
    }

    /// Takes a document under the uuid it states: its own member, or for a signed or encrypted one the
    /// header's, or the payload's.
    ///
    /// # Errors
    ///
    /// As [`Vcon::parse`], and `no-uuid` where none is stated.
    pub fn from_json(json: Bytes, limits: &Limits) -> Result<Self, DocumentError> {
        let document = Document::parse(json, limits)?;
        let own = document.raw("uuid").and_then(entry::text).filter(|uuid| !uuid.is_empty());
        let id = match (own, document.form()) {
            (Some(uuid), _) => Some(VconId::from(&*uuid)),
            (None, Form::Unsigned) => None,
            (None, _) => form::jose_uuid(|name| document.raw(name)).map(VconId::from),
        };
        let Some(id) = id else {
            let message = "the vCon has no `uuid`; give it one, a UUID in a string";
            return Err(DocumentError::new("no-uuid", message).at_path("/uuid"));
        };
        Ok(Self { id, document: Arc::new(document) })
    }

    /// Returns the id it goes by in queues and keys.
    pub fn id(&self) -> &VconId {
        &self.id
    }

    /// Returns whether it is plain, signed or encrypted.
    pub fn form(&self) -> Form {
        self.document.form()
    }

    /// True if both are the same document, not just equal ones: nobody has changed either since one was
    /// cloned from the other.
    pub fn same_as(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.document, &other.document)
    }

    /// Returns the length of the JSON in bytes; for an edited one, nearly.
    pub fn size(&self) -> usize {
        self.document.size()
    }

    /// Returns the names of the top-level members, in order.
    pub fn members(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.document.members().iter().map(|member| json::unescape(&member.key))
    }

    /// Returns the JSON of a top-level member as it is written.
    pub fn raw(&self, member: &str) -> Option<&str> {
        self.document.raw(member)
    }

    /// Returns the text of a top-level member that is a string, such as `uuid` or `subject`.
    pub fn text(&self, member: &str) -> Option<Cow<'_, str>> {
        entry::text(self.raw(member)?)
    }

    /// Returns `created_at` in Unix seconds, rounded down. A date without a zone is taken as UTC.
    pub fn created_unix(&self) -> Option<i64> {
        timestamp::parse(&self.text("created_at")?).map(|(seconds, _)| seconds)
    }

    /// Returns the parties.
    pub fn parties(&self) -> Entries<'_, Party<'_>> {
        self.entries(Section::Parties)
    }

    /// Returns the pieces of the conversation.
    pub fn dialog(&self) -> Entries<'_, Dialog<'_>> {
        self.entries(Section::Dialog)
    }

    /// Returns what was derived from it.
    pub fn analysis(&self) -> Entries<'_, Analysis<'_>> {
        self.entries(Section::Analysis)
    }

    /// Returns what came with it.
    pub fn attachments(&self) -> Entries<'_, Attachment<'_>> {
        self.entries(Section::Attachments)
    }

    /// Returns all tags, of all tags attachments, as name and value. A bare name has an empty value.
    ///
    /// # Errors
    ///
    /// `bad-tags` when a tags attachment says that its body is JSON and it is none.
    pub fn tags(&self) -> Result<Vec<(String, String)>, DocumentError> {
        tags::read(self.attachments())
    }

    /// Adds a tag; false, and nothing changes, if exactly that name and value are there.
    ///
    /// Goes to the first tags attachment, in the shape it has; one that keeps tags in an object has one
    /// value for a name, which is replaced. Without such an attachment one is made in `shape`.
    ///
    /// # Errors
    ///
    /// `signed` or `encrypted` when a change would break the form; `bad-tags` as in [`Vcon::tags`];
    /// `not-an-array` when `attachments` is something else.
    pub fn add_tag(&mut self, name: &str, value: &str, shape: BodyShape) -> Result<bool, DocumentError> {
        self.add_tags(&[(name, value)], shape)
    }

    /// Adds those of the tags that are missing, in one edit; false if none was.
    ///
    /// # Errors
    ///
    /// As [`Vcon::add_tag`].
    pub fn add_tags<N, V>(&mut self, tags: &[(N, V)], shape: BodyShape) -> Result<bool, DocumentError>
    where
        N: AsRef<str>,
        V: AsRef<str>,
    {
        let tags: Vec<_> = tags.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
        self.check_addable(Section::Attachments)?;
        let edit = tags::plan(&self.document, self.attachments(), &tags, shape)?;
        match edit {
            Edit::Nothing => return Ok(false),
            Edit::Replace(index, entry) => self.edit(Section::Attachments).replace(index, entry),
            Edit::Push(entry) => self.edit(Section::Attachments).push(entry),
        }
        Ok(true)
    }

    /// Adds an entry to `analysis`.
    ///
    /// # Errors
    ///
    /// `signed`, `encrypted` or `not-an-array` as in [`Vcon::add_tag`]; `not-json` for a raw body that is
    /// none.
    pub fn add_analysis(&mut self, analysis: NewAnalysis<'_>, shape: BodyShape) -> Result<(), DocumentError> {
        self.check_addable(Section::Analysis)?;
        let entry = analysis.write(shape, self.document.gaps().one_line())?;
        self.push(Section::Analysis, entry);
        Ok(())
    }

    /// Adds an entry to `attachments`.
    ///
    /// # Errors
    ///
    /// As [`Vcon::add_analysis`].
    pub fn add_attachment(
        &mut self,
        attachment: NewAttachment<'_>,
        shape: BodyShape,
    ) -> Result<(), DocumentError> {
        self.check_addable(Section::Attachments)?;
        let entry = attachment.write(shape, self.document.gaps().one_line())?;
        self.push(Section::Attachments, entry);
        Ok(())
    }

    /// Replaces or adds a top-level member; false, and nothing changes, if it is written like that already.
    ///
    /// # Errors
    ///
    /// `signed` or `encrypted`; `not-json` or `too-deep` when `json` is no value within the limits.
    pub fn set(&mut self, member: &str, json: &str) -> Result<bool, DocumentError> {
        self.document.check_editable()?;
        let depth = self.document.limits().max_depth.saturating_sub(1);
        json::check(json, depth).map_err(|fault| DocumentError::from_fault(&fault, json.as_bytes()))?;
        let json = json.trim_ascii();
        if self.raw(member) == Some(json) {
            return Ok(false);
        }
        Arc::make_mut(&mut self.document).set(member, json);
        Ok(true)
    }

    /// Removes a top-level member; false if it is not there.
    ///
    /// # Errors
    ///
    /// `signed` or `encrypted`.
    pub fn remove(&mut self, member: &str) -> Result<bool, DocumentError> {
        self.document.check_editable()?;
        let is_there = self.raw(member).is_some();
        if is_there {
            Arc::make_mut(&mut self.document).remove(member);
        }
        Ok(is_there)
    }

    /// Returns the JSON in `view`; the original bytes, not copied, when the view changes nothing.
    pub fn render(&self, view: View) -> Bytes {
        view::render(&self.document, view)
    }

    /// Appends the JSON in `view`. Bodies are copied once, from the document to `out`.
    pub fn render_into(&self, view: View, out: &mut Vec<u8>) {
        view::render_into(&self.document, view, out);
    }

    /// The entries of a section, without a type.
    pub(crate) fn section(&self, section: Section) -> Entries<'_, Entry<'_>> {
        self.entries(section)
    }

    /// Returns the elements of a top-level array in order: an object as an entry, anything else as it is written.
    /// Nothing if the member is no array.
    pub fn elements(&self, member: &str) -> impl Iterator<Item = Result<Entry<'_>, &str>> {
        let elements = Elements::new(self.raw(member).unwrap_or_default());
        elements.enumerate().map(|(index, (_, element))| Entry::of(index, element))
    }

    /// Returns the elements of a top-level array that are no objects, as they are written, each with its index. Where a
    /// section has none, which its first reading saw, this looks at nothing.
    pub fn odd_elements(&self, member: &str) -> impl Iterator<Item = (usize, &str)> {
        let found = self.document.member(member);
        let seen = found.is_some_and(|found| found.section.is_some() && !found.notes.other_element);
        let array = if seen { "" } else { found.map_or("", |found| found.raw()) };
        Values::new(array).enumerate().filter(|(_, value)| !value.starts_with('{'))
    }

    fn entries<'a, T: From<Entry<'a>>>(&'a self, section: Section) -> Entries<'a, T> {
        match self.document.member(section.name()).map(|member| &member.value) {
            Some(Content::Raw(raw)) => Entries::of_text(raw),
            Some(Content::Edited(edited)) => Entries::of_list(&edited.entries),
            None => Entries::of_text(""),
        }
    }

    fn check_addable(&self, section: Section) -> Result<(), DocumentError> {
        self.document.check_editable()?;
        self.document.check_array(section)
    }

    fn edit(&mut self, section: Section) -> &mut crate::section::EditedSection {
        Arc::make_mut(&mut self.document).edit(section)
    }

    fn push(&mut self, section: Section, entry: ByteString) {
        self.edit(section).push(entry);
    }
}

impl fmt::Debug for Vcon {
    /// Says which and how large, never what is in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vcon")
            .field("id", &self.id)
            .field("form", &self.form())
            .field("bytes", &self.size())
            .finish()
    }
}

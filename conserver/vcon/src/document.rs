//! The document behind a [`Vcon`](crate::Vcon): its members in order, each a slice of the original text
//! until it is edited.
//!
//! Knows no conversions and no tags. Edits replace slices; the original text stays alive as long as some
//! slice of it does.

use bytestring::ByteString;

use crate::error::DocumentError;
use crate::form::Form;
use crate::json::{Gaps, is_key};
use crate::limits::Limits;
use crate::scan::{self, Notes};
use crate::section::{EditedSection, Section};

/// A parsed document.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    /// The text as it came.
    source: ByteString,
    members: Vec<Member>,
    gaps: [ByteString; 4],
    form: Form,
    limits: Limits,
    edited: bool,
}

/// A top-level member.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// As written, with its quotes.
    pub(crate) key: ByteString,
    pub(crate) value: Content,
    pub(crate) section: Option<Section>,
    pub(crate) notes: Notes,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    Raw(ByteString),
    Edited(EditedSection),
}

impl Member {
    pub(crate) fn raw(&self) -> &str {
        match &self.value {
            Content::Raw(raw) => raw,
            Content::Edited(section) => section.raw(),
        }
    }

    fn len(&self) -> usize {
        match &self.value {
            Content::Raw(raw) => raw.len(),
            Content::Edited(section) => section.len(),
        }
    }
}

impl Document {
    pub(crate) fn parse(json: bytes::Bytes, limits: &Limits) -> Result<Self, DocumentError> {
        if json.len() > limits.max_bytes {
            let message = format!(
                "the document has {} bytes and {} are accepted; move inline media to a `url`, or raise the limit",
                json.len(),
                limits.max_bytes
            );
            return Err(DocumentError::new("too-large", message));
        }
        let bytes = json.clone();
        let source = ByteString::try_from(json).map_err(|error| {
            let message = "the document is not UTF-8; JSON between systems must be (RFC 8259 §8.1)";
            DocumentError::new("not-utf8", message).at_offset(error.valid_up_to(), &bytes)
        })?;
        let outline = scan::outline(&source, limits)?;
        let member = |(found, notes): &(crate::json::Member<'_>, Notes)| Member {
            key: source.slice_ref(found.key),
            value: Content::Raw(source.slice_ref(found.value)),
            section: Section::of_key(found.key),
            notes: *notes,
        };
        let members: Vec<Member> = outline.members.iter().map(member).collect();
        let Gaps { open, between, colon, close } = outline.gaps;
        let gaps = [open, between, colon, close].map(ByteString::from);
        let mut document = Self {
            members,
            gaps,
            form: Form::Unsigned,
            limits: *limits,
            edited: false,
            source: ByteString::new(),
        };
        document.form = Form::of(|name| document.raw(name));
        document.source = source;
        Ok(document)
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn form(&self) -> Form {
        self.form
    }

    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    /// The text as it came, if that is what the document still is.
    pub(crate) fn untouched(&self) -> Option<&ByteString> {
        (!self.edited).then_some(&self.source)
    }

    pub(crate) fn gaps(&self) -> Gaps<'_> {
        let [open, between, colon, close] = &self.gaps;
        Gaps { open, between, colon, close }
    }

    pub(crate) fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| is_key(&member.key, name))
    }

    pub(crate) fn raw(&self, name: &str) -> Option<&str> {
        self.member(name).map(Member::raw)
    }

    pub(crate) fn size(&self) -> usize {
        match self.untouched() {
            Some(source) => source.len(),
            None => self.members.iter().map(|member| member.key.len() + member.len() + 3).sum::<usize>() + 2,
        }
    }

    /// Refuses to edit what a signature or an encryption covers.
    pub(crate) fn check_editable(&self) -> Result<(), DocumentError> {
        let (rule, done) = match self.form {
            Form::Unsigned => return Ok(()),
            Form::Jws => ("signed", "signed (JWS)"),
            Form::Jwe => ("encrypted", "encrypted (JWE)"),
        };
        let message =
            format!("the vCon is {done} and a change would break it; unwrap it and amend the vCon inside");
        Err(DocumentError::new(rule, message))
    }

    /// Refuses to add entries to what is no array.
    pub(crate) fn check_array(&self, section: Section) -> Result<(), DocumentError> {
        let name = section.name();
        match self.raw(name) {
            Some(raw) if raw != "null" && !raw.starts_with('[') => {
                let message = format!("`{name}` is no array, so nothing can be added to it");
                Err(DocumentError::new("not-an-array", message).at_path(format!("/{name}")))
            }
            _ => Ok(()),
        }
    }

    /// Replaces or adds a top-level member; `json` has been scanned.
    pub(crate) fn set(&mut self, name: &str, json: &str) {
        let value = Content::Raw(ByteString::from(json));
        self.edited = true;
        match self.members.iter_mut().find(|member| is_key(&member.key, name)) {
            Some(member) => (member.value, member.notes) = (value, Notes::UNKNOWN),
            None => {
                let key = ByteString::from(crate::json::quote(name));
                let section = Section::of_key(&key);
                self.members.push(Member { key, value, section, notes: Notes::UNKNOWN });
            }
        }
        self.form = Form::of(|name| self.raw(name));
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.edited = true;
        self.members.retain(|member| !is_key(&member.key, name));
    }

    /// Opens a section for editing, making it where it is absent or null. What is no array is lost: ask
    /// [`Document::check_array`] first.
    pub(crate) fn edit(&mut self, section: Section) -> &mut EditedSection {
        self.edited = true;
        let at =
            self.members.iter().position(|member| member.section == Some(section)).unwrap_or_else(|| {
                let key = ByteString::from(format!("\"{}\"", section.name()));
                let value = Content::Raw(ByteString::from_static("[]"));
                self.members.push(Member { key, value, section: Some(section), notes: Notes::UNKNOWN });
                self.members.len() - 1
            });
        if let Content::Raw(raw) = &self.members[at].value {
            self.members[at].value = Content::Edited(EditedSection::split(raw, self.gaps()));
        }
        match &mut self.members[at].value {
            Content::Edited(edited) => edited,
            Content::Raw(_) => unreachable!("the section was opened just above"),
        }
    }
}

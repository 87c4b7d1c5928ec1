//! The four arrays of a vCon, and what one of them becomes when it is edited.
//!
//! Until somebody edits it a section is a slice of the document. An edited one is a list of entries, each
//! still a slice of the document where it came from there, so that adding a tag beside a recording copies
//! no recording.

use std::sync::OnceLock;

use bytestring::ByteString;

use crate::json::{Elements, Gaps, is_key};

/// One of the four arrays (draft-ietf-vcon-vcon-core-04 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Parties,
    Dialog,
    Analysis,
    Attachments,
}

impl Section {
    pub(crate) const ALL: [Self; 4] = [Self::Parties, Self::Dialog, Self::Analysis, Self::Attachments];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Parties => "parties",
            Self::Dialog => "dialog",
            Self::Analysis => "analysis",
            Self::Attachments => "attachments",
        }
    }

    /// The section that a raw top-level key names.
    pub(crate) fn of_key(raw: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|section| is_key(raw, section.name()))
    }
}

/// A section that has been edited.
#[derive(Clone, Debug)]
pub(crate) struct EditedSection {
    pub(crate) open: ByteString,
    pub(crate) between: ByteString,
    pub(crate) close: ByteString,
    pub(crate) entries: Vec<ByteString>,
    /// The array as one text, for whoever asks for it raw; emptied by each edit.
    joined: OnceLock<ByteString>,
}

impl EditedSection {
    /// Splits the section's value, an array or null; `around` is the white space of the document.
    pub(crate) fn split(raw: &ByteString, around: Gaps<'_>) -> Self {
        let mut places = [None; 2];
        let mut entries = Vec::new();
        for (index, (at, element)) in Elements::new(raw).enumerate() {
            if let Some(place) = places.get_mut(index) {
                *place = Some((at, element.raw()));
            }
            entries.push(raw.slice_ref(element.raw()));
        }
        let [first, second] = places;
        let gaps = Gaps::of_array(raw, first, second.map(|(at, _)| at), around);
        Self {
            open: gaps.open.into(),
            between: gaps.between.into(),
            close: gaps.close.into(),
            entries,
            joined: OnceLock::new(),
        }
    }

    pub(crate) fn push(&mut self, entry: ByteString) {
        self.joined = OnceLock::new();
        self.entries.push(entry);
    }

    pub(crate) fn replace(&mut self, index: usize, entry: ByteString) {
        self.joined = OnceLock::new();
        self.entries[index] = entry;
    }

    /// Writes the array, each entry through `entry`.
    pub(crate) fn write(&self, out: &mut Vec<u8>, mut entry: impl FnMut(&str, &mut Vec<u8>)) {
        out.push(b'[');
        let mut gap = &self.open;
        for (index, raw) in self.entries.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.extend_from_slice(gap.as_bytes());
            entry(raw, out);
            gap = &self.between;
        }
        out.extend_from_slice(self.close.as_bytes());
        out.push(b']');
    }

    pub(crate) fn raw(&self) -> &str {
        self.joined.get_or_init(|| {
            let mut out = Vec::with_capacity(self.len());
            self.write(&mut out, |raw, out| out.extend_from_slice(raw.as_bytes()));
            ByteString::from(String::from_utf8(out).expect("pieces of text make text"))
        })
    }

    /// The length of the array's text in bytes.
    pub(crate) fn len(&self) -> usize {
        let entries: usize = self.entries.iter().map(|entry| entry.len() + self.between.len() + 1).sum();
        2 + self.open.len() + entries + self.close.len()
    }
}

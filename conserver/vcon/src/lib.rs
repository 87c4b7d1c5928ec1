//! The vCon document: one JSON text, kept as it came and looked into only where somebody asks.
//!
//! Parsing is one strict pass that remembers where the top-level members are. Everything else — entries,
//! bodies, tags, renames — is found in the text when it is wanted, so a tag on a long recording costs a
//! pass and a copy, whatever the recording holds. Unknown members, legacy names, the order and spelling of
//! things survive. This crate does no I/O, knows no clock and no randomness, and verifies no signature.
//!
//! | module | what lives there |
//! |---|---|
//! | `vcon`, `document`, `scan` | the document: parsing, editing, sharing |
//! | `entry`, `section`, `body` | what is in it, seen lazily |
//! | `tags`, `addition` | what links add |
//! | `view` | the shapes it is rendered in |
//! | [`validate`] | what is wrong with it, by profile |
//! | `form`, `id`, `timestamp` | signed and encrypted forms, ids, dates |
//! | `json` | the scanner below all of this |
//!
//! ```
//! use conserver_vcon::{BodyShape, Limits, Vcon, View};
//!
//! let json = r#"{"uuid": "018f2a4b-0000-8000-9dd8-dd37220d739c", "dialog": [{"mimetype": "text/plain"}]}"#;
//! let mut vcon = Vcon::from_json(json.into(), &Limits::default())?;
//! vcon.add_tag("priority", "high", BodyShape::Native)?;
//!
//! assert_eq!(vcon.tags()?, [("priority".into(), "high".into())]);
//! let written = vcon.render(View::Write(BodyShape::Native));
//! assert!(written.ends_with(br#""body": ["priority:high"], "encoding": "json"}], "vcon": "0.4.0"}"#));
//! # Ok::<(), conserver_vcon::DocumentError>(())
//! ```

mod addition;
mod body;
#[cfg(test)]
mod counting;
mod document;
mod entry;
mod error;
mod form;
mod id;
mod json;
mod limits;
mod scan;
mod section;
mod tags;
mod timestamp;
pub mod validate;
mod vcon;
mod view;

pub use addition::{DialogRef, NewAnalysis, NewAttachment, NewBody};
pub use body::{Body, BodyShape, Decoded};
pub use entry::{Analysis, Attachment, Dialog, Entries, Entry, Party};
pub use error::DocumentError;
pub use form::Form;
pub use id::{VconId, uuid8};
pub use json::python_text;
pub use limits::Limits;
pub use vcon::Vcon;
pub use view::View;

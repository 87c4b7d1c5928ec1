//! From a document to a row.

use bytes::Bytes;
use conserver_core::vcon::{Vcon, View};
use conserver_core::{Error, ErrorKind, Result};
use jiff::civil::DateTime;
use uuid::Uuid;

use crate::jsonb;

/// A row, ready to be sent.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) id: Uuid,
    /// The version that the document is written in; empty where it says none.
    pub(crate) version: String,
    /// `None`: missing or no time, so that the row gets the moment of the save.
    pub(crate) created_at: Option<String>,
    pub(crate) subject: Option<String>,
    pub(crate) json: Bytes,
}

impl Row {
    /// Makes the row of a vCon, in the legacy format if so wished.
    pub(crate) fn of(vcon: &Vcon, legacy: bool) -> Result<Self> {
        let id = vcon.id().as_uuid().ok_or_else(|| {
            let message =
                "the id is no UUID, and the table keeps only those; keep such vCons in another storage";
            Error::new(ErrorKind::Invalid, message)
        })?;
        let created_at =
            vcon.text("created_at").and_then(|text| wall_clock(&text)).map(|time| time.to_string());
        if created_at.is_none() {
            tracing::debug!(vcon = %id, "`created_at` is missing or no time; the row gets the moment of the save");
        }
        let version = if legacy { "0.0.1".into() } else { vcon.text("vcon").unwrap_or_default() };
        Ok(Self {
            id,
            version: jsonb::text(&version),
            created_at,
            subject: vcon.text("subject").map(|subject| jsonb::text(&subject)),
            json: jsonb::acceptable(vcon.render(if legacy { View::Legacy001 } else { View::Read })),
        })
    }
}

/// The date and time as they are written, the offset left out: what PostgreSQL makes of such a text for a column
/// without time zone.
fn wall_clock(text: &str) -> Option<DateTime> {
    let text = text.trim();
    let offset = text.get(10..)?.find(['Z', 'z', '+', '-']).map_or(text.len(), |at| at + 10);
    let time: DateTime = text[..offset].trim_end().parse().ok()?;
    (time.year() > 0).then_some(time)
}

#[cfg(test)]
mod tests {
    use conserver_testkit::vcons::{Vcons, vcon};
    use serde_json::json;

    use super::*;

    #[test]
    fn the_offset_is_left_out_and_the_digits_stay() {
        for (text, expected) in [
            ("2026-01-05T09:00:00Z", "2026-01-05T09:00:00"),
            ("2026-01-05T23:30:00.123456+05:30", "2026-01-05T23:30:00.123456"),
            ("2026-01-05T23:30:00-08:00", "2026-01-05T23:30:00"),
            ("2026-01-05 09:00:00 +00:00", "2026-01-05T09:00:00"),
            ("2026-01-05T09:00:00.123456+00+00:00", "2026-01-05T09:00:00.123456"),
            ("2026-01-05T09:00:00", "2026-01-05T09:00:00"),
            ("2026-01-05", "2026-01-05T00:00:00"),
        ] {
            assert_eq!(wall_clock(text).map(|time| time.to_string()).as_deref(), Some(expected), "{text}");
        }
        for text in ["", "yesterday", "2026-13-05T00:00:00Z", "0000-01-01T00:00:00Z", "äääääääääääää"]
        {
            assert_eq!(wall_clock(text), None, "{text}");
        }
    }

    #[test]
    fn a_row_has_what_the_document_says() {
        let mut document = Vcons::new(1).call();
        document["subject"] = json!("nul \u{0} inside");
        let row = Row::of(&vcon(&document), false).unwrap();
        assert_eq!(row.id.to_string(), document["uuid"].as_str().unwrap());
        assert_eq!((row.version.as_str(), row.subject.as_deref()), ("0.4.0", Some("nul \u{fffd} inside")));
        assert_eq!(row.created_at.as_deref(), Some("2026-01-05T09:00:00"));

        document["subject"] = json!(5);
        document.as_object_mut().unwrap().shift_remove("vcon");
        let row = Row::of(&vcon(&document), false).unwrap();
        assert_eq!((row.version.as_str(), row.subject), ("", None));
    }

    #[test]
    fn the_legacy_format_says_so() {
        let mut call = Vcons::new(1).call();
        call["dialog"][0]["mimetype"] = json!("audio/stale");
        call["dialog"][0]["mediatype"] = json!("audio/ogg");
        let row = Row::of(&vcon(&call), true).unwrap();
        assert_eq!(row.version, "0.0.1");
        let json: serde_json::Value = serde_json::from_slice(&row.json).unwrap();
        assert_eq!(json["dialog"][0]["mimetype"], "audio/ogg");
        assert_eq!((&json["vcon"], &json["attachments"][0]["type"]), (&json!("0.0.1"), &json!("tags")));
    }
}

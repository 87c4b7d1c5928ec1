//! The views against vectors: what each rule does, and the order members come out in.
//!
//! The vectors exercise the same cases that were measured on the Python server; their content is our own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use conserver_vcon::{BodyShape, Form, Limits, Vcon, View};

/// One of everything: both root renames, empty group and redacted, each entry rename, a rename onto a
/// present name, bodies of every type, and an entry that is no object.
const MIXED: &str = r#"{"uuid": "id-1", "vcon": "0.0.2", "created_at": "2025-06-07T08:09:10Z", "appended": null, "must_support": ["ext"], "group": [], "redacted": {}, "parties": [{"mailto": "ada@host.example", "type": "person"}], "dialog": [{"type": "text", "mimetype": "text/plain", "start": "2025-06-07T08:09:10Z", "body": {"free": "form"}}], "analysis": [{"type": "score", "schema_version": "old", "schema": "new", "must_support": true, "body": {"points": [7, "ß"]}, "encoding": "none"}, {"type": "note", "body": "words"}, {"type": "count", "body": 12, "encoding": "json"}], "attachments": [{"type": "tags", "mimetype": "application/json", "body": ["lang:de"], "encoding": "none"}, {"type": "form", "purpose": "order", "body": "{\"n\":2}", "encoding": "json"}, "stray"]}"#;

const WRITTEN_AS_TEXT: &str = r#"{"uuid": "id-1", "vcon": "0.4.0", "created_at": "2025-06-07T08:09:10Z", "parties": [{"mailto": "ada@host.example", "type": "person"}], "dialog": [{"type": "text", "start": "2025-06-07T08:09:10Z", "body": {"free": "form"}, "mediatype": "text/plain"}], "analysis": [{"type": "score", "schema": "new", "body": "{\"points\": [7, \"\\u00df\"]}", "encoding": "json", "critical": true}, {"type": "note", "body": "words"}, {"type": "count", "body": 12, "encoding": "json"}], "attachments": [{"body": "[\"lang:de\"]", "encoding": "json", "mediatype": "application/json", "purpose": "tags"}, {"type": "form", "purpose": "order", "body": "{\"n\":2}", "encoding": "json"}, "stray"], "amended": null, "critical": ["ext"]}"#;

const WRITTEN_NATIVE: &str = r#"{"uuid": "id-1", "vcon": "0.4.0", "created_at": "2025-06-07T08:09:10Z", "parties": [{"mailto": "ada@host.example", "type": "person"}], "dialog": [{"type": "text", "start": "2025-06-07T08:09:10Z", "body": {"free": "form"}, "mediatype": "text/plain"}], "analysis": [{"type": "score", "schema": "new", "body": {"points": [7, "ß"]}, "encoding": "json", "critical": true}, {"type": "note", "body": "words"}, {"type": "count", "body": 12, "encoding": "json"}], "attachments": [{"body": ["lang:de"], "encoding": "json", "mediatype": "application/json", "purpose": "tags"}, {"type": "form", "purpose": "order", "body": "{\"n\":2}", "encoding": "json"}, "stray"], "amended": null, "critical": ["ext"]}"#;

const READ: &str = r#"{"uuid": "id-1", "vcon": "0.0.2", "created_at": "2025-06-07T08:09:10Z", "group": [], "redacted": {}, "parties": [{"mailto": "ada@host.example", "type": "person"}], "dialog": [{"type": "text", "start": "2025-06-07T08:09:10Z", "body": {"free": "form"}, "mediatype": "text/plain"}], "analysis": [{"type": "score", "schema": "new", "body": {"points": [7, "ß"]}, "encoding": "none", "critical": true}, {"type": "note", "body": "words"}, {"type": "count", "body": 12, "encoding": "json"}], "attachments": [{"body": ["lang:de"], "encoding": "none", "mediatype": "application/json", "purpose": "tags"}, {"type": "form", "purpose": "order", "body": "{\"n\":2}", "encoding": "json"}, "stray"], "amended": null, "critical": ["ext"]}"#;

const LEGACY: &str = r#"{"uuid": "id-1", "vcon": "0.0.1", "created_at": "2025-06-07T08:09:10Z", "parties": [{"mailto": "ada@host.example", "type": "person"}], "dialog": [{"type": "text", "start": "2025-06-07T08:09:10Z", "body": {"free": "form"}, "mimetype": "text/plain"}], "analysis": [{"type": "score", "body": {"points": [7, "\u00df"]}, "encoding": "none", "schema_version": "new", "must_support": true}, {"type": "note", "body": "words"}, {"type": "count", "body": 12, "encoding": "json"}], "attachments": [{"body": ["lang:de"], "encoding": "none", "mimetype": "application/json", "type": "tags"}, {"type": "form", "purpose": "order", "body": {"n":2}, "encoding": "none"}, "stray"], "appended": null, "must_support": ["ext"], "group": [], "redacted": {}}"#;

const NATIVE: View = View::Write(BodyShape::Native);
const TEXT: View = View::Write(BodyShape::Text);

fn vcon(json: &str) -> Vcon {
    Vcon::parse("x".into(), json.to_owned().into(), &Limits::default()).unwrap()
}

fn rendered(json: &str, view: View) -> String {
    let vcon = vcon(json);
    let rendered = vcon.render(view);
    let mut into = b"before".to_vec();
    vcon.render_into(view, &mut into);
    assert_eq!(&into[6..], &rendered[..], "render and render_into agree");
    String::from_utf8(rendered.into()).unwrap()
}

/// An entry of `section` after the view, in a document that is otherwise in write form.
fn entry(section: &str, entry: &str, view: View) -> String {
    let json = format!(r#"{{"vcon": "0.4.0", "{section}": [{entry}]}}"#);
    let vcon = vcon(&rendered(&json, view));
    let raw = vcon.raw(section).unwrap();
    raw[1..raw.len() - 1].to_owned()
}

#[test]
fn the_read_view_renames_and_nothing_else() {
    assert_eq!(rendered(MIXED, View::Read), READ);
}

#[test]
fn the_write_view_stamps_and_labels_and_keeps_bodies_native() {
    assert_eq!(rendered(MIXED, NATIVE), WRITTEN_NATIVE);
}

#[test]
fn the_write_view_in_the_older_shape_puts_bodies_into_text() {
    assert_eq!(rendered(MIXED, TEXT), WRITTEN_AS_TEXT);
}

#[test]
fn the_legacy_view_turns_what_was_written_back() {
    assert_eq!(rendered(WRITTEN_AS_TEXT, View::Legacy001), LEGACY);
    assert_eq!(rendered(WRITTEN_NATIVE, View::Legacy001), LEGACY.replace("\\u00df", "ß"));
}

#[test]
fn views_repeated_change_nothing_more() {
    for view in [View::Read, NATIVE, TEXT, View::Legacy001, View::StoredLegacy001] {
        let once = rendered(MIXED, view);
        let again = vcon(&once).render(view);
        assert_eq!(again, once, "{view:?}");
    }
}

#[test]
fn a_view_that_changes_nothing_copies_nothing() {
    for (json, view) in
        [(MIXED, View::Stored), (READ, View::Read), (WRITTEN_NATIVE, NATIVE), (WRITTEN_AS_TEXT, TEXT)]
    {
        let bytes = bytes::Bytes::copy_from_slice(json.as_bytes());
        let vcon = Vcon::parse("x".into(), bytes.clone(), &Limits::default()).unwrap();
        assert_eq!(vcon.render(view).as_ptr(), bytes.as_ptr(), "{view:?}");
    }
}

#[test]
fn the_version_is_added_at_the_end_where_it_was_not() {
    assert_eq!(rendered(r#"{"a":1,"appended":{}}"#, NATIVE), r#"{"a":1,"amended":{},"vcon":"0.4.0"}"#);
    assert_eq!(rendered("{}", NATIVE), r#"{"vcon":"0.4.0"}"#);
}

#[test]
fn only_empty_group_and_redacted_are_dropped() {
    let dropped = "{\"vcon\":\"0.4.0\",\"group\":[ ],\"redacted\":{\n}}";
    assert_eq!(rendered(dropped, NATIVE), r#"{"vcon":"0.4.0"}"#);
    for kept in [
        r#"{"vcon":"0.4.0","group":[1],"redacted":{"a":1}}"#,
        r#"{"vcon":"0.4.0","group":{},"redacted":[]}"#,
        r#"{"vcon":"0.4.0","group":null,"redacted":null}"#,
    ] {
        assert_eq!(rendered(kept, NATIVE), kept);
    }
}

#[test]
fn parties_and_dialog_bodies_are_never_touched() {
    for (section, text) in [
        ("parties", r#"{"mimetype":"x","type":"person","body":{}}"#),
        ("dialog", r#"{"type":"x","body":[1]}"#),
    ] {
        for view in [View::Read, NATIVE, TEXT] {
            assert_eq!(entry(section, text, view), text);
        }
    }
}

#[test]
fn an_entry_that_needs_no_rename_keeps_its_bytes() {
    let odd = "{  \"type\" :\t\"x\",\n\"n\": 1.50e+3 , \"s\": \"\\u00e9\\/\" }";
    let json = format!("{{\"vcon\":\"0.4.0\", \"analysis\":[ {odd} ,{{\"mimetype\":1}},\n{odd}]}}");
    let expected = format!("{{\"vcon\":\"0.4.0\", \"analysis\":[ {odd} ,{{\"mediatype\":1}},\n{odd}]}}");
    assert_eq!(rendered(&json, NATIVE), expected);
}

#[test]
fn values_of_a_renamed_entry_keep_their_spelling() {
    let before = r#"{"mimetype":"a","n":1.50,"s":"\u00e9\/","deep":{"mimetype":[1 , 2]}}"#;
    let after = r#"{"n":1.50,"s":"\u00e9\/","deep":{"mimetype":[1 , 2]},"mediatype":"a"}"#;
    assert_eq!(entry("dialog", before, View::Read), after);
}

#[test]
fn a_rewritten_entry_keeps_its_layout() {
    let before = "{\n    \"mimetype\": \"a\",\n    \"x\": 1\n  }";
    let after = "{\n    \"x\": 1,\n    \"mediatype\": \"a\"\n  }";
    assert_eq!(entry("dialog", before, View::Read), after);
}

#[test]
fn names_are_recognised_however_they_are_escaped() {
    assert_eq!(entry("dialog", r#"{"mime\u0074ype":1}"#, View::Read), r#"{"mediatype":1}"#);
    assert_eq!(rendered(r#"{"append\u0065d":1}"#, View::Read), r#"{"amended":1}"#);
}

#[test]
fn the_type_of_an_attachment_stays_beside_a_purpose() {
    assert_eq!(entry("attachments", r#"{"type":"a"}"#, View::Read), r#"{"purpose":"a"}"#);
    for kept in [r#"{"type":"a","purpose":"b"}"#, r#"{"purpose":null,"type":"a"}"#] {
        assert_eq!(entry("attachments", kept, View::Read), kept);
        assert_eq!(entry("attachments", kept, View::Legacy001), kept);
    }
}

#[test]
fn a_missing_label_is_added_last_and_a_wrong_one_replaced_in_place() {
    let after = r#"{"body":[],"mediatype":"m","encoding":"json"}"#;
    assert_eq!(entry("analysis", r#"{"mimetype":"m","body":[]}"#, NATIVE), after);
    let after = r#"{"encoding":"json","body":[]}"#;
    assert_eq!(entry("analysis", r#"{"encoding":"base64url","body":[]}"#, NATIVE), after);
}

#[test]
fn bodies_that_are_no_object_or_array_are_not_touched() {
    for body in ["5", "1.0", "true", "null", "\"[1]\"", "\"\""] {
        let text = format!(r#"{{"body":{body},"encoding":"none"}}"#);
        for view in [NATIVE, TEXT, View::Legacy001] {
            assert_eq!(entry("attachments", &text, view), text);
        }
    }
}

#[test]
fn text_that_is_no_json_stays_text_in_the_legacy_view() {
    for body in ["\"\"", "\"{\"", "\"NaN\"", "\"1 2\"", "\"\\ud800\"", "\"[\\\"\\ud800\\\"]\""] {
        let text = format!(r#"{{"body":{body},"encoding":"json"}}"#);
        assert_eq!(entry("analysis", &text, View::Legacy001), text);
    }
    assert_eq!(
        entry("analysis", r#"{"body":"\"a\"","encoding":"json"}"#, View::Legacy001),
        r#"{"body":"a","encoding":"none"}"#
    );
}

#[test]
fn of_two_names_the_legacy_view_sends_what_a_pipeline_reads_and_the_stored_one_what_is_stored() {
    for (section, old, new) in [
        ("dialog", "mimetype", "mediatype"),
        ("analysis", "schema_version", "schema"),
        ("attachments", "must_support", "critical"),
    ] {
        for both in [format!(r#"{{"{old}":"o","{new}":"n"}}"#), format!(r#"{{"{new}":"n","{old}":"o"}}"#)] {
            assert_eq!(entry(section, &both, View::Legacy001), format!(r#"{{"{old}":"n"}}"#));
            assert_eq!(entry(section, &both, View::StoredLegacy001), format!(r#"{{"{old}":"o"}}"#));
        }
    }
    let root = r#"{"appended":{"a":1},"amended":{"b":2},"critical":["n"],"must_support":["o"]}"#;
    let sent = r#""appended":{"b":2},"must_support":["n"]"#;
    let sent = format!(r#"{{{sent},"group":[],"redacted":{{}},"vcon":"0.0.1"}}"#);
    assert_eq!(rendered(root, View::Legacy001), sent);
    let stored = sent.replace(r#"{"b":2}"#, r#"{"a":1}"#).replace(r#"["n"]"#, r#"["o"]"#);
    assert_eq!(rendered(root, View::StoredLegacy001), stored);
}

#[test]
fn sections_that_are_null_or_no_array_stay() {
    let json = r#"{"vcon":"0.4.0","dialog":null,"analysis":{"mimetype":1},"attachments":"x"}"#;
    for view in [View::Read, NATIVE, TEXT] {
        assert_eq!(rendered(json, view), json);
    }
}

#[test]
fn edited_documents_are_rendered_by_the_same_rules() {
    let mut edited = vcon(MIXED);
    edited.add_tag("state", "open", BodyShape::Native).unwrap();
    edited.set("subject", "\"late\"").unwrap();
    let expected = WRITTEN_NATIVE.replace(r#"["lang:de"]"#, r#"["lang:de", "state:open"]"#);
    let expected = expected.replace(r#""amended""#, r#""subject": "late", "amended""#);
    assert_eq!(edited.render(NATIVE), expected);
}

#[test]
fn signed_and_encrypted_documents_pass_untouched_and_refuse_edits() {
    let signed = r#"{"payload":"e30","signatures":[{}],"appended":1,"dialog":[{"mimetype":"x"}]}"#;
    let encrypted = r#"{ "ciphertext":"x","recipients":[], "must_support":[] }"#;
    for (json, form, rule) in [(signed, Form::Jws, "signed"), (encrypted, Form::Jwe, "encrypted")] {
        let mut vcon = vcon(json);
        assert_eq!(vcon.form(), form);
        for view in [View::Stored, View::Read, NATIVE, TEXT, View::Legacy001] {
            assert_eq!(rendered(json, view), json, "{view:?}");
        }
        let before = vcon.clone();
        assert_eq!(vcon.add_tag("a", "b", BodyShape::Native).unwrap_err().rule(), rule);
        assert_eq!(vcon.set("subject", "1").unwrap_err().rule(), rule);
        assert_eq!(vcon.remove("appended").unwrap_err().rule(), rule);
        assert!(vcon.same_as(&before));
    }
}

//! Parsing, sharing and editing through the public interface.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use conserver_vcon::{BodyShape, DialogRef, Limits, NewAnalysis, NewAttachment, NewBody, Vcon, View};
use serde_json::json;

fn vcon(json: &str) -> Vcon {
    Vcon::from_json(json.to_owned().into(), &Limits::default()).unwrap()
}

#[test]
fn the_id_in_the_queue_may_differ_from_the_uuid_inside() {
    let vcon = Vcon::parse("queue name".into(), r#"{"uuid":"inside"}"#.into(), &Limits::default()).unwrap();
    assert_eq!(vcon.id().as_str(), "queue name");
    assert_eq!(vcon.text("uuid").as_deref(), Some("inside"));
}

#[test]
fn a_document_without_uuid_needs_a_name() {
    for json in ["{}", r#"{"uuid":""}"#, r#"{"uuid":5}"#, r#"{"uuid":null}"#] {
        let error = Vcon::from_json(json.into(), &Limits::default()).unwrap_err();
        assert_eq!((error.rule(), error.path()), ("no-uuid", "/uuid"));
    }
}

#[test]
fn limits_are_kept_and_told() {
    let small = Limits { max_bytes: 10, max_depth: 64 };
    let error = Vcon::from_json(r#"{"uuid":"u"}"#.into(), &small).unwrap_err();
    assert_eq!(error.rule(), "too-large");
    assert!(error.to_string().contains("12 bytes and 10 are accepted"), "{error}");
    let shallow = Limits { max_depth: 2, ..Limits::default() };
    assert_eq!(Vcon::from_json(r#"{"a":[[1]]}"#.into(), &shallow).unwrap_err().rule(), "too-deep");
}

#[test]
fn bytes_that_are_no_utf8_are_refused_with_their_place() {
    let error = Vcon::from_json(b"{\"a\":\"\xff\"}".as_slice().into(), &Limits::default()).unwrap_err();
    assert_eq!((error.rule(), error.offset()), ("not-utf8", Some(6)));
}

#[test]
fn an_error_never_quotes_content() {
    for json in [
        r#"{"secret1": "secret2", "dialog": [{"body": "secret3" secret4}]}"#,
        "{\"a\":\"secret5\n\"}",
        "secret6",
    ] {
        let error = Vcon::from_json(json.to_owned().into(), &Limits::default()).unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
        assert!(!format!("{error:?}").contains("secret"));
    }
}

#[test]
fn debug_output_shows_no_content() {
    assert!(!format!("{:?}", vcon(r#"{"uuid":"u","subject":"hush"}"#)).contains("hush"));
}

#[test]
fn a_clone_is_the_same_until_one_is_edited() {
    let original = vcon(r#"{"uuid":"u","subject":"s"}"#);
    let mut copy = original.clone();
    assert!(copy.same_as(&original));

    assert!(!copy.set("subject", " \"s\" ").unwrap());
    assert!(!copy.remove("absent").unwrap());
    assert!(copy.same_as(&original));

    assert!(copy.set("subject", "\"t\"").unwrap());
    assert!(!copy.same_as(&original));
    assert_eq!(original.raw("subject"), Some("\"s\""));
    assert_eq!(copy.raw("subject"), Some("\"t\""));
}

#[test]
fn equal_documents_parsed_twice_are_not_the_same() {
    assert!(!vcon(r#"{"uuid":"u"}"#).same_as(&vcon(r#"{"uuid":"u"}"#)));
}

#[test]
fn set_takes_strict_json_only() {
    let mut vcon = vcon(r#"{"uuid":"u"}"#);
    for json in ["", "NaN", "1,\"x\":2", "{", "'a'"] {
        assert_eq!(vcon.set("a", json).unwrap_err().rule(), "not-json", "{json}");
    }
    assert!(vcon.set("quo\"te", "[1]").unwrap());
    assert!(vcon.remove("uuid").unwrap());
    assert_eq!(vcon.render(View::Stored), r#"{"quo\"te":[1]}"#);
}

#[test]
fn sections_that_are_absent_null_or_odd_are_empty() {
    for json in [
        r#"{"uuid":"u"}"#,
        r#"{"uuid":"u","parties":null}"#,
        r#"{"uuid":"u","parties":{"tel":"1"}}"#,
        r#"{"uuid":"u","parties":"x"}"#,
    ] {
        assert_eq!(vcon(json).parties().count(), 0);
    }
}

#[test]
fn entries_answer_what_links_ask() {
    let vcon = vcon(
        r#"{"uuid":"u","parties":[{"tel":"+1","name":"A\u0062"},{"mailto":"b@host.example"}],
            "dialog":[{"type":"recording","duration":12.5,"url":"https://host.example/a","mimetype":"audio/wav"}],
            "analysis":[{"type":"summary","vendor":"v","dialog":[0,1],"body":"ok"}]}"#,
    );
    let parties: Vec<_> = vcon.parties().collect();
    assert_eq!(parties[0].tel().as_deref(), Some("+1"));
    assert_eq!(parties[0].name().as_deref(), Some("Ab"));
    assert_eq!(parties[1].mailto().as_deref(), Some("b@host.example"));
    let dialog = vcon.dialog().next().unwrap();
    assert_eq!((dialog.kind().as_deref(), dialog.duration()), (Some("recording"), Some(12.5)));
    assert_eq!(dialog.mediatype().as_deref(), Some("audio/wav"));
    let analysis = vcon.analysis().next().unwrap();
    assert_eq!((analysis.vendor().as_deref(), analysis.dialogs()), (Some("v"), vec![0, 1]));
}

#[test]
fn an_analysis_is_written_in_the_order_of_the_reference() {
    let mut vcon = vcon(r#"{"uuid":"u","analysis":[]}"#);
    let analysis = NewAnalysis::new("summary", 0, "maker", "short").with("product", "p").with("score", 1);
    vcon.add_analysis(analysis, BodyShape::Native).unwrap();
    assert_eq!(
        vcon.raw("analysis"),
        Some(
            r#"[{"type":"summary","dialog":0,"vendor":"maker","body":"short","encoding":"none","product":"p","score":1}]"#
        )
    );
}

#[test]
fn a_json_body_takes_the_shape_asked_for() {
    for (shape, body) in [(BodyShape::Native, r#"{"a":"é"}"#), (BodyShape::Text, r#""{\"a\": \"\\u00e9\"}""#)]
    {
        let mut vcon = vcon(r#"{"uuid":"u"}"#);
        let analysis = NewAnalysis::new("x", DialogRef::None, "v", json!({"a": "é"}));
        vcon.add_analysis(analysis, shape).unwrap();
        let raw = NewAttachment::new("y", NewBody::RawJson(r#" {"a":"é"} "#.into()));
        vcon.add_attachment(raw, shape).unwrap();
        assert_eq!(
            vcon.raw("analysis").unwrap(),
            format!(r#"[{{"type":"x","vendor":"v","body":{body},"encoding":"json"}}]"#)
        );
        assert_eq!(
            vcon.raw("attachments").unwrap(),
            format!(r#"[{{"purpose":"y","body":{body},"encoding":"json"}}]"#)
        );
    }
}

#[test]
fn bytes_are_written_in_unpadded_base64url() {
    let mut vcon = vcon(r#"{"uuid":"u"}"#);
    let file = NewAttachment::new("file", NewBody::Bytes([0xfb, 0xff].as_slice().into())).with("party", 0);
    vcon.add_attachment(file, BodyShape::Native).unwrap();
    assert_eq!(
        vcon.raw("attachments"),
        Some(r#"[{"purpose":"file","body":"-_8","encoding":"base64url","party":0}]"#)
    );
    assert_eq!(vcon.attachments().next().unwrap().body().unwrap().decode_media().unwrap(), [0xfb, 0xff]);
}

#[test]
fn a_raw_body_that_is_no_json_is_refused_and_nothing_changes() {
    let mut vcon = vcon(r#"{"uuid":"u"}"#);
    let before = vcon.clone();
    let bad = NewAnalysis::new("x", 0, "v", NewBody::RawJson("{".into()));
    assert_eq!(vcon.add_analysis(bad, BodyShape::Native).unwrap_err().rule(), "not-json");
    assert!(vcon.same_as(&before));
}

#[test]
fn entries_added_look_like_the_document() {
    let mut vcon = vcon("{\n  \"uuid\": \"u\",\n  \"analysis\": [\n    {\"type\": \"a\"}\n  ]\n}");
    vcon.add_analysis(NewAnalysis::new("b", 0, "v", "t"), BodyShape::Native).unwrap();
    let expected = "{\n  \"uuid\": \"u\",\n  \"analysis\": [\n    {\"type\": \"a\"},\n    {\"type\": \"b\", \"dialog\": 0, \"vendor\": \"v\", \"body\": \"t\", \"encoding\": \"none\"}\n  ]\n}";
    assert_eq!(vcon.render(View::Stored), expected);
}

#[test]
fn the_size_of_an_edited_document_is_about_right() {
    let mut vcon = vcon(r#"{"uuid":"u","dialog":[{"body":"aaaaaaaaaaaaaaaaaaaaaaaaaa"}]}"#);
    vcon.add_tag("name", "value", BodyShape::Native).unwrap();
    assert!(vcon.size().abs_diff(vcon.render(View::Stored).len()) < 16);
}

#[test]
fn the_creation_time_is_in_seconds_and_utc_without_a_zone() {
    for (text, seconds) in [
        ("2026-01-02T03:04:05Z", Some(1767323045)),
        ("2026-01-02T03:04:05", Some(1767323045)),
        ("soon", None),
    ] {
        assert_eq!(vcon(&format!(r#"{{"uuid":"u","created_at":"{text}"}}"#)).created_unix(), seconds);
    }
}

#[test]
fn elements_that_are_no_objects_are_found_in_sections_and_elsewhere() {
    let json = r#"{"dialog":[{},{"a":[1]}],"analysis":[1,{}, "x",[{}]],"group":[{},null],"other":{"a":1}}"#;
    let vcon = Vcon::parse("a".into(), json.into(), &Limits::default()).unwrap();
    let odd = |member: &str| vcon.odd_elements(member).collect::<Vec<_>>();
    assert_eq!(odd("dialog"), []);
    assert_eq!(odd("analysis"), [(0, "1"), (2, "\"x\""), (3, "[{}]")]);
    assert_eq!(odd("group"), [(1, "null")]);
    assert!(odd("other").is_empty() && odd("missing").is_empty());
}

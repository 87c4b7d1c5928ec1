//! Tags in every shape they are found in.

use super::*;
use crate::counting::decoded_by;
use crate::{Limits, Vcon, View};

fn vcon(attachments: &str) -> Vcon {
    let json = format!(r#"{{"uuid":"u","attachments":{attachments}}}"#);
    Vcon::from_json(json.into(), &Limits::default()).unwrap()
}

fn after(attachments: &str, tags: &[(&str, &str)], shape: BodyShape) -> String {
    let mut vcon = vcon(attachments);
    assert!(vcon.add_tags(tags, shape).unwrap());
    vcon.raw("attachments").unwrap().into()
}

fn tags(attachments: &str) -> Vec<(String, String)> {
    vcon(attachments).tags().unwrap()
}

#[test]
fn tags_are_read_in_all_four_shapes() {
    for body in [r#"["a:1","b:x:y","c"]"#, r#"{"a":1,"b":"x:y","c":null}"#] {
        let text = quote(body);
        for body in [body, &*text] {
            let found = tags(&format!(r#"[{{"type":"tags","body":{body},"encoding":"json"}}]"#));
            let expected = [("a", "1"), ("b", "x:y"), ("c", "")];
            assert_eq!(found, expected.map(|(name, value)| (name.into(), value.into())), "{body}");
        }
    }
}

#[test]
fn tags_of_all_tags_attachments_are_read_and_others_are_not() {
    let found = tags(
        r#"[{"purpose":"tags","body":["a:1"]},{"type":"x","body":["b:1"]},7,{"purpose":"","type":"tags","body":["c:1"]},{"purpose":"tags"}]"#,
    );
    assert_eq!(found, [("a".into(), "1".into()), ("c".into(), "1".into())]);
}

#[test]
fn a_body_that_claims_to_be_json_and_is_none_is_an_error() {
    let mut vcon = vcon(r#"[{"purpose":"tags","body":"[oops","encoding":"json"}]"#);
    let error = vcon.tags().unwrap_err();
    assert_eq!((error.rule(), error.path()), ("bad-tags", "/attachments/0/body"));
    assert!(vcon.add_tag("a", "b", BodyShape::Native).is_err());
}

#[test]
fn an_attachment_is_made_where_none_is() {
    let made = r#"[{"purpose":"tags","body":["a:b"],"encoding":"json"}]"#;
    assert_eq!(after("[]", &[("a", "b")], BodyShape::Native), made);
    assert_eq!(after("null", &[("a", "b")], BodyShape::Native), made);
    assert_eq!(
        after("[]", &[("é", "b"), ("c", "d")], BodyShape::Text),
        r#"[{"purpose":"tags","body":"[\"\\u00e9:b\", \"c:d\"]","encoding":"json"}]"#
    );
}

#[test]
fn the_section_is_made_where_none_is() {
    let mut vcon = Vcon::from_json("{ \"uuid\": \"u\" }".into(), &Limits::default()).unwrap();
    vcon.add_tag("a", "b", BodyShape::Native).unwrap();
    let json =
        r#"{ "uuid": "u", "attachments": [{"purpose": "tags", "body": ["a:b"], "encoding": "json"}] }"#;
    assert_eq!(vcon.render(View::Stored), json);
}

#[test]
fn what_is_there_keeps_its_shape() {
    for (before, then) in [
        (r#"["x:y"]"#, r#"["x:y","a:b"]"#),
        (r#"[]"#, r#"["a:b"]"#),
        (r#""[\"x:y\"]""#, r#""[\"x:y\", \"a:b\"]""#),
        (r#"{"x": "y"}"#, r#"{"x": "y", "a": "b"}"#),
        (r#""{\"x\":\"y\"}""#, r#""{\"x\":\"y\",\"a\":\"b\"}""#),
        (r#"["x:y", 5, {"odd":1}]"#, r#"["x:y", 5, {"odd":1}, "a:b"]"#),
    ] {
        for shape in [BodyShape::Native, BodyShape::Text] {
            let attachments =
                format!(r#"[1, {{"keep":1.50,"type":"tags","body":{before},"encoding":"json"}}]"#);
            let expected = attachments.replace(before, then);
            assert_eq!(after(&attachments, &[("a", "b")], shape), expected);
        }
    }
}

#[test]
fn a_wrong_or_missing_label_is_corrected() {
    let fixed = r#"[{"purpose":"tags","body":["x:y","a:b"],"encoding":"json"}]"#;
    let wrong = r#"[{"purpose":"tags","body":["x:y"],"encoding":"none"}]"#;
    assert_eq!(after(wrong, &[("a", "b")], BodyShape::Native), fixed);
    assert_eq!(after(r#"[{"purpose":"tags","body":["x:y"]}]"#, &[("a", "b")], BodyShape::Native), fixed);
    let empty = r#"[{"purpose":"tags","body":"","encoding":"none"}]"#;
    assert_eq!(after(empty, &[("x", "y"), ("a", "b")], BodyShape::Native), fixed);
}

#[test]
fn text_that_is_no_list_is_left_alone() {
    let attachments = r#"[{"purpose":"tags","body":"urgent","encoding":"none"}]"#;
    let added = after(attachments, &[("a", "b")], BodyShape::Native);
    assert!(added.starts_with(&attachments[..attachments.len() - 1]), "{added}");
    assert_eq!(tags(&added), [("a".into(), "b".into())]);
}

#[test]
fn an_object_has_one_value_for_a_name() {
    let attachments = r#"[{"purpose":"tags","body":{"a":"old","b":"x"},"encoding":"json"}]"#;
    let expected = attachments.replace("old", "new");
    assert_eq!(after(attachments, &[("a", "new")], BodyShape::Native), expected);
}

#[test]
fn a_tag_that_is_there_changes_nothing() {
    for (body, name, value) in [
        (r#"["a:b:c"]"#, "a:b", "c"),
        (r#"["a"]"#, "a", ""),
        (r#"{"a":"b"}"#, "a", "b"),
        (r#""[\"a:b\"]""#, "a", "b"),
    ] {
        let mut vcon = vcon(&format!(r#"[{{"type":"tags","body":{body}}}]"#));
        let before = vcon.clone();
        assert!(!vcon.add_tag(name, value, BodyShape::Native).unwrap(), "{body}");
        assert!(vcon.same_as(&before));
    }
}

#[test]
fn the_same_tag_twice_is_added_once() {
    let added = after("[]", &[("a", "b"), ("a", "b"), ("a", "c")], BodyShape::Native);
    assert_eq!(tags(&added).len(), 2);
}

#[test]
fn attachments_that_are_no_array_are_an_error() {
    let error = vcon("{}").add_tag("a", "b", BodyShape::Native).unwrap_err();
    assert_eq!((error.rule(), error.path()), ("not-an-array", "/attachments"));
}

#[test]
fn tagging_decodes_no_dialog_body() {
    let body = quote(&"line\n".repeat(200_000));
    let json = format!(
        r#"{{"uuid":"u","dialog":[{{"mimetype":"a/b","body":{body}}}],"attachments":[{{"type":"tags","body":["x:y"]}}]}}"#
    );
    let mut vcon = None;
    let decoded = decoded_by(|| {
        let mut tagged = Vcon::from_json(json.into(), &Limits::default()).unwrap();
        tagged.add_tag("a", "b", BodyShape::Native).unwrap();
        let mut out = Vec::new();
        tagged.render_into(View::Write(BodyShape::Native), &mut out);
        assert!(out.len() > 1_000_000);
        vcon = Some(tagged);
    });
    assert!(decoded < 1000, "{decoded} bytes were decoded");
    // The count does count: reading that body shows.
    let reading = decoded_by(|| drop(vcon.unwrap().dialog().next().unwrap().body().unwrap().decode()));
    assert!(reading > 1_000_000, "{reading}");
}

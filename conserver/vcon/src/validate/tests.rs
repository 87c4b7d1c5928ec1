//! Each rule with a document that breaks it and nothing else.

use super::*;

/// A document that no rule of any profile objects to.
const CLEAN: &str = r#"{
  "uuid": "018f2a4b-0000-8000-9dd8-dd37220d739c",
  "created_at": "2026-01-02T03:04:05Z",
  "parties": [{"tel": "+1", "name": "Ada", "validation": "SSO"}, {"mailto": "b@host.example"}],
  "dialog": [
    {"type": "recording", "start": "2026-01-02T03:04:05Z", "duration": 1.5, "parties": [0, [1], null],
     "mediatype": "audio/ogg", "body": "QUJD", "encoding": "base64url"},
    {"type": "text", "start": "2026-01-02T03:04:05Z", "parties": 0, "mediatype": "text/plain",
     "body": "hi", "encoding": "none"},
    {"type": "incomplete", "start": "2026-01-02T03:04:05Z", "disposition": "busy"},
    {"type": "transfer", "transferee": 0, "transferor": 1, "original": 0, "target_dialog": 1}
  ],
  "analysis": [{"type": "summary", "dialog": [0], "vendor": "v", "mediatype": "application/json",
    "body": {"a": 1}, "encoding": "json"}],
  "attachments": [{"purpose": "x", "start": "2026-01-02T03:04:05Z", "party": 0, "dialog": 1,
    "mediatype": "text/plain", "url": "https://host.example/a", "content_hash": "sha256-abc"}]
}"#;

fn findings(json: &str, profile: Profile) -> Vec<Finding> {
    validate_bytes(json.to_owned().into(), &Limits::default(), profile)
}

/// (severity, rule, path) of each finding after `from` in the clean document became `to`.
fn after(from: &str, to: &str, profile: Profile) -> Vec<(Severity, &'static str, String)> {
    assert!(CLEAN.contains(from), "{from}");
    let found = findings(&CLEAN.replacen(from, to, 1), profile);
    found.into_iter().map(|finding| (finding.severity, finding.rule, finding.path)).collect()
}

#[track_caller]
fn breaks(from: &str, to: &str, profile: Profile, severity: Severity, rule: &'static str, path: &str) {
    let found = after(from, to, profile);
    assert_eq!(found, [(severity, rule, path.into())], "{from} => {to}");
}

#[test]
fn a_clean_document_has_no_findings() {
    for profile in [Profile::Ingest, Profile::Core04] {
        assert_eq!(findings(CLEAN, profile), []);
    }
}

#[test]
fn the_door_refuses_what_a_pipeline_cannot_use() {
    for (from, to, rule, path) in [
        (r#""uuid""#, r#""x""#, "required", "/uuid"),
        ("018f2a4b-", "no-", "bad-uuid", "/uuid"),
        (r#""created_at""#, r#""x""#, "required", "/created_at"),
        (r#""2026-01-02T03:04:05Z""#, r#""soon""#, "bad-date", "/created_at"),
        (r#""2026-01-02T03:04:05Z""#, "1767323045", "bad-date", "/created_at"),
        (r#""duration": 1.5"#, r#""duration": -1"#, "bad-duration", "/dialog/0/duration"),
        (r#""duration": 1.5"#, r#""duration": "1""#, "bad-duration", "/dialog/0/duration"),
        ("[0, [1], null]", "[0, [2], null]", "out-of-range", "/dialog/0/parties/1/0"),
        ("[0, [1], null]", "[0, true]", "bad-party-index", "/dialog/0/parties/1"),
        ("[0, [1], null]", "[[[0]]]", "bad-party-index", "/dialog/0/parties/0/0"),
        (r#"[{"type": "summary""#, r#"[1, {"type": "summary""#, "wrong-type", "/analysis/0"),
    ] {
        let found = after(from, to, Profile::Ingest);
        assert!(found.contains(&(Severity::Error, rule, path.into())), "{to}: {found:?}");
        let errors = found.iter().filter(|(severity, ..)| *severity == Severity::Error).count();
        assert_eq!(errors, 1, "{to}: {found:?}");
        assert!(after(from, to, Profile::Core04).iter().any(|(_, r, p)| (*r, &**p) == (rule, path)), "{to}");
    }
}

#[test]
fn sections_must_be_arrays() {
    for value in ["null", "\"x\"", "{}"] {
        let json = format!(
            r#"{{"uuid":"018f2a4b-0000-8000-9dd8-dd37220d739c","created_at":"2026-01-02T03:04:05Z","parties":{value}}}"#
        );
        let found = findings(&json, Profile::Ingest);
        assert_eq!((found[0].rule, &*found[0].path), ("wrong-type", "/parties"));
    }
}

#[test]
fn a_document_without_any_section_has_no_form() {
    let json = r#"{"uuid":"018f2a4b-0000-8000-9dd8-dd37220d739c","created_at":"2026-01-02T03:04:05Z"}"#;
    assert_eq!(findings(json, Profile::Ingest)[0].rule, "no-form");
}

#[test]
fn a_vcon_is_either_redacted_or_amended() {
    let to = r#""redacted": {"type": "pii", "uuid": "u"}, "amended": {"uuid": "u"}, "parties""#;
    breaks(r#""parties""#, to, Profile::Ingest, Severity::Error, "redacted-and-amended", "/redacted");
    let found =
        after(r#""parties""#, r#""redacted": {}, "amended": {"uuid": "u"}, "parties""#, Profile::Ingest);
    assert_eq!(found, [(Severity::Warning, "empty-member", "/redacted".into())]);
}

#[test]
fn an_extension_that_must_be_understood_and_is_not_stops_processing() {
    let to = r#""extensions": ["novel"], "critical": ["novel"], "parties""#;
    breaks(r#""parties""#, to, Profile::Ingest, Severity::Error, "unsupported-critical", "/critical");
    let known = r#""extensions": ["agent_session"], "critical": ["agent_session"], "parties""#;
    assert_eq!(after(r#""parties""#, known, Profile::Ingest), []);
    let undeclared = r#""extensions": [], "critical": ["CC"], "parties""#;
    breaks(
        r#""parties""#,
        undeclared,
        Profile::Ingest,
        Severity::Warning,
        "critical-undeclared",
        "/extensions",
    );
}

#[test]
fn the_strict_report_knows_the_draft() {
    let hash = r#", "content_hash": "sha256-abc""#;
    let strict = [
        (r#""name": "Ada""#, r#""name": 1"#, "wrong-type", "/parties/0/name"),
        (r#""tel": "+1""#, r#""tel": "+1", "type": "robot""#, "bad-value", "/parties/0/type"),
        (r#""type": "text""#, r#""type": "video""#, "bad-value", "/dialog/1/type"),
        (r#", "disposition": "busy""#, "", "required", "/dialog/2/disposition"),
        (r#""disposition": "busy""#, r#""disposition": "gone""#, "bad-value", "/dialog/2/disposition"),
        (
            r#""disposition": "busy""#,
            r#""disposition": "busy", "filename": "x""#,
            "not-allowed",
            "/dialog/2/filename",
        ),
        (r#""transferee": 0"#, r#""transferee": 0, "parties": [0]"#, "not-allowed", "/dialog/3/parties"),
        (r#""transferee": 0"#, r#""transferee": [0]"#, "wrong-type", "/dialog/3/transferee"),
        (r#""transferee": 0"#, r#""transferee": 2"#, "out-of-range", "/dialog/3/transferee"),
        (r#""target_dialog": 1"#, r#""target_dialog": 4"#, "out-of-range", "/dialog/3/target_dialog"),
        (r#", "encoding": "base64url""#, "", "required", "/dialog/0/encoding"),
        (r#""encoding": "base64url""#, r#""encoding": "base64""#, "bad-value", "/dialog/0/encoding"),
        (r#""mediatype": "audio/ogg", "#, "", "required", "/dialog/0/mediatype"),
        ("QUJD", "QUI=", "bad-base64", "/dialog/0/body"),
        (r#""hi""#, r#"{"a": 1}"#, "body-not-text", "/dialog/1/body"),
        (hash, "", "required", "/attachments/0/content_hash"),
        (hash, r#", "content_hash": "SHA-256 abc""#, "bad-hash", "/attachments/0/content_hash"),
        ("https://", "http://", "bad-url", "/attachments/0/url"),
        (r#""party": 0, "#, "", "required", "/attachments/0/party"),
        (r#""party": 0"#, r#""party": 2"#, "out-of-range", "/attachments/0/party"),
        (r#""dialog": 1"#, r#""dialog": 9"#, "out-of-range", "/attachments/0/dialog"),
        (r#""vendor": "v", "#, "", "required", "/analysis/0/vendor"),
        (r#""dialog": [0]"#, r#""dialog": [0, 4]"#, "out-of-range", "/analysis/0/dialog"),
        (r#""dialog": [0]"#, r#""dialog": [0], "attachment": 1"#, "out-of-range", "/analysis/0/attachment"),
        (r#""parties""#, r#""amended": {}, "parties""#, "required", "/amended/uuid"),
        (r#""parties""#, r#""redacted": {"uuid": "u"}, "parties""#, "required", "/redacted/type"),
        (
            r#""2026-01-02T03:04:05Z", "duration""#,
            r#""2026-01-02T03:04:05", "duration""#,
            "bad-date",
            "/dialog/0/start",
        ),
    ];
    for (from, to, rule, path) in strict {
        let found = after(from, to, Profile::Core04);
        let errors: Vec<_> =
            found.into_iter().filter(|(severity, ..)| *severity == Severity::Error).collect();
        assert_eq!(errors, [(Severity::Error, rule, path.into())], "{from} => {to}");
        let at_the_door = after(from, to, Profile::Ingest);
        assert!(at_the_door.iter().all(|(severity, ..)| *severity == Severity::Warning), "{at_the_door:?}");
    }
}

#[test]
fn recordings_and_their_set_name_each_other() {
    let set = |recordings: &str, set: usize| {
        let to = format!(
            r#""dialog": [{{"type": "recording-set", "start": "2026-01-02T03:04:05Z", "parties": [0], "recordings": {recordings}}},
            {{"type": "recording", "start": "2026-01-02T03:04:05Z", "parties": [0], "recording_set": {set}}},"#
        );
        after("\"dialog\": [\n", &to, Profile::Core04)
    };
    assert_eq!(set("[1]", 0), []);
    assert_eq!(set("[2]", 0), [(Severity::Error, "one-sided", "/dialog/1/recording_set".into())]);
    assert_eq!(set("[1, 3]", 0), [(Severity::Error, "not-a-recording", "/dialog/0/recordings".into())]);
    assert_eq!(set("[1]", 9), [(Severity::Error, "out-of-range", "/dialog/1/recording_set".into())]);
}

#[test]
fn party_history_is_checked_event_by_event() {
    let history = |events: &str| {
        let to = format!(r#""disposition": "busy", "party_history": [{events}]"#);
        after(r#""disposition": "busy""#, &to, Profile::Core04)
    };
    let time = r#""time": "2026-01-02T03:04:05Z""#;
    assert_eq!(history(&format!(r#"{{"party": 0, {time}, "event": "keyup", "button": "1"}}"#)), []);
    let path = |name: &str| format!("/dialog/2/party_history/0/{name}");
    let button = history(&format!(r#"{{"party": 0, {time}, "event": "keyup"}}"#));
    assert_eq!(button, [(Severity::Error, "required", path("button"))]);
    let event = history(&format!(r#"{{"party": 0, {time}, "event": "sneeze"}}"#));
    assert_eq!(event, [(Severity::Error, "bad-value", path("event"))]);
    let party = history(&format!(r#"{{"party": 7, {time}, "event": "join"}}"#));
    assert_eq!(party, [(Severity::Error, "out-of-range", path("party"))]);
}

#[test]
fn oddities_are_warnings_at_the_door() {
    for (from, to, rule, path) in [
        (r#""parties""#, r#""vcon": "0.0.1", "parties""#, "version", "/vcon"),
        (r#""parties""#, r#""group": [], "parties""#, "empty-member", "/group"),
        (r#""parties""#, r#""appended": {"uuid": "u"}, "parties""#, "legacy-name", "/appended"),
        (r#""parties""#, r#""own": 1, "parties""#, "unknown-member", "/own"),
        (
            r#""parties""#,
            r#""updated_at": "2025-01-02T03:04:05Z", "parties""#,
            "updated-before-created",
            "/updated_at",
        ),
        ("0000-8000-", "0000-4000-", "uuid-version", "/uuid"),
        (r#""2026-01-02T03:04:05Z""#, r#""2026-01-02T03:04:05""#, "naive-date", "/created_at"),
        (r#""2026-01-02T03:04:05Z""#, r#""2026-01-02 03:04:05Z""#, "odd-date", "/created_at"),
        (r#", "validation": "SSO""#, "", "unvalidated-name", "/parties/0/name"),
        (r#""tel": "+1""#, r#""tel": """#, "empty-text", "/parties/0/tel"),
        (r#""tel": "+1""#, r#""tel": "+1", "a/b": 1"#, "unknown-member", "/parties/0/a~1b"),
        (r#""tel": "+1""#, r#""tel": "+1", "role": "agent""#, "undeclared-extension", "/extensions"),
        (r#""mediatype": "audio/ogg""#, r#""mimetype": "audio/ogg""#, "legacy-name", "/dialog/0/mimetype"),
        (r#""mediatype": "audio/ogg""#, r#""mediatype": "ogg""#, "bad-mediatype", "/dialog/0/mediatype"),
        (r#""type": "text""#, r#""type": "video""#, "unknown-type", "/dialog/1/type"),
        (
            r#""type": "text", "start": "2026-01-02T03:04:05Z","#,
            r#""type": "text","#,
            "recommended",
            "/dialog/1/start",
        ),
        (r#""type": "summary""#, r#""type": "mood""#, "unknown-type", "/analysis/0/type"),
        (r#"{"a": 1}"#, r#""{\"a\": 1}""#, "json-in-text", "/analysis/0/body"),
        (
            r#""url": "https"#,
            r#""body": "x", "encoding": "none", "url": "https"#,
            "body-and-url",
            "/attachments/0/url",
        ),
        ("https://", "s3://", "bad-url", "/attachments/0/url"),
        (r#""purpose""#, r#""type""#, "legacy-name", "/attachments/0/type"),
    ] {
        breaks(from, to, Profile::Ingest, Severity::Warning, rule, path);
    }
}

#[test]
fn members_of_a_declared_extension_are_known() {
    let to = r#""extensions": ["CC"], "parties": [{"role": "agent"}, "#;
    assert_eq!(after(r#""parties": ["#, to, Profile::Ingest), []);
}

/// The clean document with these members more.
fn with(members: &str) -> Vec<(Severity, &'static str, String)> {
    after(r#""parties""#, &format!(r#"{members}, "parties""#), Profile::Core04)
}

#[test]
fn sessions_and_events_are_known_and_what_is_wrong_in_them_is_a_warning() {
    let session = r#"{"start": "2026-01-02T03:04:05Z", "duration": 3, "parties": [0, 1], "dialog": [0],
        "sessions": [{"session": 1, "type": "peer"}]}"#;
    let event = r#""time": "2026-01-02T03:04:05Z", "session": 0, "party": 1"#;
    let both = |session: &str, events: &str| {
        with(&format!(r#""sessions": [{session}, {{}}], "events": [{events}]"#))
    };
    let clean = format!(
        r#"{{"type": "join", {event}}}, {{"type": "keyup", "button": "5", "dialog": 0, {event}}},
        {{"type": "blind-transfer", "transferee": 0, "transfer_target": 1, "target_session": 1, {event}}}"#
    );
    assert_eq!(both(session, &clean), []);
    for (from, to, rule, path) in [
        (r#""start": "2026-"#, r#""start": "x2026-"#, "bad-date", "/sessions/0/start"),
        (r#""duration": 3"#, r#""duration": "3""#, "wrong-type", "/sessions/0/duration"),
        ("[0, 1]", "[0, 2]", "out-of-range", "/sessions/0/parties"),
        (r#""dialog": [0]"#, r#""dialog": [4]"#, "out-of-range", "/sessions/0/dialog"),
        (r#""session": 1"#, r#""session": 2"#, "out-of-range", "/sessions/0/sessions/0/session"),
        (r#""session": 1, "#, "", "required", "/sessions/0/sessions/0/session"),
        (r#""peer""#, r#""twin""#, "bad-value", "/sessions/0/sessions/0/type"),
        (r#""join""#, r#""sneeze""#, "bad-value", "/events/0/type"),
        (r#""party": 1"#, r#""party": 2"#, "out-of-range", "/events/0/party"),
        (r#""session": 0"#, r#""session": 2"#, "out-of-range", "/events/0/session"),
        (r#""session": 0, "#, "", "required", "/events/0/session"),
        (r#""button": "5", "#, "", "required", "/events/1/button"),
        (r#""dialog": 0"#, r#""dialog": 4"#, "out-of-range", "/events/1/dialog"),
        (r#""transferee": 0"#, r#""transferee": 9"#, "out-of-range", "/events/2/transferee"),
        (r#""target_session": 1"#, r#""target_session": 2"#, "out-of-range", "/events/2/target_session"),
        (r#""transferee": 0, "#, "", "required", "/events/2/transferee"),
        (r#""transferee""#, r#""consultation": 1, "transferee""#, "not-allowed", "/events/2/consultation"),
    ] {
        let found = both(&session.replacen(from, to, 1), &clean.replacen(from, to, 1));
        assert_eq!(found, [(Severity::Warning, rule, path.into())], "{from} => {to}");
    }
    assert_eq!(with(r#""sessions": {}"#), [(Severity::Warning, "wrong-type", "/sessions".into())]);
    let alone = with(&format!(r#""events": [{{"type": "join", {event}}}]"#));
    assert!(alone.contains(&(Severity::Warning, "required", "/sessions".into())), "{alone:?}");
}

#[test]
fn a_declared_extension_may_add_types_of_dialog() {
    let dialog = |extensions: &str, kind: &str| {
        let json = CLEAN.replacen(r#""type": "text""#, &format!(r#""type": "{kind}""#), 1);
        let json = json.replacen(r#""parties""#, &format!(r#""extensions": {extensions}, "parties""#), 1);
        [Profile::Ingest, Profile::Core04].map(|profile| {
            findings(&json, profile).into_iter().map(|it| (it.severity, it.rule)).collect::<Vec<_>>()
        })
    };
    let odd = vec![(Severity::Warning, "unknown-type")];
    assert_eq!(dialog(r#"["novel"]"#, "video"), [odd.clone(), odd.clone()]);
    assert_eq!(dialog("[]", "video"), [odd, vec![(Severity::Error, "bad-value")]]);
    assert_eq!(dialog(r#"["mcp_session"]"#, "mcp_session"), [[]; 2]);
    assert_eq!(dialog(r#"["mimi"]"#, "tombstone"), [[]; 2]);
    let critical = r#""extensions": ["mcp_session", "mimi"], "critical": ["mcp_session", "mimi"]"#;
    assert_eq!(with(critical), []);
}

#[test]
fn an_event_between_the_dialogs_has_one_finding() {
    let event = r#""dialog": [{"party": 0, "time": "2026-01-02T03:04:05Z", "event": "self_add"},"#;
    for profile in [Profile::Ingest, Profile::Core04] {
        let json = CLEAN.replacen("\"dialog\": [\n", event, 1);
        // The indices of the others have moved by one; their targets are there still.
        let found: Vec<_> = findings(&json, profile).into_iter().map(|it| (it.rule, it.path)).collect();
        assert_eq!(found, [("history-in-dialog", "/dialog/0".into())], "{profile:?}");
    }
}

#[test]
fn an_incomplete_dialog_has_not_been_transferred() {
    let to = r#""original": 2"#;
    let path = "/dialog/3/original";
    breaks(r#""original": 0"#, to, Profile::Core04, Severity::Error, "original-incomplete", path);
}

#[test]
fn a_skill_is_text_or_a_list() {
    for skill in [r#""billing""#, r#"["billing", "german"]"#] {
        let to = format!(r#""extensions": ["CC"], "dialog": [{{"skill": {skill}, "#);
        let found = findings(&CLEAN.replacen("\"dialog\": [\n    {", &to, 1), Profile::Core04);
        assert_eq!(found, []);
    }
}

#[test]
fn bytes_that_are_no_vcon_have_one_finding() {
    let found = findings(r#"{"dialog": [{"type": 1, "type": 2}]}"#, Profile::Core04);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].rule, &*found[0].path), ("duplicate-key", "/dialog/0/type"));
}

#[test]
fn signed_and_encrypted_documents_are_judged_by_what_shows() {
    let header = r#"{"payload":"e30","signatures":[{"header":{"uuid":"u"},"protected":"","signature":"x"}]}"#;
    assert_eq!(findings(header, Profile::Core04), []);
    let rules =
        |json: &str| findings(json, Profile::Ingest).iter().map(|finding| finding.rule).collect::<Vec<_>>();
    assert_eq!(rules(r#"{"payload":"e30","signatures":[]}"#), ["required", "no-header-uuid"]);
    assert_eq!(rules(r#"{"payload":"e30","signatures":[{"header":{"uuid":"u"}}]}"#), ["required"]);
    let beside = r#"{"payload":"e30","signatures":[{"header":{"uuid":"u"},"signature":"x"}],"parties":[]}"#;
    assert_eq!(rules(beside), ["plain-beside-signed"]);
}

#[test]
fn a_finding_is_readable_by_machines_and_people() {
    let finding = &findings(r#"{"uuid":"x","parties":[]}"#, Profile::Ingest)[0];
    let json = serde_json::to_value(finding).unwrap();
    assert_eq!((json["severity"].as_str(), json["rule"].as_str()), (Some("error"), Some("bad-uuid")));
    assert!(finding.to_string().starts_with("error: `uuid` must be a UUID"), "{finding}");
}

//! The odd and the broken: what turns up in real archives, one oddity each.

use serde_json::{Value, json};

use super::Vcons;

/// Something that is no document.
#[derive(Debug, Clone)]
pub struct Broken {
    /// What is wrong with it.
    pub name: &'static str,
    /// What was sent.
    pub bytes: Vec<u8>,
}

/// Documents that have to survive, one oddity each.
pub(super) fn documents(vcons: &mut Vcons) -> Vec<(&'static str, Value)> {
    let mut list = Vec::new();
    let mut add = |name: &'static str, change: &dyn Fn(&mut Value)| {
        let mut call = vcons.call();
        change(&mut call);
        list.push((name, call));
    };

    add("unknown members everywhere", &|call| {
        call["x-unknown"] = json!({"nested": [1, null, {"deep": true}]});
        for section in ["parties", "dialog", "analysis", "attachments"] {
            call[section][0]["x-unknown"] = json!([section, 1.5]);
        }
    });
    add("names and text beyond ASCII", &|call| {
        call["subject"] = json!("Grüße aus Tōkyō 🎧 – \u{202e}ltr\u{202c} \u{7f}\u{1}");
        call["parties"][0]["name"] = json!("Þóra Łukasz 王小明");
    });
    add("bodies of every JSON type", &|call| {
        let bodies = [
            json!(null),
            json!(true),
            json!(5),
            json!(-1.25),
            json!("text"),
            json!([1, [2]]),
            json!({"a": {}}),
        ];
        call["analysis"] =
            bodies.iter().map(|body| json!({"type": "odd", "dialog": 0, "body": body})).collect();
    });
    add("no optional section at all", &|call| {
        let kept =
            json!({"uuid": call["uuid"], "vcon": "0.4.0", "created_at": call["created_at"], "parties": []});
        *call = kept;
    });
    add("sections that are null", &|call| {
        for section in ["parties", "dialog", "analysis", "attachments"] {
            call[section] = Value::Null;
        }
    });
    add("entries that are no objects", &|call| {
        for section in ["parties", "dialog", "analysis", "attachments"] {
            call[section] = json!(["text", 5, null, [], {}]);
        }
    });
    add("an analysis of several dialogs", &|call| call["analysis"][0]["dialog"] = json!([0, 0]));
    add("an analysis of no dialog", &|call| {
        call["analysis"][1].as_object_mut().expect("an entry").shift_remove("dialog");
    });
    add("tags as an object", &|call| call["attachments"][0]["body"] = json!({"topic": "billing", "vip": ""}));
    add("tags as JSON text", &|call| call["attachments"][0]["body"] = json!("[\"topic:billing\"]"));
    add("tags labelled wrongly", &|call| call["attachments"][0]["encoding"] = json!("none"));
    add("tags that are plain text", &|call| call["attachments"][0]["body"] = json!("billing, vip"));
    add("an empty url beside a body", &|call| call["dialog"][0]["url"] = json!(""));
    add("numbers of all sizes", &|call| {
        call["analysis"][0]["body"] =
            json!([u64::MAX, i64::MIN, 9_007_199_254_740_993_u64, 1e-7, 1e300, 0.1, -0.0]);
    });
    add("created with an offset", &|call| call["created_at"] = json!("2026-01-05T23:30:00.123456+05:30"));
    add("created_at missing", &|call| {
        call.as_object_mut().expect("an object").shift_remove("created_at");
    });
    add("created_at that is no time", &|call| call["created_at"] = json!("yesterday"));
    add("subject that is no text", &|call| call["subject"] = json!({"a": 1}));
    add("signed", &|call| {
        let signature = json!({"header": {"alg": "RS256", "uuid": call["uuid"]}, "protected": "e30", "signature": "AAAA"});
        *call = json!({"uuid": call["uuid"], "payload": "e30", "signatures": [signature]});
    });
    list
}

/// What is no document at all.
pub fn broken() -> Vec<Broken> {
    let broken = |name, bytes: &[u8]| Broken { name, bytes: bytes.to_vec() };
    let deep = [vec![b'['; 5000], vec![b']'; 5000]].concat();
    vec![
        broken("nothing", b""),
        broken("cut off", br#"{"uuid": "018f0000-0000-8000-8000-000000000000", "parties": [{"tel": "+1"#),
        broken("no JSON", b"BEGIN:VCARD"),
        broken("no UTF-8", b"{\"uuid\": \"\xff\xfe\"}"),
        broken("an array", b"[]"),
        broken("two documents", b"{} {}"),
        broken("not a number", br#"{"uuid": "a", "duration": NaN}"#),
        broken("the same member twice", br#"{"uuid": "a", "uuid": "b"}"#),
        broken("too deep", &[br#"{"uuid": "a", "x": "#.as_slice(), &deep, b"}"].concat()),
    ]
}

#[cfg(test)]
mod tests {
    use conserver_vcon::{Limits, Vcon};

    use super::*;

    #[test]
    fn what_is_broken_is_refused() {
        for broken in broken() {
            let parsed = Vcon::from_json(broken.bytes.into(), &Limits::default());
            assert!(parsed.is_err(), "{} was taken", broken.name);
        }
    }
}

//! Generated vCons: the same ones for the same seed, of every shape that real ones come in. All text is made up.
//!
//! * [`Conversations`] is a day in a call centre, as the demo plays it.
//! * [`Vcons`] makes single documents for tests. The usual one is a telephone call of about 4.4 kB with transcript
//!   and summary, which is what deployed conservers mostly carry. The others differ in one thing each: the medium,
//!   the size, the age of the format, odd content, or what is broken about them.

mod conversation;
mod language;
mod odd;
mod text;

use base64::Engine;
use bytes::Bytes;
use conserver_vcon::{Limits, Vcon, VconId, uuid8};
use fastrand::Rng;
use jiff::Timestamp;
use serde_json::{Value, json};

pub use conversation::{Channel, Conversation, Conversations, Fault, OVERSIZE};
pub use odd::{Broken, broken};

/// What generated ids end in: the hash of this host name.
const DOMAIN: &str = "example.com";

/// The first moment of generated conversations: 2026-01-05T09:00:00Z.
const EPOCH: i64 = 1_767_603_600;

/// A generator of vCons.
#[derive(Debug, Clone)]
pub struct Vcons {
    rng: Rng,
    made: i64,
}

impl Vcons {
    /// A generator that makes the same vCons for the same seed.
    pub fn new(seed: u64) -> Self {
        Self { rng: Rng::with_seed(seed), made: 0 }
    }

    /// An id as deployed systems make them, of the moment of the next conversation.
    pub fn id(&mut self) -> String {
        let micros = u64::try_from(self.now().as_microsecond()).expect("all moments are after 1970");
        uuid8(micros, self.rng.u64(..), DOMAIN).to_string()
    }

    /// A telephone call between two parties with transcript and summary: about 4.4 kB.
    pub fn call(&mut self) -> Value {
        let (agent, customer) = (text::person(&mut self.rng), text::person(&mut self.rng));
        let topic = text::topic(&mut self.rng);
        let segments = self.segments(topic);
        let spoken: Vec<&str> = segments.iter().filter_map(|segment| segment["text"].as_str()).collect();
        let transcript = spoken.join(" ");
        let seconds = segments.last().and_then(|last| last["end"].as_f64()).unwrap_or(0.0);
        let (id, start) = (self.id(), self.now().to_string());
        let call = json!({
            "uuid": id,
            "vcon": "0.4.0",
            "extensions": ["CC"],
            "created_at": start,
            "subject": topic.subject,
            "parties": [party(&agent, "agent"), party(&customer, "customer")],
            "dialog": [{
                "type": "recording",
                "start": start,
                "duration": seconds,
                "parties": [0, 1],
                "originator": 1,
                "mediatype": "audio/x-wav",
                "url": format!("https://recordings.example.com/2026/{id}.wav"),
                "content_hash": self.hash(),
            }],
            "analysis": [
                {
                    "type": "transcript",
                    "dialog": 0,
                    "vendor": "example",
                    "schema": "listener",
                    "mediatype": "application/json",
                    "encoding": "json",
                    "body": {"transcript": transcript, "language": "en", "segments": segments},
                },
                {
                    "type": "summary",
                    "dialog": 0,
                    "vendor": "example",
                    "mediatype": "text/plain",
                    "encoding": "none",
                    "body": topic.summary,
                },
            ],
            "attachments": [tags(&start, &[format!("topic:{}", topic.tag), "source:phone".to_owned()])],
        });
        self.next();
        call
    }

    /// A chat: text dialogs, one for each message.
    pub fn chat(&mut self) -> Value {
        let (agent, customer) = (text::person(&mut self.rng), text::person(&mut self.rng));
        let topic = text::topic(&mut self.rng);
        let (id, start) = (self.id(), self.now());
        let message = |(index, line): (i64, &&str)| {
            let at = moment(start.as_second() + 20 * index);
            json!({
                "type": "text", "start": at.to_string(), "parties": [index % 2], "mediatype": "text/plain",
                "encoding": "none", "body": line,
            })
        };
        let dialog: Vec<Value> = (0..).zip(topic.lines).map(message).collect();
        self.next();
        json!({
            "uuid": id, "vcon": "0.4.0", "extensions": ["CC"], "created_at": start.to_string(), "subject": topic.subject,
            "parties": [party(&customer, "customer"), party(&agent, "agent")],
            "dialog": dialog, "analysis": [],
            "attachments": [tags(&start.to_string(), &["source:chat".to_owned()])],
        })
    }

    /// A mail with a text attachment.
    pub fn mail(&mut self) -> Value {
        let (from, to) = (text::person(&mut self.rng), text::person(&mut self.rng));
        let topic = text::topic(&mut self.rng);
        let (id, start) = (self.id(), self.now().to_string());
        let body = format!("Hello,\r\n\r\n{}\r\n\r\n{}\r\n", topic.lines.join("\r\n"), from.name);
        self.next();
        json!({
            "uuid": id, "vcon": "0.4.0", "extensions": ["CC"], "created_at": start, "subject": topic.subject,
            "parties": [party(&from, "customer"), party(&to, "agent")],
            "dialog": [{
                "type": "text", "start": start, "parties": [0, [1]], "mediatype": "message/rfc822",
                "encoding": "none", "body": format!("Subject: {}\r\n\r\n{body}", topic.subject),
            }],
            "attachments": [{
                "purpose": "mail-attachment", "start": start, "party": 0, "dialog": 0, "mediatype": "text/csv",
                "filename": "orders.csv", "encoding": "none", "body": "order;amount\r\n4711;12,50\r\n",
            }],
        })
    }

    /// A call with so many bytes of audio inside, as base64url.
    pub fn with_audio(&mut self, bytes: usize) -> Value {
        let mut call = self.call();
        let mut audio = vec![0; bytes];
        self.rng.fill(&mut audio);
        let recording = &mut call["dialog"][0];
        recording["encoding"] = json!("base64url");
        recording["body"] = json!(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(audio));
        recording.as_object_mut().expect("the recording is an object").remove("url");
        call
    }

    /// A call in the format of 0.0.1: older names, JSON bodies as text, empty `group` and `redacted`.
    pub fn legacy(&mut self) -> Value {
        let mut call = self.call();
        let transcript = call["analysis"][0]["body"]["transcript"].clone();
        call["vcon"] = json!("0.0.1");
        call["subject"] = json!("A call in the format of 0.0.1");
        call["group"] = json!([]);
        call["redacted"] = json!({});
        call["appended"] = Value::Null;
        call["must_support"] = json!([]);
        rename(&mut call["dialog"][0], "mediatype", "mimetype");
        rename(&mut call["analysis"][0], "schema", "schema_version");
        call["analysis"][0]["body"] = json!(json!({"transcript": transcript}).to_string());
        rename(&mut call["attachments"][0], "purpose", "type");
        let tags = call["attachments"][0]["body"].to_string();
        call["attachments"][0]["body"] = json!(tags);
        call
    }

    /// Documents that are legal or at least real, and odd: see the names.
    pub fn odd(&mut self) -> Vec<(&'static str, Value)> {
        odd::documents(self)
    }

    /// The moment of the next conversation.
    fn now(&self) -> Timestamp {
        moment(EPOCH + 97 * self.made)
    }

    fn next(&mut self) {
        self.made += 1;
    }

    fn hash(&mut self) -> String {
        let mut bytes = [0; 64];
        self.rng.fill(&mut bytes);
        format!("sha512-{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes))
    }

    fn segments(&mut self, topic: &text::Topic) -> Vec<Value> {
        let mut at = 0.0;
        let mut segment = |(index, line): (usize, &&str)| {
            let start = at;
            at += f64::from(self.rng.u32(20..80)) / 10.0;
            let confidence = f64::from(self.rng.u32(80..100)) / 100.0;
            json!({"speaker": index % 2, "start": round(start), "end": round(at), "confidence": confidence, "text": line})
        };
        topic.lines.iter().enumerate().map(&mut segment).collect()
    }
}

/// The JSON text of a document.
pub fn bytes(document: &Value) -> Bytes {
    Bytes::from(document.to_string())
}

/// A document as the runner hands it to links and storages, under the id that its `uuid` says.
///
/// # Panics
/// If it has no `uuid` or is refused.
pub fn vcon(document: &Value) -> Vcon {
    let id = document["uuid"].as_str().expect("a generated vCon has a `uuid`");
    Vcon::parse(VconId::new(id), bytes(document), &Limits::default()).expect("a generated vCon is a document")
}

fn party(person: &text::Person, role: &str) -> Value {
    json!({"name": person.name, "validation": "SSO", "tel": person.tel, "mailto": person.mailto, "role": role})
}

fn tags(start: &str, tags: &[String]) -> Value {
    json!({
        "purpose": "tags", "start": start, "party": 0, "dialog": 0, "mediatype": "application/json",
        "encoding": "json", "body": tags,
    })
}

fn rename(entry: &mut Value, from: &str, to: &str) {
    let object = entry.as_object_mut().expect("entries are objects");
    let value = object.shift_remove(from).expect("the entry has this member");
    object.insert(to.to_owned(), value);
}

/// A moment by its Unix seconds.
fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).expect("a moment of this century")
}

/// To a tenth of a second.
fn round(seconds: f64) -> f64 {
    (seconds * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use conserver_vcon::validate::{Profile, validate};

    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_vcons() {
        let make = |seed| {
            let mut vcons = Vcons::new(seed);
            [vcons.call(), vcons.chat(), vcons.mail(), vcons.legacy(), vcons.with_audio(1000)]
        };
        assert_eq!(make(7), make(7));
        assert_ne!(make(7), make(8));
    }

    #[test]
    fn a_call_has_about_4400_bytes() {
        let mut vcons = Vcons::new(1);
        let total: usize = (0..100).map(|_| bytes(&vcons.call()).len()).sum();
        assert!((4200..4600).contains(&(total / 100)), "{}", total / 100);
    }

    #[test]
    fn ids_differ_and_sort_by_time() {
        let mut vcons = Vcons::new(1);
        let ids: Vec<String> = (0..50).map(|_| vcons.call()["uuid"].as_str().unwrap().to_owned()).collect();
        assert!(ids.is_sorted());
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn the_usual_documents_have_no_findings_and_the_legacy_one_says_what_it_is() {
        let mut vcons = Vcons::new(1);
        for document in [vcons.call(), vcons.chat(), vcons.mail(), vcons.with_audio(100)] {
            for profile in [Profile::Ingest, Profile::Core04] {
                assert_eq!(validate(&vcon(&document), profile), [], "{document:#}");
            }
        }
        assert!(vcons.legacy()["subject"].as_str().unwrap().contains("0.0.1"));
    }

    #[test]
    fn every_generated_document_is_one() {
        let mut vcons = Vcons::new(1);
        for document in [vcons.call(), vcons.chat(), vcons.mail(), vcons.legacy(), vcons.with_audio(100_000)]
        {
            vcon(&document);
        }
        for (name, document) in vcons.odd() {
            assert_eq!(vcon(&document).id().as_str(), document["uuid"], "{name}");
        }
    }
}

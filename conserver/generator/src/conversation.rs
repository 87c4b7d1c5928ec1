//! A day in a call centre: calls, chats and mails in several languages, a few of them broken.
//!
//! What a chain can act on is in the document: `source:` and `language:` tags, a `complaint:` or `lead:` tag where
//! somebody wrapped up so, calls that ended before anybody spoke, and faults that a pipeline has to cope with.

use bytes::Bytes;
use serde_json::{Value, json};

use super::Vcons;
use super::language::{self, Language, Matter, Mood};

/// How a conversation was held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Channel {
    /// A telephone call with a transcript.
    Voice,
    /// Messages, one dialog each.
    Chat,
    /// A letter and its answer.
    Mail,
}

impl Channel {
    /// As in the tag `source:`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Voice => "phone",
            Self::Chat => "chat",
            Self::Mail => "mail",
        }
    }
}

/// What is wrong with a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The producer died between storing the document and queueing its id, in the wrong order: there is no document.
    Missing,
    /// A recording inside that nobody wanted to carry: [`OVERSIZE`] bytes and more.
    TooLarge,
    /// A speaker who is no party, and a date that is none.
    Invalid,
}

/// How large a document of [`Fault::TooLarge`] is at least.
pub const OVERSIZE: usize = 400_000;

/// A conversation as a producer hands it over.
#[derive(Debug, Clone)]
pub struct Conversation {
    /// Its id.
    pub id: String,
    /// How it was held.
    pub channel: Channel,
    /// The language, as in BCP 47.
    pub language: &'static str,
    /// Nobody spoke: the caller hung up within two seconds.
    pub hung_up: bool,
    /// Its JSON text; `None` for [`Fault::Missing`].
    pub json: Option<Bytes>,
    /// What is wrong with it.
    pub fault: Option<Fault>,
}

/// Conversations without end, made as they are asked for: the same ones for the same seed.
#[derive(Debug, Clone)]
pub struct Conversations {
    vcons: Vcons,
}

impl Conversations {
    /// The conversations of this seed.
    pub fn new(seed: u64) -> Self {
        Self { vcons: Vcons::new(seed) }
    }
}

impl Iterator for Conversations {
    type Item = Conversation;

    fn next(&mut self) -> Option<Conversation> {
        let vcons = &mut self.vcons;
        let (channel, hung_up) = match vcons.rng.u32(..100) {
            0..52 => (Channel::Voice, false),
            52..60 => (Channel::Voice, true),
            60..84 => (Channel::Chat, false),
            _ => (Channel::Mail, false),
        };
        // Three of a thousand each: enough to see, as few as in life.
        let fault = match vcons.rng.u32(..1000) {
            0..3 => Some(Fault::Missing),
            3..6 => Some(Fault::TooLarge),
            6..9 => Some(Fault::Invalid),
            _ => None,
        };
        let language = language::any(&mut vcons.rng);
        let mut document = document(vcons, channel, hung_up, language);
        match fault {
            Some(Fault::TooLarge) => enlarge(vcons, &mut document),
            Some(Fault::Invalid) => spoil(&mut document),
            Some(Fault::Missing) | None => {}
        }
        let id = document["uuid"].as_str().map(str::to_owned).unwrap_or_default();
        let json = (fault != Some(Fault::Missing)).then(|| super::bytes(&document));
        Some(Conversation { id, channel, language: language.code, hung_up, json, fault })
    }
}

/// What was said, by whom: 0 is the customer, 1 the agent.
type Lines = Vec<(usize, String)>;

fn document(vcons: &mut Vcons, channel: Channel, hung_up: bool, language: &'static Language) -> Value {
    let (customer, agent) = (language.person(&mut vcons.rng), language.person(&mut vcons.rng));
    let matter = &language.matters[vcons.rng.usize(..language.matters.len())];
    let mut tags = vec![format!("source:{}", channel.as_str()), format!("language:{}", language.code)];
    if !hung_up {
        tags.push(format!("topic:{}", matter.topic));
        match matter.mood {
            Mood::Complaint => tags.push(format!("complaint:{}", matter.topic)),
            Mood::Interest => tags.push(format!("lead:{}", matter.topic)),
            Mood::Question => {}
        }
    }
    let lines = if hung_up { Lines::new() } else { lines(vcons, matter, customer.given, agent.given) };
    let (id, start) = (vcons.id(), vcons.now());
    let mut parties = vec![
        json!({"tel": customer.tel, "name": customer.name, "mailto": customer.mailto, "role": "customer"}),
        json!({"tel": "+12025550100", "name": agent.name, "mailto": agent.mailto, "role": "agent"}),
    ];
    if hung_up {
        parties.truncate(1);
    }
    let subject = if hung_up { language.hung_up } else { matter.subject };
    let (dialog, analysis) = match channel {
        Channel::Voice => voice(vcons, &id, &lines, matter, language),
        Channel::Chat => (chat(vcons, &lines), Vec::new()),
        Channel::Mail => (mail(vcons, &lines, subject), Vec::new()),
    };
    vcons.next();
    json!({
        "uuid": id,
        "vcon": "0.4.0",
        "created_at": start.to_string(),
        "subject": subject,
        "parties": parties,
        "dialog": dialog,
        "analysis": analysis,
        "attachments": [{"purpose": "tags", "encoding": "json", "body": tags}],
    })
}

fn lines(vcons: &mut Vcons, matter: &Matter, customer: &str, agent: &str) -> Lines {
    let order = vcons.rng.u32(100_000..1_000_000).to_string();
    let amount = format!("{}.{:02}", vcons.rng.u32(9..400), vcons.rng.u32(..100));
    let fill = |line: &str| {
        line.replace("{customer}", customer)
            .replace("{agent}", agent)
            .replace("{order}", &order)
            .replace("{amount}", &amount)
    };
    matter.lines.iter().enumerate().map(|(index, line)| ((index + 1) % 2, fill(line))).collect()
}

/// The recording, and the transcript of what was said with its segments.
fn voice(
    vcons: &mut Vcons,
    id: &str,
    lines: &Lines,
    matter: &Matter,
    language: &Language,
) -> (Vec<Value>, Vec<Value>) {
    let mut at = 0.0;
    let segments: Vec<Value> = lines
        .iter()
        .map(|(party, text)| {
            let (start, length) = (at, text.chars().count() as f64 * 0.07);
            at = super::round(start + length.max(1.0) + f64::from(vcons.rng.u32(2..15)) / 10.0);
            let confidence = f64::from(vcons.rng.u32(82..100)) / 100.0;
            json!({"speaker": party, "start": start, "end": at, "confidence": confidence, "text": text})
        })
        .collect();
    let seconds = if lines.is_empty() { f64::from(vcons.rng.u32(3..20)) / 10.0 } else { at };
    let parties = if lines.is_empty() { json!([0]) } else { json!([0, 1]) };
    let recording = json!({
        "type": "recording",
        "start": vcons.now().to_string(),
        "duration": seconds,
        "parties": parties,
        "originator": 0,
        "mediatype": "audio/x-wav",
        "url": format!("https://recordings.example.com/2026/{id}.wav"),
        "content_hash": vcons.hash(),
    });
    if lines.is_empty() {
        return (vec![recording], Vec::new());
    }
    let spoken: Vec<&str> = lines.iter().map(|(_, text)| text.as_str()).collect();
    let transcript = json!({
        "type": "transcript",
        "dialog": 0,
        "vendor": "example",
        "product": "listener-2",
        "schema": "listener",
        "encoding": "json",
        "body": {"transcript": spoken.join(" "), "language": language.code, "duration": seconds, "segments": segments},
    });
    let summary = json!({
        "type": "summary", "dialog": 0, "vendor": "example", "encoding": "none", "body": matter.summary,
    });
    (vec![recording], vec![transcript, summary])
}

fn chat(vcons: &mut Vcons, lines: &Lines) -> Vec<Value> {
    let mut at = vcons.now().as_second();
    lines
        .iter()
        .map(|(party, text)| {
            at += i64::from(vcons.rng.u32(4..40));
            json!({
                "type": "text", "start": super::moment(at).to_string(), "parties": [party],
                "mediatype": "text/plain", "encoding": "none", "body": text,
            })
        })
        .collect()
}

/// What the customer writes, and what the agent answers.
fn mail(vcons: &mut Vcons, lines: &Lines, subject: &str) -> Vec<Value> {
    let start = vcons.now().as_second();
    let letter = |party: usize| {
        let said = lines.iter().filter(|(who, _)| *who == party).map(|(_, text)| text.as_str());
        format!("Subject: {subject}\r\n\r\n{}\r\n", said.collect::<Vec<_>>().join("\r\n"))
    };
    let answered = start + i64::from(vcons.rng.u32(600..20_000));
    [(0, 1, start), (1, 0, answered)]
        .iter()
        .map(|(from, to, at)| {
            json!({
                "type": "text", "start": super::moment(*at).to_string(), "parties": [from, [to]],
                "mediatype": "message/rfc822", "encoding": "none", "body": letter(*from),
            })
        })
        .collect()
}

fn enlarge(vcons: &mut Vcons, document: &mut Value) {
    // Noise, as base64url would look; one letter of six random bits.
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let noise: String = (0..OVERSIZE).map(|_| char::from(LETTERS[vcons.rng.usize(..64)])).collect();
    document["dialog"][0]["encoding"] = json!("base64url");
    document["dialog"][0]["body"] = json!(noise);
}

fn spoil(document: &mut Value) {
    document["created_at"] = json!("yesterday");
    document["dialog"][0]["parties"] = json!([0, 7]);
}

#[cfg(test)]
mod tests {
    use conserver_vcon::validate::{Profile, Severity, validate};
    use conserver_vcon::{Limits, Vcon, VconId};

    use super::*;

    fn vcon(conversation: &Conversation) -> Option<Vcon> {
        let json = conversation.json.clone()?;
        Some(Vcon::parse(VconId::new(&conversation.id), json, &Limits::default()).unwrap())
    }

    #[test]
    fn the_same_seed_makes_the_same_conversations() {
        let make =
            |seed| Conversations::new(seed).take(300).map(|made| (made.id, made.json)).collect::<Vec<_>>();
        assert_eq!(make(7), make(7));
        assert_ne!(make(7), make(8));
    }

    #[test]
    fn only_what_is_meant_to_be_broken_is_refused_at_the_door() {
        for made in Conversations::new(3).take(2000) {
            let Some(vcon) = vcon(&made) else {
                assert_eq!(made.fault, Some(Fault::Missing));
                continue;
            };
            let findings = validate(&vcon, Profile::Ingest);
            let is_refused = findings.iter().any(|finding| finding.severity == Severity::Error);
            assert_eq!(is_refused, made.fault == Some(Fault::Invalid), "{findings:?}");
            assert_eq!(vcon.size() >= OVERSIZE, made.fault == Some(Fault::TooLarge));
        }
    }

    #[test]
    fn a_day_has_every_channel_language_and_fault() {
        let day: Vec<Conversation> = Conversations::new(1).take(3000).collect();
        for channel in [Channel::Voice, Channel::Chat, Channel::Mail] {
            assert!(day.iter().any(|made| made.channel == channel), "{channel:?}");
        }
        for language in language::ALL {
            assert!(day.iter().any(|made| made.language == language.code), "{}", language.code);
        }
        for fault in [Fault::Missing, Fault::TooLarge, Fault::Invalid] {
            assert!(day.iter().any(|made| made.fault == Some(fault)), "{fault:?}");
        }
        assert!(day.iter().any(|made| made.hung_up));
    }

    #[test]
    fn numbers_are_set_aside_for_fiction() {
        let fiction = ["55501", "+442079460", "+493023125", "+3319900"];
        for vcon in Conversations::new(5).take(500).filter_map(|made| vcon(&made)) {
            for tel in vcon.parties().filter_map(|party| party.tel()) {
                assert!(fiction.iter().any(|range| tel.contains(range)), "{tel}");
            }
        }
    }
}

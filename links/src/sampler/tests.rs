use conserver_core::link::Flow;
use conserver_testkit::link_suite::{LinkFixture, context};
use conserver_testkit::vcons::{Vcons, vcon};

use super::*;

fn options(json: &str) -> SamplerOptions {
    serde_json::from_str(json).unwrap()
}

fn named(name: &str, json: &str) -> SamplerLink {
    let options = options(json);
    SamplerLink {
        method: options.method,
        value: options.value,
        salt: options.seed.unwrap_or_else(|| name.to_owned()),
    }
}

fn kept(sampler: &SamplerLink) -> Vec<bool> {
    (0..10_000).map(|n| sampler.keeps(&format!("uuid-{n}"), 0)).collect()
}

fn share(json: &str) -> f64 {
    kept(&named("sample", json)).into_iter().filter(|kept| *kept).count() as f64 / 10_000.0
}

mod suite {
    use super::*;

    conserver_testkit::link_suite!(LinkFixture {
        link: Sampler::build(options("{}"), &BuildContext::new("sample")).unwrap(),
        document: Vcons::new(1).call(),
        changes: false,
    });
}

#[test]
fn the_share_is_what_was_asked_for() {
    for (json, expected) in [
        ("{}", 0.5),
        (r#"{"value": 20}"#, 0.2),
        (r#"{"value": "20"}"#, 0.2),
        (r#"{"method": "rate", "value": 1}"#, 1.0 - (-1.0_f64).exp()),
        (r#"{"method": "rate", "value": 10}"#, 1.0 - (-0.1_f64).exp()),
        (r#"{"method": "modulo", "value": 4}"#, 0.25),
    ] {
        assert!((share(json) - expected).abs() < 0.02, "{json}: {}", share(json));
    }
    assert_eq!(share(r#"{"value": 0}"#), 0.0);
    assert_eq!(share(r#"{"value": 100}"#), 1.0);
}

#[test]
fn modulo_decides_as_the_python_server() {
    for (id, value, expected) in
        [("uuid-1", 3, true), ("uuid-2", 3, false), ("uuid-3", 3, true), ("uuid-4", 7, true)]
    {
        let sampler = named("sample", &format!(r#"{{"method": "modulo", "value": {value}}}"#));
        assert_eq!(sampler.keeps(id, 0), expected, "{id} % {value}");
    }
}

#[test]
fn time_decides_by_whole_seconds() {
    let sampler = named("sample", r#"{"method": "time_based", "value": 60}"#);
    assert!(sampler.keeps("any", 1_767_603_600));
    assert!(!sampler.keeps("any", 1_767_603_601));
}

#[test]
fn samplers_differ_by_name_and_agree_by_seed() {
    let json = r#"{"value": 50}"#;
    assert_eq!(kept(&named("one", json)), kept(&named("one", json)));
    assert_ne!(kept(&named("one", json)), kept(&named("two", json)));
    let (seeded, number) = (r#"{"seed": "42"}"#, r#"{"seed": 42}"#);
    assert_eq!(kept(&named("one", seeded)), kept(&named("two", number)));
    let both = kept(&named("one", json)).into_iter().zip(kept(&named("two", json)));
    let both = both.filter(|(one, two)| *one && *two).count();
    assert!((2300..2700).contains(&both), "two halves of a half keep a quarter: {both}");
}

#[tokio::test]
async fn what_is_not_in_the_sample_is_halted() {
    let vcon = vcon(&Vcons::new(1).call());
    for (value, expected) in
        [(100, Flow::Continue), (0, Flow::Halt { reason: "not in the sample".to_owned() })]
    {
        let options = options(&format!(r#"{{"value": {value}}}"#));
        let link = Sampler::build(options, &BuildContext::new("sample")).unwrap();
        assert_eq!(link.run(&context(&vcon), None).await.unwrap().flow, expected);
    }
}

#[test]
fn what_makes_no_sense_is_told() {
    for json in [
        r#"{"method": "rate", "value": 0}"#,
        r#"{"method": "modulo", "value": 0}"#,
        r#"{"method": "time_based", "value": 0}"#,
    ] {
        assert_eq!(Sampler::check(&options(json)).len(), 1, "{json}");
        let error = Sampler::build(options(json), &BuildContext::new("sample")).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{json}");
    }
    // The Python server takes it for everything.
    assert_eq!(Sampler::check(&options(r#"{"value": 150}"#)).len(), 1);
    assert!(Sampler::build(options(r#"{"value": 150}"#), &BuildContext::new("sample")).is_ok());
    assert!(serde_json::from_str::<SamplerOptions>(r#"{"method": "dice"}"#).is_err());
}

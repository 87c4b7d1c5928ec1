//! The storage contract against a real server, and what is peculiar to PostgreSQL.
#![allow(clippy::unwrap_used, reason = "the functions between tests are tests, too")]

mod failures;
mod fixture;
mod tables;

use std::time::Duration;

use conserver_core::vcon::{Limits, Vcon, VconId};
use conserver_storage_postgres::PostgresOptions;
use conserver_testkit::json::read_view;
use conserver_testkit::postgres::PostgresServer;
use conserver_testkit::vcons::{Vcons, bytes, vcon};
use fixture::{Fixture, refused, save};
use serde_json::json;

mod suite {
    conserver_testkit::storage_suite!(super::Fixture::new());
}

#[tokio::test]
async fn one_bad_row_of_a_full_batch_is_found() {
    let fixture = Fixture::new();
    let mut vcons = Vcons::new(50);
    let mut batch: Vec<Vcon> = (0..256).map(|_| vcon(&vcons.chat())).collect();
    batch[77] = refused();
    let results = fixture.storage.save(&batch).await;
    let failed: Vec<usize> = (0..256).filter(|index| results[*index].is_err()).collect();
    assert_eq!(failed, [77]);
    assert_eq!(fixture.database.psql("SELECT count(*) FROM vcons"), "255");
}

#[tokio::test]
async fn documents_larger_than_one_statement_together_are_all_kept() {
    let fixture = Fixture::new();
    let mut vcons = Vcons::new(51);
    let batch: Vec<Vcon> = (0..5).map(|_| vcon(&vcons.with_audio(3 << 20))).collect();
    assert!(fixture.storage.save(&batch).await.into_iter().all(|result| result.is_ok()));
    assert_eq!(fixture.database.psql("SELECT count(*) FROM vcons"), "5");
}

#[tokio::test]
async fn the_columns_say_what_the_document_says() {
    let fixture = Fixture::new();
    let mut call = Vcons::new(52).call();
    call["created_at"] = json!("2026-01-05T23:30:00.5-08:00");
    save(&fixture.storage, &vcon(&call)).await;
    let row = "SELECT id = uuid, vcon, created_at, subject, abs(extract(epoch FROM localtimestamp - updated_at)) < 60 FROM vcons";
    let subject = call["subject"].as_str().unwrap();
    assert_eq!(fixture.database.psql(row), format!("t|0.4.0|2026-01-05 23:30:00.5|{subject}|t"));

    call["subject"] = json!(null);
    call["vcon"] = json!("0.5.0");
    save(&fixture.storage, &vcon(&call)).await;
    assert_eq!(fixture.database.psql("SELECT vcon, subject IS NULL FROM vcons"), "0.5.0|t");
}

#[tokio::test]
async fn a_vcon_without_a_time_gets_the_moment_of_the_save() {
    let fixture = Fixture::new();
    let mut call = Vcons::new(53).call();
    call["created_at"] = json!("yesterday");
    save(&fixture.storage, &vcon(&call)).await;
    assert_eq!(fixture.database.psql("SELECT created_at = updated_at FROM vcons"), "t");
}

#[tokio::test]
async fn what_jsonb_does_not_take_is_replaced_and_the_vcon_kept() {
    let fixture = Fixture::new();
    let mut call = Vcons::new(54).call();
    call["subject"] = json!("nul \u{0} inside");
    let text = call.to_string().replace("Refund", "\\ud83d").replace("Hello", "H\\udc00ello");
    let id = VconId::new(call["uuid"].as_str().unwrap());
    let odd = Vcon::parse(id.clone(), text.into_bytes().into(), &Limits::default()).unwrap();
    save(&fixture.storage, &odd).await;
    let found = fixture.storage.get(&id).await.unwrap().unwrap();
    assert_eq!(found.text("subject").unwrap(), "nul \u{fffd} inside");
    assert_eq!(fixture.database.psql("SELECT subject FROM vcons"), "nul \u{fffd} inside");
}

#[tokio::test]
async fn any_spelling_of_a_uuid_finds_the_row() {
    let fixture = Fixture::new();
    let call = Vcons::new(55).call();
    save(&fixture.storage, &vcon(&call)).await;
    let shouted = VconId::new(call["uuid"].as_str().unwrap().to_uppercase());
    let found = fixture.storage.get(&shouted).await.unwrap().unwrap();
    assert_eq!(found.id(), &shouted);
    assert!(fixture.storage.delete(&shouted).await.unwrap());
}

#[tokio::test]
async fn the_legacy_format_is_kept_where_it_is_wished() {
    let mut fixture = Fixture::new();
    fixture.legacy_egress();
    let call = vcon(&Vcons::new(56).call());
    save(&fixture.storage, &call).await;
    let row = "SELECT vcon, vcon_json->>'vcon', vcon_json#>>'{attachments,0,type}' FROM vcons";
    assert_eq!(fixture.database.psql(row), "0.0.1|0.0.1|tags");
    // A reader sees the names of today.
    let found = fixture.storage.get(call.id()).await.unwrap().unwrap();
    assert_eq!(read_view(&found)["attachments"][0]["purpose"], "tags");
}

#[tokio::test]
async fn concurrent_batches_of_the_same_ids_do_not_lock_each_other_out() {
    // All of them wait for the same few connections: on a busy machine longer than a server may take to answer.
    let patient = |options: &mut PostgresOptions| options.connect_timeout = Duration::from_secs(60);
    let fixture = Fixture::on(PostgresServer::shared().create_database(), patient);
    let mut vcons = Vcons::new(57);
    let forward: Vec<Vcon> = (0..64).map(|_| vcon(&vcons.chat())).collect();
    let backward: Vec<Vcon> = forward.iter().rev().cloned().collect();
    let tasks: Vec<_> = (0..40)
        .map(|number| {
            let (storage, batch) =
                (fixture.storage.clone(), if number % 2 == 0 { &forward } else { &backward });
            let batch = batch.clone();
            tokio::spawn(async move { storage.save(&batch).await })
        })
        .collect();
    for task in tasks {
        for result in task.await.unwrap() {
            result.unwrap();
        }
    }
}

#[tokio::test]
async fn an_id_need_not_be_the_documents_own() {
    let fixture = Fixture::new();
    let mut vcons = Vcons::new(58);
    let (id, call) = (VconId::new(vcons.id()), vcons.call());
    let known_otherwise = Vcon::parse(id.clone(), bytes(&call), &Limits::default()).unwrap();
    save(&fixture.storage, &known_otherwise).await;
    let found = fixture.storage.get(&id).await.unwrap().unwrap();
    assert_eq!(found.text("uuid").unwrap(), call["uuid"].as_str().unwrap());
}

//! The table: made, found, raced for, gone.

use std::sync::Arc;

use conserver_core::storage::Storage;
use conserver_testkit::json::read_view;
use conserver_testkit::postgres::PostgresServer;
use conserver_testkit::storage_suite::StorageFixture;
use conserver_testkit::vcons::{Vcons, vcon};

use crate::fixture::{Fixture, save, try_save};

/// The table as the Python server makes it.
const REFERENCE: &str = "CREATE TABLE vcons (id uuid NOT NULL PRIMARY KEY, vcon text NOT NULL, uuid uuid NOT NULL, \
    created_at timestamp NOT NULL, updated_at timestamp, subject text, vcon_json jsonb); \
    CREATE INDEX dynamicvcons_vcon_json ON vcons USING gin (vcon_json)";

const COLUMNS: &str = "SELECT string_agg(concat_ws(' ', column_name, data_type, is_nullable, column_default), ', ' \
    ORDER BY ordinal_position) FROM information_schema.columns WHERE table_name = 'vcons'";

const INDEXES: &str =
    "SELECT string_agg(indexname, ' ' ORDER BY indexname) FROM pg_indexes WHERE tablename = 'vcons'";

#[tokio::test]
async fn a_new_table_has_these_columns_and_indexes() {
    let fixture = Fixture::new();
    fixture.storage.check().await.unwrap();
    assert_eq!(
        fixture.database.psql(COLUMNS),
        "id uuid NO, vcon text NO, uuid uuid NO, created_at timestamp without time zone NO, \
         updated_at timestamp without time zone YES CURRENT_TIMESTAMP, subject text YES, vcon_json jsonb NO"
    );
    assert_eq!(
        fixture.database.psql(INDEXES),
        "vcons_created_at_idx vcons_pkey vcons_uuid_key vcons_vcon_json_idx"
    );
}

#[tokio::test]
async fn the_index_over_the_document_can_be_left_out() {
    let database = PostgresServer::shared().create_database();
    let fixture = Fixture::on(database, |options| options.index_json = false);
    fixture.storage.check().await.unwrap();
    assert_eq!(fixture.database.psql(INDEXES), "vcons_created_at_idx vcons_pkey vcons_uuid_key");
}

#[tokio::test]
async fn the_python_servers_table_is_used_as_it_is() {
    let fixture = Fixture::new();
    fixture.database.psql(REFERENCE);
    let before = (fixture.database.psql(COLUMNS), fixture.database.psql(INDEXES));
    let mut vcons = Vcons::new(60);
    let (theirs, ours) = (vcon(&vcons.legacy()), vcon(&vcons.call()));
    let json = String::from_utf8(theirs.render(conserver_core::vcon::View::Stored).to_vec()).unwrap();
    let id = theirs.id();
    fixture.database.psql(&format!(
        "INSERT INTO vcons VALUES ('{id}', '0.0.1', '{id}', '2026-01-05 09:00:00', NULL, NULL, $doc${json}$doc$)"
    ));

    save(&fixture.storage, &ours).await;
    for vcon in [&theirs, &ours] {
        let found = fixture.storage.get(vcon.id()).await.unwrap().unwrap();
        assert_eq!(read_view(&found), read_view(vcon));
    }
    save(&fixture.storage, &theirs).await;
    assert_eq!(fixture.database.psql("SELECT count(*), count(updated_at) FROM vcons"), "2|2");
    assert_eq!((fixture.database.psql(COLUMNS), fixture.database.psql(INDEXES)), before);
}

#[tokio::test]
async fn a_row_without_a_document_is_none() {
    let fixture = Fixture::new();
    fixture.database.psql(REFERENCE);
    let id = Vcons::new(61).id();
    fixture
        .database
        .psql(&format!("INSERT INTO vcons VALUES ('{id}', '0.0.1', '{id}', now(), NULL, NULL, NULL)"));
    assert!(fixture.storage.get(&id.as_str().into()).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_processes_may_begin_at_once() {
    let fixture = Fixture::new();
    let mut vcons = Vcons::new(62);
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let (storage, vcon): (Arc<dyn Storage>, _) = (fixture.reopen().await, vcon(&vcons.call()));
        tasks.push(tokio::spawn(async move { save(&storage, &vcon).await }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(fixture.database.psql("SELECT count(*) FROM vcons"), "8");
}

#[tokio::test]
async fn any_name_is_a_name_for_a_table() {
    for name in ["Voice Calls", "a.b", "x\"; DROP TABLE y; --", "select", &"n".repeat(63)] {
        let database = PostgresServer::shared().create_database();
        let fixture = Fixture::on(database, |options| options.table_name = name.to_owned());
        let vcon = vcon(&Vcons::new(63).call());
        fixture.storage.check().await.unwrap();
        save(&fixture.storage, &vcon).await;
        assert!(fixture.storage.get(vcon.id()).await.unwrap().is_some());
        let names = fixture.database.psql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'");
        assert_eq!(names, name);
    }
}

#[tokio::test]
async fn a_table_that_was_dropped_is_made_again_at_the_next_attempt() {
    let fixture = Fixture::new();
    let vcon = vcon(&Vcons::new(64).call());
    save(&fixture.storage, &vcon).await;
    fixture.database.psql("DROP TABLE vcons");
    assert!(fixture.storage.get(vcon.id()).await.unwrap().is_none());
    assert!(!fixture.storage.delete(vcon.id()).await.unwrap());
    assert!(try_save(&fixture.storage, &vcon).await.unwrap_err().is_unavailable());
    save(&fixture.storage, &vcon).await;
}

#[tokio::test]
async fn a_table_of_something_else_holds_the_vcons_back() {
    let fixture = Fixture::new();
    fixture.database.psql("CREATE TABLE vcons (id integer)");
    let error = try_save(&fixture.storage, &vcon(&Vcons::new(65).call())).await.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
}

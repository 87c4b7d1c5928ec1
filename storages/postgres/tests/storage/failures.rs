//! Servers that refuse, stop, die, or are slow.

use std::time::Duration;

use conserver_core::vcon::VconId;
use conserver_core::{ErrorKind, Secret};
use conserver_storage_postgres::PostgresOptions;
use conserver_testkit::postgres::PostgresServer;
use conserver_testkit::vcons::{Vcons, vcon};
use sqlx::{Connection, Executor, PgConnection};

use crate::fixture::{Fixture, save, try_save};

/// What a save and a check say with these options.
async fn refused_with(change: impl FnOnce(&mut PostgresOptions)) -> ErrorKind {
    let fixture = Fixture::on(PostgresServer::shared().create_database(), change);
    let error = try_save(&fixture.storage, &vcon(&Vcons::new(70).call())).await.unwrap_err();
    assert!(error.is_unavailable(), "no vCon is a dead letter for it: {error:?}");
    assert!(!error.chain().contains("hunter2"), "{error:?}");
    assert_eq!(fixture.storage.check().await.unwrap_err().kind(), error.kind());
    error.kind()
}

#[tokio::test]
async fn wrong_settings_concern_the_server_and_not_the_vcon() {
    let kind = refused_with(|options| options.password = Secret::new("hunter2")).await;
    assert_eq!(kind, ErrorKind::Unauthorized);
    let kind = refused_with(|options| options.user = "nobody-we-know".to_owned()).await;
    assert_eq!(kind, ErrorKind::Unauthorized);
    let kind = refused_with(|options| options.database = "no such database".to_owned()).await;
    assert_eq!(kind, ErrorKind::Unavailable);
    let kind = refused_with(|options| options.port = conserver_testkit::free_port()).await;
    assert_eq!(kind, ErrorKind::Unavailable);
    let kind = refused_with(|options| options.host = "host.invalid".to_owned()).await;
    assert_eq!(kind, ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_server_that_refuses_is_named_with_its_cause_and_does_not_cost_the_time_of_one_that_hangs() {
    let port = conserver_testkit::free_port();
    let fixture = Fixture::on(PostgresServer::shared().create_database(), |options| {
        options.port = port;
        // Longer than any test may take.
        options.connect_timeout = Duration::from_secs(3600);
    });
    let id = VconId::new(Vcons::new(76).id());
    let asked = tokio::time::timeout(Duration::from_secs(60), fixture.storage.get(&id)).await;
    let says = asked.expect("it refuses at once").unwrap_err().chain();
    assert!(says.contains(&format!("127.0.0.1:{port}")) && says.contains("refused"), "{says}");
}

#[tokio::test]
async fn a_server_that_hangs_and_a_pool_that_is_busy_are_told_apart() {
    let hung = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = hung.local_addr().unwrap().port();
    let fixture = Fixture::on(PostgresServer::shared().create_database(), |options| {
        options.port = port;
        options.connect_timeout = Duration::from_millis(300);
    });
    let says = fixture.storage.check().await.unwrap_err().chain();
    assert!(says.contains(&port.to_string()) && says.contains("no answer within"), "{says}");

    let fixture = Fixture::on(PostgresServer::shared().create_database(), |options| {
        options.pool_size = 1;
        options.connect_timeout = Duration::from_millis(300);
    });
    let vcon = vcon(&Vcons::new(77).call());
    save(&fixture.storage, &vcon).await;
    let mut other = PgConnection::connect(&fixture.database.url()).await.unwrap();
    other.execute("BEGIN; LOCK TABLE vcons").await.unwrap();
    let (first, second) = tokio::join!(fixture.storage.get(vcon.id()), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let second = fixture.storage.delete(vcon.id()).await;
        other.execute("ROLLBACK").await.unwrap();
        second
    });
    assert!(first.unwrap().is_some());
    let says = second.unwrap_err().to_string();
    assert!(says.contains("`pool_size` are in use"), "{says}");
}

#[tokio::test]
async fn nothing_is_left_on_a_connection_that_others_get_next() {
    let fixture = Fixture::on(PostgresServer::shared().create_database(), |options| options.pool_size = 1);
    let vcon = vcon(&Vcons::new(79).call());
    save(&fixture.storage, &vcon).await;
    // A pooler that ends what belongs to the session between two transactions.
    fixture.storage.get(vcon.id()).await.unwrap();
    fixture.database.psql(
        "CREATE VIEW left_over AS SELECT current_setting('statement_timeout') AS t, \
         (SELECT count(*) FROM pg_prepared_statements) AS n; \
         CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF (SELECT n FROM left_over) <> 0 THEN RAISE EXCEPTION 'a statement was left'; END IF; RETURN NEW; END $$; \
         CREATE TRIGGER look BEFORE UPDATE ON vcons FOR EACH ROW EXECUTE FUNCTION look()",
    );
    save(&fixture.storage, &vcon).await;
}

#[tokio::test]
async fn a_read_only_server_is_told_by_the_check() {
    let fixture = Fixture::new();
    let vcon = vcon(&Vcons::new(71).call());
    save(&fixture.storage, &vcon).await;
    let name = &fixture.database.name;
    fixture.database.psql(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on"));
    let fixture = Fixture::on(fixture.database, |_| {});
    let error = fixture.storage.check().await.unwrap_err();
    assert!(error.is_unavailable() && error.to_string().contains("read-only"), "{error:?}");
    assert!(try_save(&fixture.storage, &vcon).await.unwrap_err().is_unavailable());
    assert!(fixture.storage.get(vcon.id()).await.unwrap().is_some());
}

#[tokio::test]
async fn a_user_without_the_right_to_write_is_told_by_the_check() {
    let owner = Fixture::new();
    owner.storage.check().await.unwrap();
    let role = format!("reader_of_{}", owner.database.name);
    owner.database.psql(&format!("CREATE ROLE {role} LOGIN PASSWORD 'pw'; GRANT SELECT ON vcons TO {role}"));
    let reader = Fixture::on(owner.database, |options| {
        options.user = role;
        options.password = Secret::new("pw");
    });
    let error = reader.storage.check().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(error.is_unavailable());
    let error = try_save(&reader.storage, &vcon(&Vcons::new(72).call())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
}

#[tokio::test]
async fn a_table_without_our_columns_is_misconfigured_and_never_an_empty_one() {
    let fixture = Fixture::new();
    let vcon = vcon(&Vcons::new(78).call());
    save(&fixture.storage, &vcon).await;
    fixture.database.psql("ALTER TABLE vcons RENAME COLUMN vcon_json TO body");
    for error in [
        fixture.storage.get(vcon.id()).await.unwrap_err(),
        try_save(&fixture.storage, &vcon).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Misconfigured, "{error:?}");
        assert!(error.is_unavailable() && error.to_string().contains("vcon_json"), "{error:?}");
    }
}

#[tokio::test]
async fn a_statement_that_waits_too_long_is_given_up_and_can_be_repeated() {
    let database = PostgresServer::shared().create_database();
    let fixture = Fixture::on(database, |options| options.statement_timeout = Duration::from_millis(200));
    let vcon = vcon(&Vcons::new(73).call());
    save(&fixture.storage, &vcon).await;

    let mut other = PgConnection::connect(&fixture.database.url()).await.unwrap();
    other.execute("BEGIN; LOCK TABLE vcons").await.unwrap();
    let error = try_save(&fixture.storage, &vcon).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(!error.is_permanent() && !error.is_unavailable());
    other.execute("ROLLBACK").await.unwrap();
    save(&fixture.storage, &vcon).await;
}

#[tokio::test]
async fn a_connection_is_encrypted_and_verified_where_that_is_asked_for() {
    let database = PostgresServer::shared().create_database();
    let authority = PostgresServer::shared().certificate().ca.clone();
    let verified = Fixture::on(database.clone(), |options| {
        options.sslmode = Some("verify-full".to_owned());
        options.sslrootcert = Some(authority);
    });
    verified.storage.check().await.unwrap();
    // Without its authority the server's certificate is nobody's.
    let stranger = Fixture::on(database, |options| options.sslmode = Some("verify-full".to_owned()));
    assert!(stranger.storage.check().await.unwrap_err().is_unavailable());
}

#[tokio::test]
async fn a_url_says_it_all() {
    let database = PostgresServer::shared().create_database();
    let url = Secret::new(database.url());
    let fixture = Fixture::on(database, |options| {
        *options = PostgresOptions { url: Some(url), ..PostgresOptions::default() };
    });
    save(&fixture.storage, &vcon(&Vcons::new(74).call())).await;
    assert_eq!(fixture.database.psql("SELECT count(*) FROM vcons"), "1");
}

#[tokio::test]
async fn what_was_saved_survives_kill_minus_nine_and_the_storage_recovers() {
    let mut server = PostgresServer::start();
    let fixture = Fixture::on(server.create_database(), |_| {});
    let mut vcons = Vcons::new(75);
    let (kept, later) = (vcon(&vcons.call()), vcon(&vcons.call()));
    save(&fixture.storage, &kept).await;

    server.kill();
    assert!(try_save(&fixture.storage, &later).await.unwrap_err().is_unavailable());
    assert!(fixture.storage.get(kept.id()).await.unwrap_err().is_unavailable());
    server.restart();
    assert!(fixture.storage.get(kept.id()).await.unwrap().is_some());
    save(&fixture.storage, &later).await;

    server.stop();
    assert!(fixture.storage.check().await.unwrap_err().is_unavailable());
    server.restart();
    fixture.storage.check().await.unwrap();
}

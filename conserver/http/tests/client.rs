//! The client against a real server: what it sends, what it waits for, and what it never does.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::time::Duration;

use bytes::Bytes;
use conserver_core::{Applied, Class, ErrorKind, Result};
use conserver_http::header::HeaderMap;
use conserver_http::{Address, Answer, HttpClient, Method, Request};
use conserver_testkit::http::{self, HttpServer};

const PATIENT: Duration = Duration::from_secs(60);

async fn post(client: &HttpClient, url: &str) -> Result<Answer> {
    let to = Address::parse(url).unwrap();
    let body = Bytes::from_static(b"{}");
    client.send(Request { method: Method::POST, to: &to, headers: HeaderMap::new(), body }).await
}

fn client(timeout: Duration) -> HttpClient {
    HttpClient::new(timeout, None)
}

#[tokio::test]
async fn an_answer_comes_back_with_its_body() {
    let server = HttpServer::start();
    server.script([http::Answer::status(201).body("made")]);
    let answer = post(&client(PATIENT), &server.url("/a?b=c")).await.unwrap();
    answer.ok().unwrap();
    assert_eq!(answer.read(4).await.unwrap(), "made");
    let request = &server.requests()[0];
    assert_eq!(
        (request.method.as_str(), request.target.as_str(), &request.body[..]),
        ("POST", "/a?b=c", &b"{}"[..])
    );
    assert!(request.headers["user-agent"].starts_with("conserver/"));
}

#[tokio::test]
async fn a_body_beyond_the_bound_is_not_read() {
    let server = HttpServer::start();
    server.script([http::Answer::status(200).body(vec![b'x'; 10 << 20])]);
    let answer = post(&client(PATIENT), &server.url("/")).await.unwrap();
    let error = answer.read(1000).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.get_class(), error.get_applied()),
        (ErrorKind::Invalid, Class::Unavailable, Applied::Unknown)
    );
    // The same where nobody wants it; the client goes on.
    server.script([http::Answer::status(200).body(vec![b'x'; 10 << 20])]);
    let client = client(PATIENT);
    post(&client, &server.url("/")).await.unwrap().let_go().await;
    post(&client, &server.url("/")).await.unwrap().ok().unwrap();
}

#[tokio::test]
async fn nobody_there_is_away_and_nothing_happened() {
    let port = conserver_testkit::free_port();
    for url in [format!("http://127.0.0.1:{port}/"), "http://host.invalid/".to_owned()] {
        let error = post(&client(PATIENT), &url).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.get_class(), error.get_applied()),
            (ErrorKind::Unavailable, Class::Unavailable, Applied::No)
        );
        assert!(error.chain().contains("no connection: "), "{}", error.chain());
    }
}

#[tokio::test]
async fn a_connection_that_breaks_leaves_open_whether_it_happened() {
    let server = HttpServer::start();
    for script in [http::Answer::hang_up(), http::Answer::hang_up_late()] {
        server.script([script]);
        let error = post(&client(PATIENT), &server.url("/")).await.unwrap_err();
        assert!(error.is_unavailable(), "{error:?}");
        assert_eq!(error.get_applied(), Applied::Unknown, "{error:?}");
    }
}

#[tokio::test]
async fn no_answer_in_time_leaves_open_whether_it_happened() {
    let server = HttpServer::start();
    server.script([http::Answer::status(200).after(Duration::from_secs(600))]);
    let error = post(&client(Duration::from_millis(300)), &server.url("/")).await.unwrap_err();
    assert_eq!((error.kind(), error.get_applied()), (ErrorKind::Timeout, Applied::Unknown), "{error:?}");
    assert!(!error.is_permanent() && !error.is_unavailable());
}

#[tokio::test]
async fn only_the_same_request_to_the_same_server_is_followed() {
    let (server, other) = (HttpServer::start(), HttpServer::start());
    let to = |status, place: &str| http::Answer::status(status).header("location", place);
    server.script([to(307, "/there"), to(308, "/further")]);
    post(&client(PATIENT), &server.url("/")).await.unwrap().ok().unwrap();
    let taken: Vec<_> =
        server.requests().into_iter().map(|request| (request.target, request.method, request.body)).collect();
    let post_of = |target: &str| (target.to_owned(), "POST".to_owned(), Bytes::from_static(b"{}"));
    assert_eq!(taken, [post_of("/"), post_of("/there"), post_of("/further")]);

    let elsewhere = other.url("/");
    for answer in
        [to(307, &elsewhere), to(308, &elsewhere), to(301, "/there"), to(302, "/there"), to(303, "/there")]
    {
        server.script([answer]);
        let error = post(&client(PATIENT), &server.url("/")).await.unwrap().ok().unwrap_err();
        assert_eq!((error.kind(), error.get_class()), (ErrorKind::Invalid, Class::Unavailable), "{error:?}");
    }
    assert_eq!((other.requests().len(), server.requests().len()), (0, 8));

    server.rule(|_| http::Answer::status(307).header("location", "/round"));
    let error = post(&client(PATIENT), &server.url("/")).await.unwrap().ok().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn a_certificate_is_verified_against_the_public_authorities_and_those_of_the_file() {
    let server = HttpServer::start_tls();
    let error = post(&client(PATIENT), &server.url("/")).await.unwrap_err();
    assert!(error.is_unavailable() && error.chain().contains("certificate"), "{}", error.chain());
    let trusting = HttpClient::new(PATIENT, Some(server.authority().to_owned()));
    post(&trusting, &server.url("/")).await.unwrap().ok().unwrap();
    for nothing in ["/nowhere.pem", "/dev/null"] {
        let error =
            post(&HttpClient::new(PATIENT, Some(nothing.into())), &server.url("/")).await.unwrap_err();
        assert!(error.is_unavailable() && error.chain().contains(nothing), "{}", error.chain());
    }
}

#[tokio::test]
async fn errors_show_no_secret_of_the_url_and_nothing_that_the_server_says() {
    let mut server = HttpServer::start();
    let url = server.url("/hook?token=hunter2").replace("http://", "http://me:hunter2@");
    server.rule(|_| http::Answer::status(400).header("x-reason", "hunter2").body("hunter2"));
    let refused = post(&client(PATIENT), &url).await.unwrap().ok().unwrap_err();
    assert!(server.requests()[0].headers["authorization"].starts_with("Basic "));
    server.stop();
    let away = post(&client(PATIENT), &url).await.unwrap_err();
    for error in [refused, away] {
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        assert!(error.to_string().contains("/hook`"), "{error}");
    }
}

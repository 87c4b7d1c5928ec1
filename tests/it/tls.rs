//! The API over TLS, as a client outside sees it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use conserver_testkit::certificate::Certificate;
use reqwest::blocking::Client;

use crate::site::{LIMIT, Site, until};

const CONFIG: &str = "
conserver: 1
api: {tls: {cert: $DIR/server.pem, key: $DIR/server.key}}
chains:
  main: {ingress_lists: [in], egress_lists: [out]}
";

/// A client that trusts this authority and nobody else.
fn client(authority: &Path) -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let authority = reqwest::Certificate::from_pem(&std::fs::read(authority).unwrap()).unwrap();
    Client::builder().tls_certs_only([authority]).timeout(LIMIT).build().unwrap()
}

#[test]
fn clients_get_the_certificate_and_after_a_renewal_the_new_one() {
    let site = Site::new(CONFIG);
    let folder = site.setup.folder();
    let first = client(&Certificate::write_to(folder).ca);
    let port = conserver_testkit::free_port();
    let daemon = site.setup.start(&["api", "--listen", &format!("127.0.0.1:{port}")]);
    let url = format!("https://localhost:{port}/vcon?size=1");
    until("it answers", || first.get(&url).send().is_ok_and(|answer| answer.status() == 200));
    let renewed = tempfile::tempdir_in(folder).unwrap();
    let certificate = Certificate::write_to(renewed.path());
    let second = client(&certificate.ca);
    assert!(second.get(&url).send().is_err(), "nobody knows this authority yet");
    // In two steps, as a script does it; what does not fit in between is told and not taken.
    for file in ["server.pem", "server.key"] {
        std::fs::rename(renewed.path().join(file), folder.join(file)).unwrap();
    }
    until("the new certificate is shown", || {
        second.get(&url).send().is_ok_and(|answer| answer.status() == 200)
    });
    until("its log says so", || !daemon.told("the certificate was renewed").is_empty());
    drop(daemon);
}

#[test]
fn whoever_speaks_no_tls_is_hung_up_on() {
    let site = Site::new(CONFIG);
    Certificate::write_to(site.setup.folder());
    let address = format!("127.0.0.1:{}", conserver_testkit::free_port());
    let daemon = site.setup.start(&["api", "--listen", &address]);
    until("it listens", || !daemon.told("API listening").is_empty());
    for sent in ["GET /health HTTP/1.1\r\nhost: x\r\n\r\n", ""] {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.write_all(sent.as_bytes()).unwrap();
        let mut answer = Vec::new();
        if let Err(error) = stream.read_to_end(&mut answer) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{sent}");
        }
        assert!(!answer.starts_with(b"HTTP"), "{sent}");
    }
    drop(daemon);
}

#[test]
fn files_that_cannot_be_used_are_named_at_the_start() {
    let site = Site::new(CONFIG);
    let folder = site.setup.folder();
    let (cert, key) = (folder.join("server.pem"), folder.join("server.key"));
    let fails = |file: &str, says: &str| {
        let (code, out, err) = site.command(&["api", "--listen", "127.0.0.1:0"]);
        assert_ne!(code, 0, "{out}");
        let err = err.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(err.contains(file) && err.contains(says), "`{file}` `{says}` is not in: {err}");
    };
    fails("server.pem", "No such file");
    Certificate::write_expired_to(folder);
    fails("server.pem", "has expired");
    Certificate::write_to(folder);
    std::fs::remove_file(&key).unwrap();
    fails("server.key", "No such file");
    std::fs::copy(&cert, &key).unwrap();
    fails("server.key", "holds no private key");
    let other = tempfile::tempdir_in(folder).unwrap();
    std::fs::copy(Certificate::write_to(other.path()).key, &key).unwrap();
    fails("server.key", "is not the key of the certificate");
    std::fs::copy(&key, &cert).unwrap();
    fails("server.pem", "holds no certificate");
}

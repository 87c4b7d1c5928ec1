//! The whole way: a client posts, a worker runs the chain, a client takes the id and reads the document.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use conserver_testkit::vcons::Vcons;

use crate::site::{Site, until};

const CONFIG: &str = "
conserver: 1
links:
  label: {module: tag, options: {tags: ['source:api']}}
chains:
  main: {links: [label], ingress_lists: [in], egress_lists: [out]}
";

/// Status and body of a request.
pub(crate) fn ask(address: &str, line: &str, key: &str, body: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let length = body.len();
    let head = format!(
        "host: {address}\r\nconnection: close\r\nx-conserver-api-token: {key}\r\ncontent-length: {length}"
    );
    write!(stream, "{line} HTTP/1.1\r\n{head}\r\n\r\n{body}").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

#[test]
fn what_a_client_posts_comes_out_of_its_chain() {
    let site = Site::new(CONFIG).env("CONSERVER_API_TOKEN", "sesame");
    let address = format!("127.0.0.1:{}", conserver_testkit::free_port());
    let daemon = site.setup.run(1, &["--listen", &address]);
    let call = Vcons::new(1).call();
    let post = || ask(&address, "POST /api/vcon?ingress_lists=in", "sesame", &call.to_string());
    until("the API takes it", || post().is_some_and(|(status, _)| status == 201));
    assert_eq!(ask(&address, "GET /vcon", "wrong", "").unwrap().0, 403);
    let out = || ask(&address, "GET /vcon/egress?egress_list=out", "sesame", "").unwrap().1;
    let id = call["uuid"].as_str().unwrap();
    until("it comes out", || out().contains(id));
    let (status, document) = ask(&address, &format!("GET /vcon/{id}"), "sesame", "").unwrap();
    assert!(status == 200 && document.contains("source:api"), "{document}");
    drop(daemon);
}

#[test]
fn without_a_key_the_api_stays_on_this_machine() {
    let site = Site::new(CONFIG);
    let port = conserver_testkit::free_port();
    let daemon = site.setup.run(1, &["--listen", &format!("0.0.0.0:{port}")]);
    let address = format!("127.0.0.1:{port}");
    until("it answers here", || {
        ask(&address, "GET /health", "", "").is_some_and(|(status, _)| status == 200)
    });
    // All of 127/8 is this machine, and only one address of it is listened on.
    assert!(TcpStream::connect(format!("127.0.0.2:{port}")).is_err());
    drop(daemon);
}

#[test]
fn an_outage_is_told_now_and_then_and_not_for_each_request() {
    let mut site = Site::new(CONFIG).env("CONSERVER_API_TOKEN", "sesame");
    let address = format!("127.0.0.1:{}", conserver_testkit::free_port());
    let daemon = site.setup.run(1, &["--listen", &address]);
    let search = || ask(&address, "GET /vcons/search?tel=%2B15550199", "sesame", "");
    until("it answers", || search().is_some_and(|(status, _)| status == 200));
    site.redis.kill();
    for _ in 0..60 {
        assert_eq!(search().unwrap().0, 503);
    }
    let told = daemon.told("requests failed; this is the last of them");
    assert!((1..=20).contains(&told.len()), "{} lines for 60 requests", told.len());
    for field in ["request", "error"] {
        assert!(!told[0][field].as_str().unwrap().is_empty(), "{}", told[0]);
    }
    assert_eq!((&told[0]["method"], &told[0]["path"]), (&"GET".into(), &"/vcons/search".into()));
    assert!(!daemon.log().contains("15550199"), "whom somebody looks for is nobody's business");
}

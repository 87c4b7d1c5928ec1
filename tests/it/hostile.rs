//! Clients that mean harm, or cannot do better: each gets a clear answer, the memory stays bounded, and somebody who
//! asks meanwhile notices nothing.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use conserver_testkit::vcons::Vcons;
use serde_json::Value;

use crate::api::ask;
use crate::site::{LIMIT, Site, until};

const CONFIG: &str = "
conserver: 1
chains:
  main: {ingress_lists: [in], egress_lists: [out]}
";

/// More than the largest document, unpacked, and what it is copied into; far less than what is sent.
const MEMORY: u64 = 600 << 20;

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.set_write_timeout(Some(LIMIT)).unwrap();
    stream
}

/// All that the server says until it hangs up.
fn answer(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    if let Err(error) = stream.read_to_end(&mut answer) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "it does not hang up");
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// Sends a head and a body in pieces, as far as the server takes them; answers what it says.
fn send(address: &str, head: &str, body: impl IntoIterator<Item = Vec<u8>>) -> String {
    let mut stream = connect(address);
    stream.write_all(format!("{head}\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).unwrap();
    for piece in body {
        if stream.write_all(&piece).is_err() {
            break;
        }
    }
    answer(stream)
}

/// Asserts a refusal as JSON that names a way out.
#[track_caller]
fn refused(answer: &str, status: &str) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{answer:.300}");
    let body: Value = serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {answer:.300}"));
    assert!(body["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{body}");
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// A gigabyte of spaces, packed.
fn bomb() -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    (0..1024).for_each(|_| packer.write_all(&[b' '; 1 << 20]).unwrap());
    packer.finish().unwrap()
}

/// The most memory that a process ever had.
fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[test]
fn hostile_clients_are_refused_within_a_bounded_memory_and_disturb_nobody() {
    let site = Site::new(CONFIG);
    let address = format!("127.0.0.1:{}", conserver_testkit::free_port());
    let daemon = site.setup.start(&["api", "--listen", &address]);
    until("it listens", || ask(&address, "GET /health", "", "").is_some_and(|(status, _)| status == 200));
    let (done, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let slowest = std::thread::scope(|scope| {
        let bystander = scope.spawn(|| {
            let (mut vcons, mut slowest) = (Vcons::new(1), Duration::ZERO);
            while !done.load(Ordering::Relaxed) {
                let start = Instant::now();
                let (status, body) =
                    ask(&address, "POST /vcon?ingress_lists=in", "", &vcons.call().to_string())
                        .expect("somebody else is answered");
                assert_eq!(status, 201, "{body}");
                slowest = slowest.max(start.elapsed());
                asked.fetch_add(1, Ordering::Relaxed);
            }
            slowest
        });
        attack(&address);
        done.store(true, Ordering::Relaxed);
        bystander.join().unwrap()
    });
    let memory = peak(daemon.pid());
    println!(
        "{} other requests, the slowest in {slowest:?}; {} MB at most",
        asked.into_inner(),
        memory >> 20
    );
    assert!(memory < MEMORY, "{} MB", memory >> 20);
    drop(daemon);
}

fn attack(address: &str) {
    // Those that never finish a head, and one that never finishes a body; their time is over at the end.
    let heads: Vec<TcpStream> = (0..300)
        .map(|_| {
            let mut stream = connect(address);
            stream.write_all(b"POST /vcon HTTP/1.1\r\nhost: x\r\ncontent-le").unwrap();
            stream
        })
        .collect();
    let mut body = connect(address);
    body.write_all(b"POST /vcon HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 100\r\n\r\n{")
        .unwrap();

    let gigabyte = || std::iter::repeat_n(vec![b' '; 1 << 20], 1024);
    refused(&send(address, "POST /vcon HTTP/1.1\r\ncontent-length: 1073741824", gigabyte()), "413");
    let chunks = gigabyte().map(|bytes| chunk(&bytes));
    refused(&send(address, "POST /vcon HTTP/1.1\r\ntransfer-encoding: chunked", chunks), "413");
    let bomb = bomb();
    let packed = format!("HTTP/1.1\r\ncontent-encoding: gzip\r\ncontent-length: {}", bomb.len());
    refused(&send(address, &format!("POST /vcon {packed}"), [bomb.clone()]), "413");
    // As lines it is one without an end.
    let head = format!("POST /vcons {packed}\r\ncontent-type: application/x-ndjson");
    refused(&send(address, &head, [bomb]), "413");

    let deep = format!("{{\"a\":{}{}}}", "[".repeat(1_000_000), "]".repeat(1_000_000));
    for (body, status) in [(deep.as_bytes(), "400"), (&b"{\"a\": \"\xff\"}"[..], "400"), (b"\xff\xff", "400")]
    {
        let head = format!("POST /vcon HTTP/1.1\r\ncontent-length: {}", body.len());
        refused(&send(address, &head, [body.to_vec()]), status);
    }
    let names: Vec<String> = (0..10_000).map(|n| n.to_string()).collect();
    let head = format!("POST /vcon?ingress_lists={} HTTP/1.1\r\ncontent-length: 2", names.join(","));
    refused(&send(address, &head, [b"{}".to_vec()]), "422");
    refused(&send(address, "GET /vcon/%ff%fe HTTP/1.1", []), "4");
    // What is no HTTP never comes to the router: a status without a body.
    let flood: String = (0..5000).map(|n| format!("\r\nx-{n}: 1")).collect();
    let long = format!("\r\nx: {}", "y".repeat(1 << 20));
    for head in
        [format!("GET /health HTTP/1.1{flood}"), format!("GET /health HTTP/1.1{long}"), "\u{1}".into()]
    {
        let mut stream = connect(address);
        let _ = stream.write_all(format!("{head}\r\nhost: x\r\n\r\n").as_bytes());
        let answer = answer(stream);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer:.300}");
    }

    refused(&answer(body), "408");
    heads.into_iter().for_each(|stream| assert!(!answer(stream).starts_with("HTTP/1.1 2")));
}

#[test]
fn while_redis_is_away_nothing_is_half_written_and_soon_after_all_is_well() {
    let mut site = Site::new(CONFIG);
    let address = format!("127.0.0.1:{}", conserver_testkit::free_port());
    let daemon = site.setup.start(&["api", "--listen", &address]);
    until("it listens", || ask(&address, "GET /health", "", "").is_some_and(|(status, _)| status == 200));
    let (stop, refused) = (AtomicBool::new(false), AtomicUsize::new(0));
    let post = |seed: u64| {
        let (mut vcons, mut taken, mut others) = (Vcons::new(seed), Vec::new(), Vec::new());
        while !stop.load(Ordering::Relaxed) {
            let vcon = vcons.call();
            let id = vcon["uuid"].as_str().unwrap().to_owned();
            let (status, body) = ask(&address, "POST /vcon?ingress_lists=in", "", &vcon.to_string()).unwrap();
            match status {
                201 => taken.push(id),
                503 => {
                    assert!(body.contains("\"hint\""), "{body}");
                    refused.fetch_add(1, Ordering::Relaxed);
                    others.push(id);
                }
                _ => panic!("{status}: {body}"),
            }
        }
        (taken, others)
    };
    let (mut taken, mut others) = (HashSet::new(), HashSet::new());
    std::thread::scope(|scope| {
        let post = &post;
        let clients: Vec<_> = (1..5).map(|seed| scope.spawn(move || post(seed))).collect();
        until("some are taken", || site.db.list("in").len() > 20);
        site.redis.kill();
        until("some are refused", || refused.load(Ordering::Relaxed) > 20);
        let answer = send(&address, "GET /vcon HTTP/1.1", []);
        assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("retry-after: "), "{answer}");
        site.redis.restart();
        let start = Instant::now();
        let id = "018f2a4b-0000-8000-9dd8-000000000001";
        let vcon =
            format!("{{\"vcon\":\"0.4.0\",\"uuid\":\"{id}\",\"created_at\":\"2026-01-02T03:04:05Z\"}}");
        let back = || ask(&address, "POST /vcon", "", &vcon).is_some_and(|(status, _)| status == 201);
        crate::site::within(Duration::from_secs(30), "it takes vCons again", back);
        println!("back {:?} after Redis", start.elapsed());
        stop.store(true, Ordering::Relaxed);
        for client in clients {
            let (more, refused) = client.join().unwrap();
            taken.extend(more);
            others.extend(refused);
        }
    });
    let listed: HashSet<String> = site.db.list("in").into_iter().collect();
    assert!(taken.is_subset(&listed), "what was acknowledged is there");
    for id in taken.union(&others) {
        assert_eq!(site.db.document(id).is_some(), listed.contains(id), "{id} is half there");
    }
    drop(daemon);
}

//! StatsD over UDP, with labels as tags in the form of DogStatsD.
//!
//! Counters are sent as what was added since the last time, gauges as they stand; of histograms what StatsD can add up:
//! how many values and their sum.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr, ToSocketAddrs, UdpSocket};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use conserver_core::figure::Unit;

use super::snapshot::{Series, Snapshot, Value};

/// How often figures are sent.
const EVERY: Duration = Duration::from_secs(5);
/// Fits a packet of Ethernet with room for tunnels.
const PACKET: usize = 1432;

/// Sends figures every few seconds until it is dropped, then once more.
pub(crate) struct Statsd {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Statsd {
    /// Begins to send what `figures` answers, from a thread of its own: names are looked up there.
    pub(crate) fn start(
        address: &str,
        figures: impl Fn() -> Snapshot + Send + 'static,
    ) -> std::io::Result<Self> {
        let mut sender = Sending { address: address.to_owned(), sent: BTreeMap::new(), told: false };
        let (stop, stopped) = channel::<()>();
        let thread = std::thread::Builder::new().name("statsd".to_owned()).spawn(move || {
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                sender.send(&figures());
            }
            sender.send(&figures());
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Statsd {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It sends packets and waits for nobody, but for the name of the server.
            let _ = thread.join();
        }
    }
}

/// What was sent to whom.
struct Sending {
    address: String,
    sent: BTreeMap<Series, Value>,
    told: bool,
}

impl Sending {
    /// Sends what changed. What cannot be sent is lost, and said once.
    fn send(&mut self, figures: &Snapshot) {
        let lines = self.lines(figures);
        match packets(&self.address, &lines) {
            Ok(()) => self.told = false,
            Err(error) if !self.told => {
                tracing::warn!(address = self.address, %error, "cannot send figures to StatsD");
                self.told = true;
            }
            Err(_) => {}
        }
    }

    fn lines(&mut self, figures: &Snapshot) -> Vec<String> {
        let mut lines = Vec::new();
        for (series, value) in &figures.0 {
            let Some(figure) = series.figure() else { continue };
            let mut tags = String::new();
            for (index, (name, value)) in figure.labels.iter().zip(&series.labels).enumerate() {
                // Writing to a string cannot fail.
                let _ = write!(tags, "{}{name}:{}", if index == 0 { "|#" } else { "," }, plain(value));
            }
            let name = figure.name;
            match (value, self.sent.insert(series.clone(), value.clone())) {
                (Value::Counter(now), before) => {
                    let before = if let Some(Value::Counter(count)) = before { count } else { 0 };
                    if let Some(more) = now.checked_sub(before).filter(|more| *more > 0) {
                        lines.push(format!("{name}:{more}|c{tags}"));
                    }
                }
                (Value::Gauge(now), _) => lines.push(format!("{name}:{now}|g{tags}")),
                (Value::Histogram { counts, sum }, before) => {
                    let factor = if figure.unit == Unit::Milliseconds { 1e3 } else { 1.0 };
                    let (count, before_count, before_sum) = match before {
                        Some(Value::Histogram { counts: earlier, sum }) => {
                            (counts.iter().sum::<u64>(), earlier.iter().sum::<u64>(), sum)
                        }
                        _ => (counts.iter().sum(), 0, 0.0),
                    };
                    if let Some(more) = count.checked_sub(before_count).filter(|more| *more > 0) {
                        lines.push(format!("{name}.count:{more}|c{tags}"));
                        lines.push(format!("{name}.sum:{}|c{tags}", (sum - before_sum) * factor));
                    }
                }
            }
        }
        lines
    }
}

fn packets(address: &str, lines: &[String]) -> std::io::Result<()> {
    let to = address.to_socket_addrs()?.next();
    let to = to.ok_or_else(|| std::io::Error::other("the name has no address"))?;
    let socket = match to.is_ipv4() {
        true => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?,
        false => UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0))?,
    };
    let mut packet = String::new();
    for line in lines {
        if !packet.is_empty() && packet.len() + 1 + line.len() > PACKET {
            socket.send_to(packet.as_bytes(), to)?;
            packet.clear();
        }
        if !packet.is_empty() {
            packet.push('\n');
        }
        packet += line;
    }
    if !packet.is_empty() {
        socket.send_to(packet.as_bytes(), to)?;
    }
    Ok(())
}

/// A label without what has a meaning in the protocol.
fn plain(value: &str) -> String {
    value.replace([':', '|', '@', '#', ',', '\n'], "_")
}

//! What does the user see? iperf3's lines: one a second and stream, and at the end what each side has
//! counted; or its JSON of the end.

use std::time::Instant;

use library_examples::common::Result;
use serde_json::json;

use crate::flows::{Direction, Flows, Tally};
use crate::protocol::{Results, StreamResults, stream_id};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    Text,
    Json,
    None,
}

pub(crate) struct Report {
    format: Format,
    last: Instant,
    seen: Vec<u64>,
    again: Vec<i64>,
}

impl Report {
    pub(crate) fn start(format: Format, flows: &Flows) -> Report {
        if format == Format::Text {
            for (i, flow) in flows.all.iter().enumerate() {
                let id = stream_id(i);
                if let (Ok(ours), Ok(theirs)) = (flow.stream.local_addr(), flow.stream.peer_addr())
                {
                    println!("[{id:>3}] local {ours} connected to {theirs}");
                }
            }
            let sender =
                if flows.direction == Direction::Send { "  Retr         Cwnd" } else { "" };
            println!("[ ID] {:<19} {:>14}  {:>18}{sender}", "Interval", "Transfer", "Bitrate");
        }
        let n = flows.all.len();
        Report { format, last: flows.start, seen: vec![0; n], again: vec![0; n] }
    }

    pub(crate) fn interval(&mut self, flows: &Flows) {
        if self.format != Format::Text {
            return;
        }
        let now = Instant::now();
        let [from, to] = [self.last, now].map(|at| (at - flows.start).as_secs_f64());
        self.last = now;
        let mut sum = 0;
        for (i, flow) in flows.all.iter().enumerate() {
            let octets = flow.octets();
            let since = octets - std::mem::replace(&mut self.seen[i], octets);
            sum += since;
            let sender = if flows.direction == Direction::Send {
                let all = flows.retransmissions(flow);
                let again = all - std::mem::replace(&mut self.again[i], all);
                format!(
                    "  {again:>4}  {:>11}",
                    size(u64::from(flow.stream.info().congestion_window))
                )
            } else {
                String::new()
            };
            println!("{}{sender}", line(&stream_id(i).to_string(), from, to, since));
        }
        if flows.all.len() > 1 {
            println!("{}", line("SUM", from, to, sum));
        }
    }

    pub(crate) fn end(&self, ours: &Tally, theirs: &Results) -> Result {
        let (sent, received) = match ours.direction {
            Direction::Send => (&ours.results, theirs),
            Direction::Receive => (theirs, &ours.results),
        };
        match self.format {
            Format::Text => text(ours.seconds, sent, received),
            Format::Json => {
                let whole = json!({ "end": end(ours, theirs, sent, received) });
                println!("{}", serde_json::to_string_pretty(&whole)?);
            }
            Format::None => {}
        }
        Ok(())
    }
}

fn text(seconds: f64, sent: &Results, received: &Results) {
    println!("- - - - - - - - - - - - - - - - - - - - - - - - -");
    for (results, who) in [(sent, "sender"), (received, "receiver")] {
        let again = |s: &[StreamResults]| match results.sender_has_retransmits {
            1 if who == "sender" => {
                format!("  {:>4}", s.iter().map(|s| s.retransmits).sum::<i64>())
            }
            _ => " ".repeat(6),
        };
        for s in &results.streams {
            let one = std::slice::from_ref(s);
            println!("{}{}  {who}", line(&s.id.to_string(), 0.0, seconds, s.bytes), again(one));
        }
        if results.streams.len() > 1 {
            println!(
                "{}{}  {who}",
                line("SUM", 0.0, seconds, bytes(results)),
                again(&results.streams)
            );
        }
    }
}

/// The part of iperf3's JSON that says how it ended, with its names.
fn end(ours: &Tally, theirs: &Results, sent: &Results, received: &Results) -> serde_json::Value {
    let sum = |results: &Results| {
        let octets = bytes(results);
        json!({
            "start": 0, "end": ours.seconds, "seconds": ours.seconds, "bytes": octets,
            "bits_per_second": octets as f64 * 8.0 / ours.seconds,
        })
    };
    let mut sum_sent = sum(sent);
    if sent.sender_has_retransmits == 1 {
        sum_sent["retransmits"] = sent.streams.iter().map(|s| s.retransmits).sum::<i64>().into();
    }
    json!({
        "streams": { "sender": sent.streams, "receiver": received.streams },
        "sum_sent": sum_sent,
        "sum_received": sum(received),
        "cpu_utilization_percent": {
            "host_total": ours.results.cpu_util_total,
            "host_user": ours.results.cpu_util_user,
            "host_system": ours.results.cpu_util_system,
            "remote_total": theirs.cpu_util_total,
            "remote_user": theirs.cpu_util_user,
            "remote_system": theirs.cpu_util_system,
        },
    })
}

fn bytes(results: &Results) -> u64 {
    results.streams.iter().map(|s| s.bytes).sum()
}

fn line(id: &str, from: f64, to: f64, octets: u64) -> String {
    let bits = octets as f64 * 8.0 / (to - from).max(1e-9);
    let interval = format!("{from:.2}-{to:.2} sec");
    format!("[{id:>3}] {interval:<19} {:>14}  {:>18}", size(octets), rate(bits))
}

/// Powers of 1,024, as iperf3 counts octets.
fn size(octets: u64) -> String {
    scaled(octets as f64, 1024.0, ["Bytes", "KBytes", "MBytes", "GBytes", "TBytes"])
}

/// Powers of 1,000, as iperf3 counts bits.
fn rate(bits: f64) -> String {
    scaled(bits, 1000.0, ["bits/sec", "Kbits/sec", "Mbits/sec", "Gbits/sec", "Tbits/sec"])
}

fn scaled(mut number: f64, base: f64, units: [&str; 5]) -> String {
    let mut unit = 0;
    while number >= base && unit + 1 < units.len() {
        number /= base;
        unit += 1;
    }
    let places = if unit == 0 || number >= 100.0 {
        0
    } else if number >= 10.0 {
        1
    } else {
        2
    };
    format!("{number:.places$} {}", units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_iperf3s_units() {
        assert_eq!(
            [size(999), size(1 << 20), size(1_250_000_000)],
            ["999 Bytes", "1.00 MBytes", "1.16 GBytes"]
        );
        assert_eq!([rate(9.95e9), rate(123e6)], ["9.95 Gbits/sec", "123 Mbits/sec"]);
    }
}

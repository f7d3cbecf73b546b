//! What does the stack show? Rows of every kind with their timers and queues, filters and slices,
//! the summary, counters that count once, and events with their reasons.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tcp_core::SeqNum;
use tcp_core::connection::{Happening, SendReason, State, Timer};
use tracing_subscriber::fmt::MakeWriter;

use super::peer::*;
use crate::stack::{
    ConnectOptions, ConnectionRow, Cursor, Filter, RunningTimer, SLICE_ROWS, StackConfig,
};

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

impl Rig {
    /// Rows in a state, as of now, gone through in slices.
    fn rows(&self, filter: &Filter) -> Vec<ConnectionRow> {
        let (mut cursor, mut rows) = (Cursor::default(), Vec::new());
        while !cursor.is_at_end() {
            rows.append(&mut self.stack.slice(self.now, filter, &mut cursor));
        }
        rows
    }

    fn row(&self, state: State) -> ConnectionRow {
        let mut rows = self.rows(&Filter::new().state(state));
        assert_eq!(rows.len(), 1, "{rows:?}");
        rows.remove(0)
    }

    fn count(&self, name: &str) -> u64 {
        self.stack.counters().by_name(name).unwrap_or_else(|| panic!("no counter {name}"))
    }

    /// The summary says what the table shows.
    #[track_caller]
    fn assert_summary(&self) {
        let mut shown: HashMap<State, u32> = HashMap::new();
        let rows = self.rows(&Filter::new());
        for row in &rows {
            *shown.entry(row.state).or_default() += 1;
        }
        let summary = self.stack.summary();
        for state in State::ALL.into_iter().filter(|s| *s != State::Closed) {
            assert_eq!(summary.count(state), shown.get(&state).copied().unwrap_or(0), "{state}");
        }
        let orphans = rows.iter().filter(|r| r.orphan).count();
        assert_eq!(summary.orphans as usize, orphans);
    }
}

#[test]
fn a_listener_shows_its_queues() {
    let mut rig = Rig::new();
    let l = rig.listen_with("10.0.0.1:80", 5);
    rig.stack.listener_cell(l).unwrap().set_label(Some("web".into()));
    Peer::connect(&mut rig, "10.0.0.2:4000", "10.0.0.1:80");
    Peer::connect(&mut rig, "10.0.0.2:4001", "10.0.0.1:80");
    Peer::half_open(&mut rig, "10.0.0.2:4002", "10.0.0.1:80");
    let row = rig.row(State::Listen);
    assert_eq!((row.receive_queue, row.send_queue, row.half_open), (2, 5, 1));
    assert_eq!((row.remote, row.label.as_deref()), (None, Some("web")));
    // What it accepts has its label until the application gives another.
    let id = rig.accept(l).unwrap();
    let cell = rig.stack.connection_cell(id).unwrap();
    assert_eq!(cell.label().as_deref(), Some("web"));
    cell.set_label(Some("web/1".into()));
    let labelled = rig.rows(&Filter::new().label("web/1"));
    assert_eq!((labelled.len(), labelled[0].id), (1, Some(id)));
    assert_eq!(rig.rows(&Filter::new().label("web")).len(), 2);
    rig.assert_summary();
}

#[test]
fn a_half_open_record_shows_when_it_answers_again() {
    let mut rig = Rig::new();
    rig.listen("10.0.0.1:80");
    Peer::half_open(&mut rig, "10.0.0.2:4000", "10.0.0.1:80");
    rig.now += ms(400);
    let row = rig.row(State::SynReceived);
    let timer = |left| vec![RunningTimer { timer: Timer::Retransmit, remaining: ms(left) }];
    assert_eq!((row.timers, row.attempts), (timer(600), 0));
    rig.wait(ms(700));
    let row = rig.row(State::SynReceived);
    assert_eq!(row.attempts, 1);
    let left = row.timers[0].remaining;
    // The first fired up to a tick late.
    assert!(left >= ms(1900) && left < ms(1901), "1 s, then 2 s: {left:?}");
    rig.assert_summary();
}

#[test]
fn a_connection_shows_its_queues_and_timers() {
    let mut rig = Rig::new();
    let l = rig.listen("10.0.0.1:80");
    let mut peer = Peer::connect(&mut rig, "10.0.0.2:4000", "10.0.0.1:80");
    let id = rig.accept(l).unwrap();
    peer.send(&mut rig, PSH | ACK, b"question");
    let row = rig.row(State::Established);
    assert_eq!((row.receive_queue, row.send_queue, row.orphan), (8, 0, false));
    assert_eq!(rig.stack.write(rig.now, id, b"answer").unwrap(), 6);
    peer.hear(&mut rig);
    rig.now += ms(50);
    let row = rig.row(State::Established);
    assert_eq!((row.receive_queue, row.send_queue), (8, 6));
    let info = row.info.as_ref().unwrap();
    let left = row.timers.iter().find(|t| t.timer == Timer::Retransmit).unwrap().remaining;
    assert_eq!(left, info.rto - ms(50));
    assert_eq!((info.outstanding, info.since_text_sent), (6, Some(ms(50))));
    assert_eq!(info.since_text_received, Some(ms(50)));
    rig.assert_summary();
}

#[test]
fn orphans_and_time_wait_are_told() {
    let mut rig = Rig::new();
    let l = rig.listen("10.0.0.1:80");
    let mut peer = Peer::connect(&mut rig, "10.0.0.2:4000", "10.0.0.1:80");
    let id = rig.accept(l).unwrap();
    rig.stack.close(rig.now, id);
    assert_eq!(peer.hear(&mut rig).flags, FIN | ACK);
    let row = rig.row(State::FinWait1);
    assert!(row.orphan);
    rig.assert_summary();
    peer.send(&mut rig, ACK, b"");
    rig.silence();
    assert!(rig.row(State::FinWait2).timers.iter().any(|t| t.timer == Timer::FinWait2));
    rig.assert_summary();
    peer.send(&mut rig, FIN | ACK, b"");
    assert_eq!(rig.hear_one().flags, ACK);
    rig.now += ms(20_000);
    let row = rig.row(State::TimeWait);
    let timer = RunningTimer { timer: Timer::TimeWait, remaining: ms(40_000) };
    assert_eq!((row.next_timer(), row.orphan), (Some(timer), false));
    assert_eq!(rig.stack.summary().orphans, 0);
    rig.assert_summary();
    rig.wait(ms(41_000));
    assert_eq!(rig.count("TcpExtTW"), 1);
    assert_eq!((rig.stack.summary().total(), rig.stack.summary().count(State::Listen)), (0, 1));
}

#[test]
fn timers_and_the_memory_of_buffers_are_counted() {
    let mut rig = Rig::new();
    let l = rig.listen("10.0.0.1:80");
    let seen = |rig: &Rig| (rig.stack.summary().timers, rig.stack.summary().memory);
    assert_eq!(seen(&rig), (0, 0));
    let mut peer = Peer::connect(&mut rig, "10.0.0.2:4000", "10.0.0.1:80");
    let id = rig.accept(l).unwrap();
    assert_eq!(rig.stack.write(rig.now, id, b"answer").unwrap(), 6);
    peer.hear(&mut rig);
    let (timers, memory) = seen(&rig);
    assert!(timers == 1 && memory >= 6, "{timers}, {memory}");
    peer.send(&mut rig, RST, b"");
    assert!(rig.stack.read(rig.now, id, &mut [0; 8]).is_err());
    rig.stack.close(rig.now, id);
    rig.silence();
    assert_eq!(seen(&rig), (0, 0));
}

#[test]
fn a_filter_takes_states_ports_and_networks() {
    let mut rig = Rig::new();
    rig.listen("10.0.0.1:80");
    rig.listen("[fd00::1]:443");
    for n in 0..3 {
        Peer::connect(&mut rig, &format!("10.0.0.2:{}", 4000 + n), "10.0.0.1:80");
    }
    Peer::connect(&mut rig, "10.9.0.1:4000", "10.0.0.1:80");
    Peer::half_open(&mut rig, "[fd00::2]:4000", "[fd00::1]:443");
    let all = Filter::new;
    for (filter, rows) in [
        (all(), 7),
        (all().state(State::Established), 4),
        (all().state(State::Established).state(State::Listen), 6),
        (all().port(80), 5),
        (all().port(443).port(4002), 3),
        (all().local_port(80).state(State::Established), 4),
        (all().remote_port(4000), 3),
        (all().remote("10.0.0.0/24".parse().unwrap()), 3),
        (all().remote("fd00::1/64".parse().unwrap()), 1),
        (all().local("fd00::1/64".parse().unwrap()), 2),
        (all().state(State::TimeWait), 0),
    ] {
        assert_eq!(rig.rows(&filter).len(), rows, "{filter:?}");
    }
}

#[test]
fn slices_are_bounded_and_miss_nothing_that_moves_on() {
    const MANY: u16 = 3 * SLICE_ROWS as u16;
    let mut rig = Rig::with(StackConfig { somaxconn: 4096, ..config() });
    rig.listen_with("10.0.0.1:80", 4096);
    let mut peers: Vec<Peer> = (0..MANY)
        .map(|n| Peer::half_open(&mut rig, &format!("10.0.0.2:{}", 10_000 + n), "10.0.0.1:80"))
        .collect();
    let (mut cursor, filter) = (Cursor::default(), Filter::new());
    let mut seen: HashMap<u16, State> = HashMap::new();
    let mut slices = 0;
    while !cursor.is_at_end() {
        let rows = rig.stack.slice(rig.now, &filter, &mut cursor);
        assert!(rows.len() <= SLICE_ROWS);
        slices += 1;
        seen.extend(rows.iter().filter_map(|r| Some((r.remote?.port, r.state))));
        // While the table is read, handshakes end at both of its ends.
        for _ in 0..100 {
            if let Some(mut p) = (slices % 2 == 0).then(|| peers.pop()).flatten() {
                p.send(&mut rig, ACK, b"");
            }
            if let Some(mut p) = (!peers.is_empty()).then(|| peers.remove(0)) {
                p.send(&mut rig, ACK, b"");
            }
        }
        rig.silence();
    }
    assert_eq!(seen.len(), usize::from(MANY));
    assert!(slices >= 4, "{slices}");
    assert!(seen.values().any(|s| *s == State::Established));
    rig.assert_summary();
}

#[test]
fn opens_failures_and_resets_count_once() {
    let mut rig = Rig::new();
    let l = rig.listen("10.0.0.1:80");
    // A client that nobody answers is refused.
    rig.stack.connect(rig.now, at("10.0.0.2:99"), ConnectOptions::default()).unwrap();
    let first = rig.hear_one();
    rig.say(first.dst, first.src, segment(RST | ACK, SeqNum(0), first.seq + 1));
    rig.silence();
    // One that is answered.
    rig.stack.connect(rig.now, at("10.0.0.2:98"), ConnectOptions::default()).unwrap();
    let mut server = Peer::answer(&mut rig);
    // One that a peer resets.
    let mut peer = Peer::connect(&mut rig, "10.0.0.2:4000", "10.0.0.1:80");
    rig.accept(l).unwrap();
    peer.send(&mut rig, RST, b"");
    rig.silence();
    server.send(&mut rig, RST, b"");
    rig.silence();
    // A request that its peer takes back.
    let mut taken_back = Peer::half_open(&mut rig, "10.0.0.2:4001", "10.0.0.1:80");
    taken_back.send(&mut rig, RST, b"");
    // A segment for nobody.
    rig.say(at("10.0.0.2:5"), at("10.0.0.1:6"), segment(ACK, IRS, IRS));
    assert_eq!(rig.hear_one().flags, RST);
    for (name, times) in [
        ("TcpActiveOpens", 2),
        ("TcpPassiveOpens", 1),
        ("TcpAttemptFails", 2),
        ("TcpEstabResets", 2),
        ("TcpExtEmbryonicRsts", 1),
        ("TcpOutRsts", 1),
        ("StackPacketDropNoConnection", 1),
        // RST+ACK; SYN-ACK, RST; SYN, ACK, RST; SYN, RST; ACK.
        ("TcpInSegs", 9),
        // SYN; SYN, ACK; SYN-ACK; SYN-ACK; RST.
        ("TcpOutSegs", 6),
        ("TcpRetransSegs", 0),
        ("TcpInErrs", 0),
    ] {
        assert_eq!(rig.count(name), times, "{name}");
    }
    assert_eq!(rig.stack.summary().established(), 0);
    rig.assert_summary();
}

#[test]
fn an_abort_of_ours_is_a_reset_sent_and_an_established_reset() {
    let mut rig = Rig::new();
    let l = rig.listen("10.0.0.1:80");
    Peer::connect(&mut rig, "10.0.0.2:4000", "10.0.0.1:80");
    let id = rig.accept(l).unwrap();
    rig.stack.abort(id);
    assert_eq!(rig.hear_one().flags, RST | ACK);
    assert_eq!((rig.count("TcpOutRsts"), rig.count("TcpEstabResets")), (1, 1));
    assert_eq!(rig.records(), (0, 0, 0));
    rig.assert_summary();
}

#[test]
fn an_orderly_end_is_no_reset() {
    let mut rig = Rig::new();
    let l = rig.listen("10.0.0.1:80");
    let mut peer = Peer::connect(&mut rig, "10.0.0.2:4000", "10.0.0.1:80");
    let id = rig.accept(l).unwrap();
    peer.send(&mut rig, FIN | ACK, b"");
    peer.hear(&mut rig);
    assert_eq!(rig.stack.summary().established(), 1, "CLOSE-WAIT counts");
    rig.stack.close(rig.now, id);
    assert_eq!(peer.hear(&mut rig).flags, FIN | ACK);
    peer.send(&mut rig, ACK, b"");
    rig.silence();
    assert_eq!((rig.count("TcpEstabResets"), rig.count("TcpAttemptFails")), (0, 0));
    assert_eq!(rig.records(), (0, 0, 0));
    rig.assert_summary();
}

#[test]
fn retransmissions_and_timeouts_count_once() {
    let mut rig = Rig::new();
    let l = rig.listen("10.0.0.1:80");
    let mut peer = Peer::connect(&mut rig, "10.0.0.2:4000", "10.0.0.1:80");
    let id = rig.accept(l).unwrap();
    rig.stack.write(rig.now, id, &[7; 3000]).unwrap();
    let sent = rig.hear().len() as u64;
    assert_eq!(rig.stack.counters().sends(SendReason::Text), sent);
    let rto = rig.stack.info(id).unwrap().rto;
    assert_eq!(rig.wait(rto + ms(10)).len(), 1);
    for (name, times) in [
        ("TcpRetransSegs", 1),
        ("TcpExtTCPTimeouts", 1),
        ("TcpExtTCPSlowStartRetrans", 1),
        ("TcpExtTCPFastRetrans", 0),
        ("TcpOutSegs", 1 + sent),
    ] {
        assert_eq!(rig.count(name), times, "{name}");
    }
    peer.send(&mut rig, ACK, b"x");
    rig.wait(ms(100));
    assert_eq!(rig.stack.counters().happenings(Happening::DelayedAck), 1);
}

/// Collects what a subscriber writes.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Log;
    fn make_writer(&'a self) -> Log {
        self.clone()
    }
}

fn logged(level: tracing::Level, act: impl Fn()) -> Vec<String> {
    // With a single subscriber in the process, an event that another test meets for the first time would be
    // taken as wanted by nobody: its thread is asked, which has none.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(false)
        .without_time()
        .with_writer(log.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, act);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// A handshake, text and its retransmission, a reset; a packet for nobody.
fn a_short_life() {
    let mut rig = Rig::new();
    let l = rig.listen("10.0.0.1:80");
    let mut peer = Peer::connect(&mut rig, "10.0.0.2:4000", "10.0.0.1:80");
    let id = rig.accept(l).unwrap();
    rig.stack.write(rig.now, id, b"text").unwrap();
    rig.wait(ms(1100));
    peer.send(&mut rig, FIN | ACK, b"");
    rig.hear();
    peer.send(&mut rig, RST, b"");
    rig.silence();
    rig.put(&[0x45; 10]);
}

#[track_caller]
fn has(log: &[String], parts: &[&str]) {
    let found = log.iter().any(|line| parts.iter().all(|p| line.contains(p)));
    assert!(found, "no line with {parts:?} in {log:#?}");
}

#[test]
fn events_tell_states_with_their_reasons() {
    let log = logged(tracing::Level::DEBUG, a_short_life);
    let ends = ["local=10.0.0.1:80", "remote=10.0.0.2:4000"];
    has(&log, &["connection requested", ends[0], ends[1]]);
    has(&log, &["connection accepted", "conn=0."]);
    has(&log, &["deadline reached", "timer=\"retransmit\""]);
    has(&log, &["retransmitted", "reason=\"Retransmission\"", "octets=4"]);
    has(&log, &["state changed", "from=\"ESTABLISHED\" to=\"CLOSE-WAIT\"", "cause=segment"]);
    has(&log, &["state changed", "from=\"CLOSE-WAIT\" to=\"CLOSED\"", "end=Reset"]);
    assert!(!log.iter().any(|l| l.contains("TRACE")), "{log:#?}");
}

#[test]
fn at_trace_level_every_send_and_drop_has_its_reason() {
    let log = logged(tracing::Level::TRACE, a_short_life);
    has(&log, &["sent", "reason=\"Text\"", "octets=4", "seq="]);
    has(&log, &["sent", "reason=\"Ack\""]);
    has(&log, &["packet dropped", "reason=\"Malformed\"", "octets=10"]);
}

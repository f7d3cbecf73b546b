//! How does `netstat` show what it got? Columns as those of `ss`, values as people read them.

use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};
use tcp_async::State;
use tcp_async::status::{CounterValue, Details, Row, Summary};

/// The states that `ss` shows unless told otherwise: connections, neither waiting for one nor
/// over.
pub(crate) fn connected() -> Vec<String> {
    let hidden = |s: &State| matches!(s, State::Listen | State::TimeWait | State::Closed);
    let shown = State::ALL.iter().filter(|s| !hidden(s) && **s != State::SynReceived);
    shown.map(|s| s.name().to_owned()).collect()
}

/// A state by the name of the RFC or of `ss`, or one of `ss`'s groups.
pub(crate) fn states(text: &str) -> Result<Vec<String>, String> {
    let text = text.to_ascii_lowercase().replace('_', "-");
    let group: &[State] = match text.as_str() {
        "all" => &State::ALL,
        "connected" | "synchronized" => return Ok(connected()),
        "estab" => &[State::Established],
        "syn-recv" => &[State::SynReceived],
        "listening" => &[State::Listen],
        "bucket" => &[State::SynReceived, State::TimeWait],
        name => {
            let known = State::ALL.iter().find(|s| s.name().eq_ignore_ascii_case(name));
            let names = || State::ALL.map(State::name).join(", ").to_ascii_lowercase();
            let known = known.ok_or_else(|| format!("the states are {}", names()))?;
            return Ok(vec![known.name().to_owned()]);
        }
    };
    Ok(group.iter().map(|s| s.name().to_owned()).collect())
}

/// A period of at least a tenth of a second.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a number of seconds from 0.1 to 86400");
    let seconds: f64 = text.parse().map_err(|_| wrong())?;
    if (0.1..=86_400.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(wrong())
    }
}

fn table(header: &[&str], right: &[usize]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    for column in right {
        if let Some(c) = table.column_mut(*column) {
            c.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Lines without the blanks that fill the last column.
fn finish(table: &Table) -> String {
    table.lines().map(|l| l.trim_end().to_owned() + "\n").collect()
}

pub(crate) fn connections(rows: &[Row], info: bool) -> String {
    let header =
        ["State", "Recv-Q", "Send-Q", "Local Address:Port", "Peer Address:Port", "Timer", "Label"];
    let mut table = table(&header, &[1, 2]);
    let mut rows: Vec<&Row> = rows.iter().collect();
    rows.sort_by_key(|r| (r.remote.is_some(), r.local, r.remote));
    for r in &rows {
        table.add_row([
            r.state.clone(),
            r.receive_queue.to_string(),
            r.send_queue.to_string(),
            r.local.to_string(),
            r.remote.map_or_else(|| "*".to_owned(), |a| a.to_string()),
            timer(r),
            label(r),
        ]);
    }
    let mut lines = finish(&table).lines().map(str::to_owned).collect::<Vec<_>>();
    if info {
        for (i, r) in rows.iter().enumerate().rev() {
            if let Some(d) = &r.details {
                lines.insert(i + 2, details(d));
            }
        }
    }
    lines.join("\n") + "\n"
}

/// The timer that runs out first, as `name,time left,attempts`. One that only tidies up stands
/// back behind those of the protocol.
fn timer(r: &Row) -> String {
    match r.timers.iter().min_by_key(|t| t.name == "trim") {
        Some(t) => format!("{},{},{}", t.name, span(t.remaining_ms), r.attempts),
        None => "-".to_owned(),
    }
}

fn label(r: &Row) -> String {
    let label = r.label.clone().unwrap_or_default();
    match r.orphan {
        true if label.is_empty() => "(orphan)".to_owned(),
        true => format!("{label} (orphan)"),
        false => label,
    }
}

/// The line that `ss -i` prints, in its order, with octets where it counts segments.
fn details(d: &Details) -> String {
    let mut words = vec![d.congestion.clone()];
    words.extend(d.timestamps.then(|| "ts".to_owned()));
    words.extend(d.sack.then(|| "sack".to_owned()));
    words.extend(d.window_scale.map(|(theirs, ours)| format!("wscale:{theirs},{ours}")));
    words.push(format!("rto:{}", span(d.rto_ms)));
    words.extend((d.backoff > 0).then(|| format!("backoff:{}", d.backoff)));
    words.push(format!("rtt:{}/{}", span(d.rtt_ms), span(d.rtt_variation_ms)));
    words.push(format!("minrtt:{}", span(d.min_rtt_ms)));
    words.push(format!("mss:{}", d.send_mss));
    words.push(format!("pmtu:{}", d.path_mtu));
    words.push(format!("rcvmss:{}", d.receive_mss));
    words.push(format!("advmss:{}", d.advertised_mss));
    words.push(format!("cwnd:{}", d.congestion_window));
    words.extend(d.slow_start_threshold.map(|t| format!("ssthresh:{t}")));
    for (name, value) in [
        ("bytes_sent", d.octets_sent),
        ("bytes_retrans", d.octets_retransmitted),
        ("bytes_acked", d.octets_acked),
        ("bytes_received", d.octets_in),
        ("segs_out", d.segments_out),
        ("segs_in", d.segments_in),
        ("retrans", d.segments_retransmitted),
        ("timeouts", d.timeouts),
        ("dsack_dups", d.dsacks),
        ("reord_seen", d.reorderings),
        ("unacked", d.outstanding.into()),
        ("notsent", d.not_sent.into()),
        ("sacked", d.sacked.into()),
        ("lost", d.lost.into()),
        ("snd_wnd", d.send_window.into()),
        ("rcv_wnd", d.receive_window.into()),
    ] {
        let always = name.ends_with("_wnd") || name.starts_with("segs");
        words.extend((value > 0 || always).then(|| format!("{name}:{value}")));
    }
    words.extend((d.delivery_rate > 0).then(|| format!("delivery_rate:{}", bits(d.delivery_rate))));
    words.extend(d.since_text_sent_ms.map(|t| format!("lastsnd:{}", span(t))));
    words.extend(d.since_text_received_ms.map(|t| format!("lastrcv:{}", span(t))));
    words.push(format!("lastack:{}", span(d.since_ack_received_ms)));
    words.extend((d.busy_ms > 0.0).then(|| format!("busy:{}", span(d.busy_ms))));
    for (name, part) in [
        ("rwnd_limited", d.receive_window_limited_ms),
        ("sndbuf_limited", d.send_buffer_limited_ms),
        ("cwnd_limited", d.congestion_window_limited_ms),
    ] {
        let percent = if d.busy_ms > 0.0 { part / d.busy_ms * 100.0 } else { 0.0 };
        words.extend((part > 0.0).then(|| format!("{name}:{}({percent:.1}%)", span(part))));
    }
    format!("    {}", words.join(" "))
}

/// Milliseconds as people write them.
fn span(ms: f64) -> String {
    match ms {
        ms if ms <= 0.0 => "0".to_owned(),
        ms if ms < 1.0 => format!("{:.0}us", ms * 1_000.0),
        ms if ms < 100.0 => format!("{ms:.1}ms"),
        ms if ms < 1_000.0 => format!("{ms:.0}ms"),
        ms if ms < 60_000.0 => format!("{:.1}s", ms / 1_000.0),
        ms => format!("{:.0}min", ms / 60_000.0),
    }
}

/// Octets a second as bits a second.
fn bits(octets: u64) -> String {
    let bits = octets as f64 * 8.0;
    match bits {
        b if b < 1e3 => format!("{b:.0}bps"),
        b if b < 1e6 => format!("{:.1}kbps", b / 1e3),
        b if b < 1e9 => format!("{:.1}Mbps", b / 1e6),
        b => format!("{:.2}Gbps", b / 1e9),
    }
}

pub(crate) fn counters(all: &[CounterValue], before: &[CounterValue], verbose: bool) -> String {
    let watched = !before.is_empty();
    let mut header = vec!["Counter", "Value"];
    header.extend(watched.then_some("Change"));
    header.extend(verbose.then_some("Meaning"));
    let right: &[usize] = if watched { &[1, 2] } else { &[1] };
    let mut table = table(&header, right);
    for c in all.iter().filter(|c| verbose || c.value > 0) {
        let mut row = vec![c.name.clone(), c.value.to_string()];
        if watched {
            let was = before.iter().find(|b| b.name == c.name).map_or(0, |b| b.value);
            let change = c.value.saturating_sub(was);
            row.push(if change > 0 { format!("+{change}") } else { String::new() });
        }
        row.extend(verbose.then(|| c.meaning.clone()));
        table.add_row(row);
    }
    finish(&table)
}

pub(crate) fn summary(s: &Summary) -> String {
    let count =
        |state: State| s.states.iter().find(|c| c.state == state.name()).map_or(0, |c| c.count);
    let listeners = count(State::Listen);
    let total: u32 = s.states.iter().map(|c| c.count).sum::<u32>() - listeners;
    let line = format!(
        "TCP: {total} (estab {}, closed {}, orphaned {}, timewait {}), {listeners} listening\n\n",
        count(State::Established),
        count(State::Closed) + count(State::TimeWait),
        s.orphans,
        count(State::TimeWait)
    );
    let mut table = table(&["State", "Count"], &[1]);
    for c in s.states.iter().filter(|c| c.count > 0) {
        table.add_row([c.state.clone(), c.count.to_string()]);
    }
    line + &finish(&table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_known_by_their_names_and_groups() {
        assert_eq!(states("time_wait").unwrap(), ["TIME-WAIT"]);
        assert_eq!(states("ESTAB").unwrap(), ["ESTABLISHED"]);
        assert_eq!(states("connected").unwrap().len(), 7);
        assert!(states("open").unwrap_err().contains("close-wait"));
    }

    #[test]
    fn spans_and_rates_are_short() {
        let spans = [0.0, 0.25, 12.34, 250.0, 1_500.0, 7_200_000.0].map(span);
        assert_eq!(spans, ["0", "250us", "12.3ms", "250ms", "1.5s", "120min"]);
        assert_eq!([100, 1_000_000, 1_250_000_000].map(bits), ["800bps", "8.0Mbps", "10.00Gbps"]);
        assert!(seconds("0").is_err() && seconds("NaN").is_err() && seconds("1e9").is_err());
    }
}

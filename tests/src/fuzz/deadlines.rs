//! Does a connection that waits, wait for something? What every connection with work left must
//! have set once it has sent all that it may now; what is done at a deadline is the core's
//! (RFC 9293 3.8.1, 3.8.3, 3.8.6.1; RFC 6298 5.1).

use tcp_core::connection::{Info, State, Timer};

/// Checks a connection that has been drained.
///
/// # Errors
/// What it would wait for in vain.
pub(crate) fn check(info: &Info, timers: impl Iterator<Item = Timer>) -> Result<(), String> {
    let set: Vec<Timer> = timers.collect();
    let any = |wanted: &[Timer]| wanted.iter().any(|t| set.contains(t));
    let delivers = any(&[Timer::Retransmit, Timer::Probe, Timer::Cork]);
    let wrong = match info.state {
        State::Closed if !set.is_empty() => "it has ended and a deadline is set",
        State::Closed | State::Listen => return Ok(()),
        State::SynSent | State::SynReceived if !any(&[Timer::Retransmit]) => {
            "nobody repeats its SYN"
        }
        State::TimeWait if !any(&[Timer::TimeWait]) => "its quiet time has no end",
        State::TimeWait => return Ok(()),
        _ if info.outstanding > 0 && !any(&[Timer::Retransmit]) => "nobody repeats what it sent",
        _ if info.send_queue > 0 && !delivers => "nobody sends what was written",
        State::FinWait1 | State::Closing | State::LastAck if !delivers => "nobody sends its FIN",
        State::FinWait2 if info.orphan && !any(&[Timer::FinWait2]) => {
            "nobody holds it and it waits for a FIN for ever"
        }
        _ => return Ok(()),
    };
    Err(format!("{wrong}, deadlines: {set:?}: {info:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::Arc;

    use tcp_core::buffer::Payload;
    use tcp_core::config::TcpConfig;
    use tcp_core::connection::{Connection, Limits, OpenParams};
    use tcp_core::{Endpoint, Instant, SeqNum, Tuple};

    fn open() -> (Info, Timer) {
        let at = |n| Endpoint::new(std::net::Ipv4Addr::new(10, 0, 0, n).into(), 80);
        let tuple = Tuple { local: at(1), remote: at(2) };
        let open = OpenParams { tuple, isn: SeqNum(1), timestamp_offset: 0, mtu: 1500 };
        let now = Instant::from_millis(1);
        let mut c = Connection::connect(now, open, Arc::new(TcpConfig::default()));
        let syn = c.poll_transmit(now, &Limits::default(), &mut Payload::new());
        assert!(syn.is_some());
        (c.info(), c.poll_timeout().expect("the retransmission's").timer)
    }

    // A check that can't fail finds nothing.
    #[test]
    fn what_is_left_to_do_has_a_deadline() {
        use State::*;
        let (syn_sent, timer) = open();
        assert_eq!(check(&syn_sent, [timer].into_iter()), Ok(()));
        let none = || [].into_iter();
        assert!(check(&syn_sent, none()).is_err());
        let idle = Info { state: Established, outstanding: 0, send_queue: 0, ..syn_sent };
        assert_eq!(check(&idle, none()), Ok(()));
        for bad in [
            Info { outstanding: 1, ..idle },
            Info { send_queue: 1, ..idle },
            Info { state: FinWait1, ..idle },
            Info { state: LastAck, ..idle },
            Info { state: FinWait2, orphan: true, ..idle },
            Info { state: TimeWait, ..idle },
        ] {
            assert!(check(&bad, none()).is_err(), "{bad:?}");
            assert!(check(&bad, [Timer::Trim].into_iter()).is_err(), "{bad:?}");
        }
        let ended = Info { state: Closed, ..idle };
        assert_eq!(check(&ended, none()), Ok(()));
        assert!(check(&ended, [Timer::Keepalive].into_iter()).is_err());
        let held = Info { state: FinWait2, orphan: false, ..idle };
        assert_eq!(check(&held, none()), Ok(()));
    }
}

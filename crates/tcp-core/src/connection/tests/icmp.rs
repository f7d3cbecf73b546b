//! What does a connection believe of ICMP? (RFC 9293 3.9.2.2, RFC 5927, RFC 1191)

use super::super::{Events, State};
use super::wire::{Peer, RTT, Wire};
use crate::config::TcpConfig;
use crate::error::{End, IcmpError, Unreachable};

const SOFT: [Unreachable; 5] = [
    Unreachable::Network,
    Unreachable::Host,
    Unreachable::Prohibited,
    Unreachable::TimeExceeded,
    Unreachable::ParameterProblem,
];
const HARD: [Unreachable; 2] = [Unreachable::Protocol, Unreachable::Port];

// MUST-54, RFC 5927 4.1: only what quotes a segment in flight is believed.
#[test]
fn the_quoted_number_must_be_in_flight() {
    let mut w = Wire::new();
    let error = IcmpError::Unreachable(Unreachable::Port);
    assert!(!w.icmp(0, error), "nothing is in flight");
    w.write(3000);
    w.sends();
    w.ack(1000);
    for (offset, believed) in [(999, false), (1000, true), (2999, true), (3000, false)] {
        assert_eq!(w.icmp(offset, error), believed, "{offset}");
    }
    assert!(!w.icmp(1 << 31, IcmpError::TooBig { mtu: 600 }));
    assert_eq!(w.conn.info().send_mss, 1000);
}

// MUST-56, SHLD-25, RFC 5927 5.2: nothing ends a synchronized connection.
#[test]
fn no_error_ends_an_established_connection() {
    for u in SOFT.into_iter().chain(HARD) {
        let mut w = Wire::new();
        w.write(10);
        w.sends();
        w.conn.take_events();
        assert!(w.icmp(0, IcmpError::Unreachable(u)));
        assert_eq!(w.conn.state(), State::Established);
        assert_eq!(w.conn.take_events(), Events::SOFT_ERROR);
        assert_eq!(w.conn.take_soft_error(), Some(u));
        assert_eq!(w.conn.take_soft_error(), None);
    }
}

// SHLD-20
#[test]
fn reports_can_be_switched_off() {
    let mut w = Wire::new();
    w.set(|o| o.report_soft_errors = false);
    w.write(10);
    w.sends();
    w.conn.take_events();
    assert!(w.icmp(0, IcmpError::Unreachable(Unreachable::Host)));
    assert_eq!(w.conn.take_events(), Events::NONE);
}

// SHLD-26
#[test]
fn a_hard_error_refuses_an_open() {
    for u in HARD {
        let mut w = Wire::dial(Peer::default(), TcpConfig::default());
        assert!(w.icmp(u32::MAX, IcmpError::Unreachable(u)));
        assert_eq!(w.end(), Some(End::Refused));
    }
}

// MUST-56
#[test]
fn a_soft_error_leaves_an_open_alone_if_so_configured() {
    for u in SOFT {
        let config = TcpConfig { soft_errors_end_connect: false, ..TcpConfig::default() };
        let mut w = Wire::dial(Peer::default(), config);
        assert!(w.icmp(u32::MAX, IcmpError::Unreachable(u)));
        assert_eq!((w.conn.state(), w.conn.take_soft_error()), (State::SynSent, Some(u)));
        w.now += RTT;
        w.answer_syn();
        assert_eq!(w.conn.state(), State::Established);
    }
}

// RFC 5461 4.1: the default ends an open at once, as Linux does.
#[test]
fn a_soft_error_ends_an_open_by_default() {
    let mut w = Wire::dial(Peer::default(), TcpConfig::default());
    w.icmp(u32::MAX, IcmpError::Unreachable(Unreachable::Host));
    assert_eq!(w.end(), Some(End::Unreachable(Unreachable::Host)));
}

#[test]
fn what_has_ended_believes_nothing_and_sets_no_timer() {
    let mut w = Wire::new();
    w.write(3000);
    w.sends();
    w.conn.abort();
    w.sends();
    for error in [IcmpError::TooBig { mtu: 600 }, IcmpError::Unreachable(Unreachable::Host)] {
        assert!(!w.icmp(0, error));
    }
    assert_eq!(w.conn.poll_timeout(), None);
}

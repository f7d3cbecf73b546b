//! Where in its life is a connection? Four phases and the small value that makes the closing
//! states, so that impossible mixtures can't be written (RFC 9293 3.3.2, 3.6).

use crate::error::End;

/// The states of RFC 9293 3.3.2.
///
/// ```
/// use tcp_core::connection::State;
///
/// // In the order of a life, so that they can be compared.
/// assert!(State::SynSent < State::Established && State::Established < State::TimeWait);
/// assert_eq!(State::CloseWait.to_string(), "CLOSE-WAIT");
/// assert_eq!(State::ALL.len(), 11);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub enum State {
    /// Waits for a connection request.
    Listen,
    /// A SYN was sent, no answer yet.
    SynSent,
    /// A SYN was received and sent, its ACK is missing.
    SynReceived,
    /// Open.
    Established,
    /// We closed first; our FIN is not acknowledged.
    FinWait1,
    /// We closed first; our FIN is acknowledged, the peer's is missing.
    FinWait2,
    /// The peer closed first; our side is open.
    CloseWait,
    /// Both closed at once; our FIN is not acknowledged.
    Closing,
    /// The peer closed first, then we; our FIN is not acknowledged.
    LastAck,
    /// Both closed; 2MSL of quiet time run.
    TimeWait,
    /// There is no connection.
    Closed,
}

impl State {
    /// All states, in the order of RFC 9293 3.3.2.
    pub const ALL: [State; 11] = [
        State::Listen,
        State::SynSent,
        State::SynReceived,
        State::Established,
        State::FinWait1,
        State::FinWait2,
        State::CloseWait,
        State::Closing,
        State::LastAck,
        State::TimeWait,
        State::Closed,
    ];

    /// The name as `ss` and the RFC print it.
    ///
    /// ```
    /// # use tcp_core::connection::State;
    /// assert_eq!(State::FinWait1.name(), "FIN-WAIT-1");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            State::Listen => "LISTEN",
            State::SynSent => "SYN-SENT",
            State::SynReceived => "SYN-RECEIVED",
            State::Established => "ESTABLISHED",
            State::FinWait1 => "FIN-WAIT-1",
            State::FinWait2 => "FIN-WAIT-2",
            State::CloseWait => "CLOSE-WAIT",
            State::Closing => "CLOSING",
            State::LastAck => "LAST-ACK",
            State::TimeWait => "TIME-WAIT",
            State::Closed => "CLOSED",
        }
    }
}

impl core::fmt::Display for State {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.name())
    }
}

/// How far the two directions are closed, in a synchronized state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub(crate) enum Teardown {
    /// Neither side has closed.
    Open,
    /// We closed first.
    WeFirst {
        /// Our FIN is acknowledged.
        acked: bool,
        /// The peer's FIN has come.
        theirs: bool,
    },
    /// The peer closed first.
    TheyFirst {
        /// The application has closed too: our FIN is queued or sent.
        ours: bool,
    },
}

/// What a step of the tear-down leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// The connection goes on.
    Continue,
    /// It has entered TIME-WAIT.
    TimeWait,
    /// It is over.
    Closed,
}

impl Teardown {
    /// The application closed its direction.
    pub(crate) fn on_close(&mut self) {
        match self {
            Teardown::Open => *self = Teardown::WeFirst { acked: false, theirs: false },
            Teardown::TheyFirst { ours } => *ours = true,
            Teardown::WeFirst { .. } => {}
        }
    }

    /// Our FIN was acknowledged.
    pub(crate) fn on_fin_acked(&mut self) -> Step {
        match self {
            Teardown::WeFirst { acked, theirs } => {
                *acked = true;
                if *theirs { Step::TimeWait } else { Step::Continue }
            }
            Teardown::TheyFirst { ours: true } => Step::Closed,
            Teardown::Open | Teardown::TheyFirst { ours: false } => Step::Continue,
        }
    }

    /// The peer's FIN came in order.
    pub(crate) fn on_peer_fin(&mut self) -> Step {
        match self {
            Teardown::Open => {
                *self = Teardown::TheyFirst { ours: false };
                Step::Continue
            }
            Teardown::WeFirst { acked, theirs } => {
                *theirs = true;
                if *acked { Step::TimeWait } else { Step::Continue }
            }
            Teardown::TheyFirst { .. } => Step::Continue,
        }
    }

    /// Whether text from the peer is still expected.
    pub(crate) const fn peer_may_send(self) -> bool {
        matches!(self, Teardown::Open | Teardown::WeFirst { theirs: false, .. })
    }

    /// Whether the application may still write.
    pub(crate) const fn may_write(self) -> bool {
        matches!(self, Teardown::Open | Teardown::TheyFirst { ours: false })
    }

    pub(crate) const fn state(self) -> State {
        match self {
            Teardown::Open => State::Established,
            Teardown::WeFirst { acked: false, theirs: false } => State::FinWait1,
            Teardown::WeFirst { acked: true, theirs: false } => State::FinWait2,
            Teardown::WeFirst { acked: false, theirs: true } => State::Closing,
            Teardown::WeFirst { acked: true, theirs: true } => State::TimeWait,
            Teardown::TheyFirst { ours: false } => State::CloseWait,
            Teardown::TheyFirst { ours: true } => State::LastAck,
        }
    }
}

/// The life of a connection. A passive open is not here: it is a half-open record until its last
/// ACK, so `SynReceived` means a simultaneous open.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub(crate) enum Phase {
    /// An active open has sent its SYN, or is about to.
    SynSent,
    /// Simultaneous open (MUST-10): both SYNs are out.
    SynReceived,
    /// Both sequence numbers are known.
    Synchronized(Teardown),
    /// It is over, for this reason.
    Ended(End),
}

impl Phase {
    pub(crate) const fn state(self) -> State {
        match self {
            Phase::SynSent => State::SynSent,
            Phase::SynReceived => State::SynReceived,
            Phase::Synchronized(t) => t.state(),
            Phase::Ended(_) => State::Closed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn we_close_first() {
        let mut t = Teardown::Open;
        t.on_close();
        assert_eq!(t.state(), State::FinWait1);
        assert_eq!(t.on_fin_acked(), Step::Continue);
        assert_eq!(t.state(), State::FinWait2);
        assert_eq!(t.on_peer_fin(), Step::TimeWait);
        assert_eq!(t.state(), State::TimeWait);
    }

    #[test]
    fn they_close_first() {
        let mut t = Teardown::Open;
        assert_eq!(t.on_peer_fin(), Step::Continue);
        assert_eq!(t.state(), State::CloseWait);
        assert!(t.may_write() && !t.peer_may_send());
        t.on_close();
        assert_eq!(t.state(), State::LastAck);
        assert_eq!(t.on_fin_acked(), Step::Closed);
    }

    #[test]
    fn both_close_at_once() {
        let mut t = Teardown::Open;
        t.on_close();
        assert_eq!(t.on_peer_fin(), Step::Continue);
        assert_eq!(t.state(), State::Closing);
        assert_eq!(t.on_fin_acked(), Step::TimeWait);
    }
}

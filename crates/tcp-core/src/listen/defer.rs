//! How long is a connection without text kept from the application? `TCP_DEFER_ACCEPT`: its
//! seconds become deadlines of the half-open record, as on Linux. No RFC.

use core::time::Duration;

use crate::config::TcpConfig;

/// How many deadlines of a record pass within [`TcpConfig::defer_accept`]; 0 if it is off. The
/// time is rounded up to the next deadline: 1, 3, 7, 15 ... s.
pub(super) fn deadlines(config: &TcpConfig) -> u32 {
    let Some(wanted) = config.defer_accept.filter(|d| !d.is_zero()) else { return 0 };
    let mut wait = config.rto_initial.max(Duration::from_millis(1));
    let mut at = wait;
    let mut passed = 1;
    while at < wanted && passed < 255 {
        wait = wait.saturating_mul(2).min(config.rto_max.max(wait));
        at = at.saturating_add(wait);
        passed += 1;
    }
    passed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_rounded_up_to_the_deadlines_of_the_record() {
        let mut c = TcpConfig::default();
        assert_eq!(deadlines(&c), 0);
        // What `getsockopt` of Linux gives back for the same numbers: 1, 3, 3, 7, 7, 15, 63.
        for (secs, expected) in [(0, 0), (1, 1), (2, 2), (3, 2), (4, 3), (7, 3), (8, 4), (60, 6)] {
            c.defer_accept = Some(Duration::from_secs(secs));
            assert_eq!(deadlines(&c), expected, "{secs} s");
        }
        c.defer_accept = Some(Duration::MAX);
        assert_eq!(deadlines(&c), 255);
    }
}

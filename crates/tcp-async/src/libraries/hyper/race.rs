//! Which address of a name is used? The first that accepts, by trying them one after another with
//! a head start for each (RFC 8305 4 and 5, "Happy Eyeballs").

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::timeout;

/// A connection was not to be had: at which address, if it failed at one, and why.
pub(super) type Failure = (Option<SocketAddr>, io::Error);

/// Connects to the first of `addrs` that accepts. The next one is tried beside the others when an
/// attempt fails or the last one has had its head start; without a head start, each when the one
/// before has failed. The attempts that lose are dropped.
pub(super) async fn race<T, F: Future<Output = io::Result<T>>>(
    addrs: &[SocketAddr],
    head_start: Option<Duration>,
    attempt: impl Fn(SocketAddr) -> F,
) -> Result<T, Failure> {
    let addrs = if head_start.is_some() { alternating(addrs) } else { addrs.to_vec() };
    let mut left = addrs.into_iter();
    let mut running = FuturesUnordered::new();
    let mut last = (None, io::Error::new(io::ErrorKind::InvalidInput, "there is no address"));
    loop {
        if let Some(addr) = left.next() {
            let attempt = attempt(addr);
            running.push(async move { (addr, attempt.await) });
        }
        let more = !left.as_slice().is_empty();
        let ended = match head_start.filter(|_| more) {
            Some(time) => timeout(time, running.next()).await,
            None => Ok(running.next().await),
        };
        match ended {
            Err(_head_start_is_over) => {}
            Ok(Some((_, Ok(connection)))) => return Ok(connection),
            Ok(Some((addr, Err(e)))) => last = (Some(addr), e),
            Ok(None) => return Err(last),
        }
    }
}

/// The families in turn, beginning with the resolver's favourite; within a family the resolver's
/// order (RFC 8305 4, with a First Address Family Count of 1).
fn alternating(addrs: &[SocketAddr]) -> Vec<SocketAddr> {
    let Some(first) = addrs.first() else { return Vec::new() };
    let (favourites, others): (Vec<_>, Vec<_>) =
        addrs.iter().copied().partition(|a| a.is_ipv4() == first.is_ipv4());
    let (mut favourites, mut others) = (favourites.into_iter(), others.into_iter());
    let mut all = Vec::with_capacity(addrs.len());
    while all.len() < addrs.len() {
        all.extend(favourites.next());
        all.extend(others.next());
    }
    all
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::time::{Instant, sleep};

    use super::*;

    const HEAD_START: Duration = Duration::from_millis(300);

    fn addr(text: &str) -> SocketAddr {
        SocketAddr::new(text.parse().unwrap(), 80)
    }

    /// What an address does when it is tried.
    #[derive(Clone, Copy)]
    enum Does {
        Accept(u64),
        Refuse(u64),
        Nothing,
    }

    /// Races in virtual time; returns the outcome and when each address was tried, in ms.
    fn raced(
        plan: &[(&str, Does)],
        head_start: Option<Duration>,
    ) -> (Result<SocketAddr, Failure>, Vec<(String, u64)>, u64) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let (begin, tried) = (Instant::now(), Mutex::new(Vec::new()));
            let now = || u64::try_from(begin.elapsed().as_millis()).unwrap();
            let addrs: Vec<_> = plan.iter().map(|(a, _)| addr(a)).collect();
            let attempt = |to: SocketAddr| {
                tried.lock().unwrap().push((to.ip().to_string(), now()));
                let does = plan.iter().find(|(a, _)| addr(a) == to).unwrap().1;
                async move {
                    match does {
                        Does::Accept(ms) => sleep(Duration::from_millis(ms)).await,
                        Does::Refuse(ms) => {
                            sleep(Duration::from_millis(ms)).await;
                            return Err(io::Error::from(io::ErrorKind::ConnectionRefused));
                        }
                        Does::Nothing => std::future::pending().await,
                    }
                    Ok(to)
                }
            };
            let outcome = race(&addrs, head_start, attempt).await;
            let took = now();
            (outcome, tried.into_inner().unwrap(), took)
        })
    }

    fn tries(of: &[(&str, u64)]) -> Vec<(String, u64)> {
        of.iter().map(|(a, t)| ((*a).to_owned(), *t)).collect()
    }

    #[test]
    fn one_that_accepts_within_its_head_start_is_alone() {
        let plan = [("fd00::1", Does::Accept(200)), ("10.0.0.1", Does::Accept(1))];
        let (outcome, tried, took) = raced(&plan, Some(HEAD_START));
        assert_eq!(outcome.unwrap(), addr("fd00::1"));
        assert_eq!(tried, tries(&[("fd00::1", 0)]));
        assert_eq!(took, 200);
    }

    #[test]
    fn a_silent_one_costs_its_head_start() {
        let plan = [("fd00::1", Does::Nothing), ("10.0.0.1", Does::Accept(20))];
        let (outcome, tried, took) = raced(&plan, Some(HEAD_START));
        assert_eq!(outcome.unwrap(), addr("10.0.0.1"));
        assert_eq!(tried, tries(&[("fd00::1", 0), ("10.0.0.1", 300)]));
        assert_eq!(took, 320);
    }

    #[test]
    fn a_refusal_brings_the_next_at_once() {
        let plan = [("fd00::1", Does::Refuse(5)), ("10.0.0.1", Does::Accept(20))];
        let (outcome, tried, took) = raced(&plan, Some(HEAD_START));
        assert_eq!(outcome.unwrap(), addr("10.0.0.1"));
        assert_eq!(tried, tries(&[("fd00::1", 0), ("10.0.0.1", 5)]));
        assert_eq!(took, 25);
    }

    #[test]
    fn a_slow_one_may_still_win_after_its_head_start() {
        let plan = [("fd00::1", Does::Accept(400)), ("10.0.0.1", Does::Nothing)];
        let (outcome, _, took) = raced(&plan, Some(HEAD_START));
        assert_eq!((outcome.unwrap(), took), (addr("fd00::1"), 400));
    }

    #[test]
    fn the_families_take_turns() {
        let plan = [
            ("fd00::1", Does::Nothing),
            ("fd00::2", Does::Nothing),
            ("fd00::3", Does::Nothing),
            ("10.0.0.1", Does::Nothing),
            ("10.0.0.2", Does::Accept(0)),
        ];
        let (outcome, tried, _) = raced(&plan, Some(HEAD_START));
        assert_eq!(outcome.unwrap(), addr("10.0.0.2"));
        let expected = [("fd00::1", 0), ("10.0.0.1", 300), ("fd00::2", 600), ("10.0.0.2", 900)];
        assert_eq!(tried, tries(&expected));
    }

    #[test]
    fn without_a_head_start_each_waits_for_the_one_before() {
        let plan = [
            ("fd00::1", Does::Refuse(1000)),
            ("fd00::2", Does::Refuse(1000)),
            ("10.0.0.1", Does::Accept(1)),
        ];
        let (outcome, tried, _) = raced(&plan, None);
        assert_eq!(outcome.unwrap(), addr("10.0.0.1"));
        assert_eq!(tried, tries(&[("fd00::1", 0), ("fd00::2", 1000), ("10.0.0.1", 2000)]));
    }

    #[test]
    fn when_all_fail_the_last_failure_is_told() {
        let plan = [("fd00::1", Does::Refuse(900)), ("10.0.0.1", Does::Refuse(5))];
        let (outcome, _, took) = raced(&plan, Some(HEAD_START));
        let (at, e) = outcome.unwrap_err();
        assert_eq!((at, e.kind()), (Some(addr("fd00::1")), io::ErrorKind::ConnectionRefused));
        assert_eq!(took, 900);
        let (at, e) = raced(&[], Some(HEAD_START)).0.unwrap_err();
        assert_eq!((at, e.kind()), (None, io::ErrorKind::InvalidInput));
    }
}

//! Which local port does a connect get? RFC 6056 3.3.3, and what is left at the end of the range.

use std::collections::HashSet;

use super::peer::*;
use crate::stack::{BindError, BindOptions, ConnectOptions, ListenOptions, OpenError, StackConfig};

fn port(rig: &mut Rig, to: &str) -> Result<u16, OpenError> {
    let c = rig.stack.connect(rig.now, at(to), ConnectOptions::default())?;
    rig.hear();
    Ok(rig.stack.info(c).unwrap().tuple.local.port)
}

#[test]
fn a_range_is_exhausted_only_when_every_port_is_taken() {
    let mut rig = Rig::with(StackConfig { ephemeral_ports: (50_000, 50_009), ..config() });
    let mut got: Vec<_> = (0..10).map(|_| port(&mut rig, "10.0.0.2:80").unwrap()).collect();
    got.sort_unstable();
    assert_eq!(got, (50_000..=50_009).collect::<Vec<_>>());
    assert_eq!(port(&mut rig, "10.0.0.2:80"), Err(OpenError::NoPorts));
    // Towards another destination all of them are free.
    for _ in 0..10 {
        port(&mut rig, "10.0.0.2:81").unwrap();
    }
    assert_eq!(port(&mut rig, "10.0.0.2:81"), Err(OpenError::NoPorts));
}

#[test]
fn bound_ports_are_passed_over() {
    let mut rig = Rig::with(StackConfig { ephemeral_ports: (50_000, 50_002), ..config() });
    rig.listen("0.0.0.0:50001");
    let mut got: Vec<_> = (0..2).map(|_| port(&mut rig, "10.0.0.2:80").unwrap()).collect();
    got.sort_unstable();
    assert_eq!(got, [50_000, 50_002]);
    assert_eq!(port(&mut rig, "10.0.0.2:80"), Err(OpenError::NoPorts));
}

// RFC 6056 3.3.3
#[test]
fn ports_follow_from_destination_and_secret_and_are_spread() {
    let mut rig = Rig::new();
    let mut seen = HashSet::new();
    for n in 0..50 {
        seen.insert(port(&mut rig, &format!("10.0.0.2:{}", 100 + n)).unwrap());
    }
    assert!(seen.len() > 45, "{} ports for 50 destinations", seen.len());
    let jumps = (0..20)
        .map(|n| port(&mut rig, &format!("10.0.0.{}:80", 3 + n)).unwrap())
        .collect::<Vec<_>>();
    assert!(jumps.windows(2).any(|w| w[0].abs_diff(w[1]) > 1000), "{jumps:?}");
    // The next one towards the same destination is another one.
    let again: HashSet<_> = (0..20).map(|_| port(&mut rig, "10.0.0.2:9").unwrap()).collect();
    assert_eq!(again.len(), 20);
}

#[test]
fn a_listener_finds_a_port_among_those_of_connections() {
    let mut rig = Rig::with(StackConfig { ephemeral_ports: (50_000, 50_001), ..config() });
    for _ in 0..2 {
        port(&mut rig, "10.0.0.2:80").unwrap();
    }
    // As with an explicit bind, it takes SO_REUSEADDR, which listeners have.
    let any = at("10.0.0.1:0");
    assert_eq!(rig.stack.bind(any, BindOptions::default()), Err(BindError::NoPorts));
    let l = rig.stack.listen(any, ListenOptions::default()).unwrap();
    let listens = rig.stack.listener_addr(l).unwrap().port();
    assert!((50_000..=50_001).contains(&listens));
    rig.stack.listen(any, ListenOptions::default()).unwrap();
    assert!(rig.stack.listen(any, ListenOptions::default()).is_err());
}

#[test]
fn a_hash_near_its_end_does_not_hide_ports() {
    let from: u16 = 50_000;
    let count = 3000;
    let ports = (from, from + count - 1);
    let mut rig = Rig::with(StackConfig { ephemeral_ports: ports, ..config() });
    // A destination whose hash lies within one range of 2^32, so that hash plus index wraps.
    let local = tcp_core::Endpoint::new("10.0.0.1".parse().unwrap(), 0);
    let remote = (0u32..1 << 26)
        .map(|n| {
            let ip = std::net::Ipv4Addr::from(0x0b00_0000 + (n >> 15));
            tcp_core::Endpoint::new(ip.into(), 1 + (n & 0x7fff) as u16)
        })
        .find(|r| {
            let hash = rig.stack.isn.hash(&tcp_core::Tuple { local, remote: *r }, 2) as u32;
            hash > u32::MAX - 2000 && hash < u32::MAX - 1000
        })
        .expect("one of 64 million");
    // Only the last port but 500 is free: past 2^32 the search must not begin at the first again.
    for port in (ports.0..=ports.1).filter(|p| *p != from + count - 500) {
        let local = Some(std::net::SocketAddr::new(local.ip, port));
        let options = ConnectOptions { local, options: None };
        rig.stack.connect(rig.now, remote.into(), options).unwrap();
    }
    let last = rig.stack.connect(rig.now, remote.into(), ConnectOptions::default());
    assert!(last.is_ok(), "{last:?}");
}

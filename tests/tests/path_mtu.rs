//! Do transfers find out what their path carries? Black holes, routers that tell, paths that shrink
//! in mid-stream and forged messages, under virtual time; figures with `--nocapture`.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stack_tests::app::App;
use tcp_core::config::MtuProbing;
use tcp_core::connection::Info;
use tcp_core::wire::checksum::Sum;
use tcp_io::device::RxChecksum;
use tcp_io::stack::{ConnectOptions, ListenOptions, StackConfig};
use tcp_sim::{Host, LinkConfig, SeedGuard, World, pair};

const MIB: u64 = 1 << 20;

/// What lies between the two hosts.
#[derive(Clone)]
struct Path {
    mtu: usize,
    /// The router says what does not fit.
    tells: bool,
    /// From this octet of the server's text on, the path carries less.
    shrinks: Option<(u64, usize)>,
    /// A forger sends a TooBig for every packet that passes; its number is off by this.
    forged: Option<u32>,
}

impl Path {
    fn of(mtu: usize) -> Path {
        Path { mtu, tells: false, shrinks: None, forged: None }
    }
}

struct Figures {
    took: Duration,
    /// Of the sending end, before it closed.
    info: Info,
}

/// Messages on their way back, with the host that each is for.
type Refused = Arc<Mutex<Vec<(usize, Vec<u8>)>>>;

/// The ICMP error for a packet, as its sender receives it (RFC 792, RFC 4443 3.2).
fn too_big(mtu: usize, packet: &[u8], number_off: u32) -> Vec<u8> {
    let v4 = packet[0] >> 4 == 4;
    let (header, kind) = if v4 { (20, [3, 4, 0, 0]) } else { (40, [2, 0, 0, 0]) };
    let mut quoted = packet[..header + 8].to_vec();
    let seq = u32::from_be_bytes(quoted[header + 4..].try_into().expect("four octets"));
    quoted[header + 4..].copy_from_slice(&seq.wrapping_add(number_off).to_be_bytes());
    let mut m = kind.to_vec();
    m.extend_from_slice(&(mtu as u32).to_be_bytes());
    m.extend_from_slice(&quoted);
    let mut b = if v4 { packet[..20].to_vec() } else { packet[..40].to_vec() };
    // From the peer's own address: who sent it is not looked at.
    let (src, dst) = if v4 { (12..16, 16..20) } else { (8..24, 24..40) };
    b[src.clone()].copy_from_slice(&packet[dst.clone()]);
    b[dst].copy_from_slice(&packet[src]);
    let sum = if v4 {
        b[2..4].copy_from_slice(&((20 + m.len()) as u16).to_be_bytes());
        b[9] = 1;
        b[10..12].copy_from_slice(&[0, 0]);
        let sum = Sum::new().add(&b).finish();
        b[10..12].copy_from_slice(&sum.to_be_bytes());
        Sum::new()
    } else {
        b[4..6].copy_from_slice(&(m.len() as u16).to_be_bytes());
        b[6] = 58;
        let at = |r: std::ops::Range<usize>| {
            IpAddr::from(<[u8; 16]>::try_from(&b[r]).expect("16 octets"))
        };
        Sum::pseudo_header(at(8..24), at(24..40), 58, m.len() as u32)
    };
    let sum = sum.add(&m).finish();
    m[2..4].copy_from_slice(&sum.to_be_bytes());
    b.extend_from_slice(&m);
    b
}

/// Lets the client send a mebibyte to the server over `path`.
fn transfer(name: &str, ipv6: bool, path: &Path, config: &StackConfig) -> Figures {
    let seed = 7;
    let _guard = SeedGuard::new(seed, name);
    let link = LinkConfig::default().delay(Duration::from_millis(10)).rate(100_000_000);
    let mut w = pair(seed, link, config);
    let mtu = Arc::new(AtomicUsize::new(path.mtu));
    let refused = Refused::default();
    let (limit, list, forged) = (mtu.clone(), refused.clone(), path.forged);
    w.route_by(move |from, packet| {
        let most = limit.load(Ordering::Relaxed);
        if packet.len() > most {
            list.lock().expect("the list").push((from, too_big(most, packet, 0)));
            return None;
        }
        if let Some(off) = forged.filter(|_| packet.len() > 600) {
            list.lock().expect("the list").push((from, too_big(600, packet, off)));
        }
        Some(1 - from)
    });
    let server: SocketAddr = if ipv6 { "[fd00::2]:80" } else { "10.0.0.2:80" }.parse().unwrap();
    let listener = w.node_mut(1).stack.listen(server, ListenOptions::default()).unwrap();
    let start = w.now();
    let client = w.node_mut(0).stack.connect(start, server, ConnectOptions::default()).unwrap();
    let mut a = App::new(0, client, MIB, seed);
    let mut b: Option<App> = None;
    let mut info = None;
    let done = w.run_until(start + Duration::from_secs(120), |w| {
        for (to, icmp) in refused.lock().expect("the list").drain(..) {
            if path.tells || path.forged.is_some() {
                let now = w.now();
                w.node_mut(to).stack.receive(now, &icmp, RxChecksum::Unknown, None);
            }
        }
        step(w, listener, &mut a, &mut b, seed);
        let read = b.as_ref().map_or(0, |b| b.read);
        if let Some((_, smaller)) = path.shrinks.filter(|(from, _)| read >= *from) {
            mtu.store(smaller, Ordering::Relaxed);
        }
        if read < MIB {
            info = w.node(0).stack.info(client).or(info);
        }
        read == MIB
    });
    assert!(done, "{name}: {:?}", w.node(0).stack.info(client));
    let (took, info) = (w.now().since(start), info.expect("it was there"));
    println!(
        "{name}: {took:?}, {} time-outs, {} resent, path MTU {}, probes {:?}",
        info.stats.timeouts, info.stats.retransmissions, info.path_mtu, info.mtu_probes
    );
    Figures { took, info }
}

fn step(
    w: &mut World<Host>,
    listener: tcp_io::stack::ListenerId,
    a: &mut App,
    b: &mut Option<App>,
    seed: u64,
) {
    if b.is_none() {
        let accepted = w.node_mut(1).stack.accept(listener).expect("listener");
        *b = accepted.map(|c| App::new(1, c, 0, seed));
    }
    for app in [Some(a), b.as_mut()].into_iter().flatten() {
        app.run(w).expect("the transfer goes on");
    }
}

const FAMILIES: [(&str, bool, usize); 2] = [("IPv4", false, 1200), ("IPv6", true, 1300)];

#[test]
fn a_black_hole_costs_two_time_outs_and_a_short_search() {
    for (family, ipv6, mtu) in FAMILIES {
        let config = StackConfig::default();
        let free = transfer(&format!("{family} free"), ipv6, &Path::of(1500), &config);
        assert_eq!((free.info.stats.timeouts, free.info.path_mtu), (0, 1500));
        let hole = transfer(&format!("{family} black hole"), ipv6, &Path::of(mtu), &config);
        assert!(hole.took < free.took + Duration::from_millis(1500), "{:?}", hole.took);
        assert_eq!(hole.info.mtu_probes.black_holes, 1);
        let found = hole.info.path_mtu as usize;
        assert!(found <= mtu && found + 8 > mtu || ipv6, "{found}");
        let mut always = StackConfig::default();
        always.tcp.path_mtu.probing = MtuProbing::Always;
        let always = transfer(&format!("{family} always"), ipv6, &Path::of(mtu), &always);
        assert_eq!(always.info.stats.timeouts, 0);
    }
}

#[test]
fn a_router_that_tells_costs_a_round_trip() {
    for (family, ipv6, mtu) in FAMILIES {
        let config = StackConfig::default();
        let path = Path { tells: true, ..Path::of(mtu) };
        let told = transfer(&format!("{family} told"), ipv6, &path, &config);
        assert_eq!((told.info.stats.timeouts, told.info.path_mtu as usize), (0, mtu));
        assert_eq!(told.info.mtu_probes.black_holes, 0);
    }
}

#[test]
fn a_path_that_shrinks_in_mid_stream_is_followed() {
    for (family, ipv6, mtu) in FAMILIES {
        let config = StackConfig::default();
        let silent = Path { shrinks: Some((MIB / 2, mtu)), ..Path::of(1500) };
        let tells = Path { tells: true, ..silent.clone() };
        let told = transfer(&format!("{family} shrinks, told"), ipv6, &tells, &config);
        assert_eq!((told.info.stats.timeouts, told.info.path_mtu as usize), (0, mtu));
        let hole = transfer(&format!("{family} shrinks, silent"), ipv6, &silent, &config);
        assert_eq!(hole.info.mtu_probes.black_holes, 1);
        assert!(told.took < hole.took);
    }
}

// RFC 5927 4.1 and 7.2
#[test]
fn forged_messages_have_no_effect() {
    let config = StackConfig::default();
    let free = transfer("free", false, &Path::of(1500), &config);
    for off in [1 << 31, 0u32.wrapping_sub(1 << 24)] {
        let path = Path { forged: Some(off), ..Path::of(1500) };
        let forged = transfer(&format!("forged, off by {off}"), false, &path, &config);
        assert_eq!((forged.took, forged.info.path_mtu), (free.took, 1500));
    }
}

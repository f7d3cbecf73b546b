//! Headers in and out.

use super::*;

fn options() -> IpOptions {
    IpOptions { hop_limit: 1, traffic_class: 0, fragmentable: None }
}

fn whole(p: &[u8]) -> Packet<'_> {
    match parse(p) {
        Ok(Parsed::Whole(p)) => p,
        other => panic!("{other:?}"),
    }
}

// MUST-50, MUST-51
#[test]
fn unknown_ip_options_are_skipped() {
    let mut p = vec![0u8; 24 + 4];
    let options = options();
    let (s, d) = (Ipv4Addr::new(1, 2, 3, 4), Ipv4Addr::new(5, 6, 7, 8));
    emit_v4(&mut p, s, d, TCP, 8, options);
    p[0] = 0x46;
    p[10..12].copy_from_slice(&[0, 0]);
    p[20..24].copy_from_slice(&[0x9e, 4, 1, 2]);
    p[24..].copy_from_slice(&[9, 9, 9, 9]);
    let sum = Sum::new().add(&p[..24]).finish();
    p[10..12].copy_from_slice(&sum.to_be_bytes());
    let got = whole(&p);
    assert_eq!((got.src, got.payload), (IpAddr::V4(s), &[9u8, 9, 9, 9][..]));
}

#[test]
fn ipv6_extension_headers_are_skipped() {
    let mut p = vec![0u8; 40 + 8 + 16 + 3];
    let o = options();
    let a: IpAddr = "fd00::1".parse().unwrap();
    emit_header(&mut p, a, a, 0, 8 + 16 + 3, o);
    p[40] = 60;
    p[48] = TCP;
    p[49] = 1;
    p[64..].copy_from_slice(&[1, 2, 3]);
    let got = whole(&p);
    assert_eq!((got.protocol, got.payload), (TCP, &[1u8, 2, 3][..]));
    p[49] = 200;
    assert_eq!(parse(&p).unwrap_err(), PacketDrop::Malformed);
}

#[test]
fn garbage_is_malformed() {
    for b in [&[][..], &[0x45], &[0x60; 39], &[0x45; 20], &[0xff; 100]] {
        assert_eq!(parse(b).unwrap_err(), PacketDrop::Malformed);
    }
}

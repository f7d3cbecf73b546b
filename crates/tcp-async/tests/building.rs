//! What if there is no stack, or it is described wrongly?
mod common;

use std::io::{self, ErrorKind};

use common::{net, on_both};
use tcp_async::{BuildError, Net, TcpListener, TcpStream};

#[test]
fn a_wrong_address_is_named() {
    on_both(|| async {
        let e = Net::builder().address("10.0.0.1").loopback().unwrap_err();
        assert!(matches!(e, BuildError::Address(_)));
        let e = io::Error::from(e);
        assert_eq!(e.kind(), ErrorKind::InvalidInput);
        assert!(e.to_string().contains("`10.0.0.1` is not an address with a prefix"), "{e}");
        let e = Net::builder().address("10.0.0.1/33").address("x").loopback().unwrap_err();
        assert!(e.to_string().contains("/33"), "the first mistake counts: {e}");
    });
}

#[test]
fn without_a_runtime_there_is_an_error() {
    let e = Net::builder().address("10.0.0.1/24").loopback().unwrap_err();
    assert!(matches!(e, BuildError::NoRuntime));
    assert!(io::Error::from(e).to_string().contains("runtime"));
}

#[test]
fn without_an_ambient_stack_only_loopback_is_reachable() {
    on_both(|| async {
        let e = TcpStream::connect("10.0.0.1:80").await.unwrap_err();
        assert_eq!(e.kind(), ErrorKind::NetworkUnreachable);
        assert!(e.to_string().contains("Net::enter"), "{e}");
        let e = TcpListener::bind("10.0.0.1:80").await.unwrap_err();
        assert_eq!(e.kind(), ErrorKind::AddrNotAvailable);
    });
}

#[test]
fn the_innermost_entered_stack_is_ambient() {
    on_both(|| async {
        let (one, two) = (net(), net());
        let outer = one.enter();
        let _l = TcpListener::bind("10.0.0.1:80").await.unwrap();
        {
            let _inner = two.enter();
            let e = TcpStream::connect("10.0.0.1:80").await.unwrap_err();
            assert_eq!(e.kind(), ErrorKind::ConnectionRefused);
        }
        TcpStream::connect("10.0.0.1:80").await.unwrap();
        drop(outer);
        assert!(Net::current().unwrap().addresses().is_empty(), "the loopback network is left");
    });
}

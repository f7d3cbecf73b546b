//! Does the example `ping-pong` measure? Against an echo server of the kernel.
#![cfg(target_os = "linux")]

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;

use stack_tests::kernel::{KernelListener, Namespace, example};

#[test]
#[ignore = "needs root and /dev/net/tun"]
fn the_kernel_answers_every_ping() {
    let Some(path) = example("ping-pong") else { return };
    let namespace = Namespace::new();
    let listener = namespace.run(|| KernelListener::bind(IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
    let port = listener.addr.port();
    let echo = namespace.spawn(move || {
        let (mut stream, mut reads, mut chunk) = (listener.accept(), 0, [0; 4096]);
        stream.set_nodelay(true).unwrap();
        loop {
            match stream.read(&mut chunk).unwrap() {
                0 => return reads,
                n => stream.write_all(&chunk[..n]).unwrap(),
            }
            reads += 1;
        }
    });
    let mut command = namespace.command(path);
    command.args(["--tun", "tcp0", "--server", &format!("10.45.0.1:{port}")]);
    let said = succeed(command.args(["--count", "2000", "--warm-up", "100", "--size", "64"]));
    println!("{said}");
    let times = percentiles(&said);
    assert!(times.len() == 5 && times.is_sorted() && times[0] > 0.0, "{said}");
    assert!(said.contains("2000 messages measured"), "{said}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // As many reads as messages: each came alone, and the end came in order.
    assert!(runtime.block_on(echo.join()) >= 2100);
}

/// From the 50th up.
fn percentiles(said: &str) -> Vec<f64> {
    let row = |line: &str| {
        let mut fields = line.split_whitespace().map(str::parse::<f64>);
        Some((fields.next()?.ok()?, fields.next()?.ok()?))
    };
    said.lines().filter_map(row).filter(|(p, _)| *p >= 50.0 && *p < 100.0).map(|(_, t)| t).collect()
}

fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

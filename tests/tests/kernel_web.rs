//! Do programs of the kernel's side get on with libraries on our types? The examples of
//! `library-examples` against curl, ab, h2load, openssl and python, and against themselves on the
//! kernel's TCP. Skipped if examples or tools are missing.
#![cfg(target_os = "linux")]

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use stack_tests::kernel::{HOST, Namespace, OURS, Running, example};

/// A namespace, and what is run in it.
struct Setup {
    namespace: Namespace,
    /// Of this test alone.
    scratch: PathBuf,
}

impl Setup {
    fn new(name: &str) -> Setup {
        let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&scratch).unwrap();
        Setup { namespace: Namespace::new(), scratch }
    }

    /// Starts a server, which says this when it listens.
    fn serve(&self, program: impl AsRef<OsStr>, arguments: &[&str], ready: &str) -> Running {
        let mut command = self.namespace.command(program);
        command.args(arguments).current_dir(&self.scratch);
        let mut server = Running::start(command);
        server.line_with(ready);
        server
    }

    /// What a program that succeeds prints.
    #[track_caller]
    fn run(&self, program: impl AsRef<OsStr>, arguments: &[&str]) -> Vec<u8> {
        self.run_with(program, arguments, b"")
    }

    /// The same, with a text on its standard input.
    #[track_caller]
    fn run_with(&self, program: impl AsRef<OsStr>, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let mut command = self.namespace.command(program);
        command.args(arguments).current_dir(&self.scratch);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // These programs read all of it before they say anything.
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        let (said, wrong) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let said = said.chars().take(2000).collect::<String>();
        assert!(output.status.success(), "{command:?}: {}\n{wrong}\n{said}", output.status);
        output.stdout
    }

    #[track_caller]
    fn text(&self, program: impl AsRef<OsStr>, arguments: &[&str]) -> String {
        String::from_utf8(self.run(program, arguments)).unwrap()
    }
}

/// Whether all of them are here; says which is missing.
fn installed(tools: &[&str]) -> bool {
    tools.iter().all(|tool| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found = std::env::split_paths(&path).any(|dir| dir.join(tool).exists());
        if !found {
            println!("skipped: `{tool}` is not installed");
        }
        found
    })
}

#[track_caller]
fn contains(text: &str, part: &str) {
    assert!(text.contains(part), "no {part:?} in {text}");
}

fn end(mut server: Running) {
    let status = server.interrupt();
    assert!(status.success(), "{status}");
}

fn url(ip: IpAddr, port: u16, path: &str) -> String {
    format!("http://{}{path}", SocketAddr::new(ip, port))
}

/// A text that is the same nowhere in it.
fn octets(count: u32) -> Vec<u8> {
    (0..count / 4).flat_map(|n| n.wrapping_mul(0x9e37_79b9).to_le_bytes()).collect()
}

/// h2load names an IPv6 address without its brackets, which servers rightly refuse (RFC 3986 3.2.2).
const AUTHORITY: [&str; 2] = ["-H", ":authority: somewhere"];

#[test]
#[ignore = "needs root and /dev/net/tun"]
fn axum_answers_curl() {
    let Some(path) = example("axum-server") else { return };
    if !installed(&["curl"]) {
        return;
    }
    let setup = Setup::new("axum-curl");
    let server = setup.serve(path, &["--tun", "web0"], "Ctrl-C");
    let sent = octets(8 << 20);
    for ip in OURS {
        for (flag, version) in [("--http1.1", "HTTP/1.1"), ("--http2-prior-knowledge", "HTTP/2.0")]
        {
            let curl = |more: &[&str]| setup.text("curl", &[&["-sSf", flag][..], more].concat());
            let who = curl(&[&url(ip, 8080, "/")]);
            contains(&who, version);
            let host = if ip.is_ipv4() { "You are 10.45.0.1:" } else { "You are [fd45::1]:" };
            contains(&who, host);
            let size = ["-o", "/dev/null", "-w", "%{size_download}"];
            let page = url(ip, 8080, "/bytes/50000000");
            assert_eq!(curl(&[&size[..], &[&page]].concat()), "50000000");
            let echo = url(ip, 8080, "/echo");
            let arguments = ["-sSf", flag, "-H", "Expect:", "--data-binary", "@-", &echo];
            assert!(setup.run_with("curl", &arguments, &sent) == sent, "{flag} {ip}");
        }
    }
    end(server);
}

#[test]
#[ignore = "needs root and /dev/net/tun"]
fn axum_answers_crowds() {
    let Some(path) = example("axum-server") else { return };
    if !installed(&["ab", "h2load"]) {
        return;
    }
    let setup = Setup::new("axum-crowds");
    let server = setup.serve(path, &["--tun", "web0"], "Ctrl-C");
    for ip in OURS {
        let page = url(ip, 8080, "/bytes/2000");
        // A connection for each request, then fifty that stay.
        for keep in [&[][..], &["-k"]] {
            let arguments = [keep, &["-q", "-n", "3000", "-c", "50", &page]].concat();
            let said = setup.text("ab", &arguments);
            contains(&said, "Complete requests:      3000\n");
            contains(&said, "Failed requests:        0\n");
        }
        for (flag, streams) in [("--h1", "1"), ("--no-tls-proto=h2c", "16")] {
            let arguments = [flag, "-n", "10000", "-c", "32", "-m", streams];
            let said = setup.text("h2load", &[&AUTHORITY[..], &arguments, &[&page]].concat());
            contains(&said, "10000 succeeded, 0 failed, 0 errored, 0 timeout");
            contains(&said, "10000 2xx");
        }
    }
    end(server);
}

#[test]
#[ignore = "needs root and /dev/net/tun"]
fn hyper_fetches_from_python() {
    let Some(path) = example("hyper-client") else { return };
    if !installed(&["python3"]) {
        return;
    }
    let setup = Setup::new("hyper-python");
    let page = octets(20 << 20);
    fs::write(setup.scratch.join("page"), &page).unwrap();
    let arguments = ["-u", "-m", "http.server", "8000", "--bind", "::"];
    let _server = setup.serve("python3", &arguments, "Serving HTTP");
    let urls = HOST.map(|ip| url(ip, 8000, "/page"));
    let got = setup.run(&path, &["--tun", "web0", &urls[0], &urls[1]]);
    assert!(got == [&page[..], &page[..]].concat(), "{} octets", got.len());
    let mut missing = setup.namespace.command(&path);
    let output = missing.args(["--tun", "web0", &url(HOST[0], 8000, "/x")]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("404"), "{said}");
}

/// Makes a key and a certificate for the kernel's addresses, as an end entity: no authority.
fn certify(setup: &Setup) {
    let config = "[req]\ndistinguished_name=name\nx509_extensions=ext\nprompt=no\n[name]\nCN=test\n\
                  [ext]\nsubjectAltName=IP:10.45.0.1,IP:fd45::1\nbasicConstraints=critical,CA:FALSE\n";
    fs::write(setup.scratch.join("config"), config).unwrap();
    let words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
                 -config config -keyout key.pem -out cert.pem";
    setup.run("openssl", &words.split_whitespace().collect::<Vec<_>>());
}

#[test]
#[ignore = "needs root and /dev/net/tun"]
fn hyper_fetches_by_tls_from_openssl() {
    let Some(path) = example("hyper-client") else { return };
    if !installed(&["openssl"]) {
        return;
    }
    for version in ["-tls1_2", "-tls1_3"] {
        let setup = Setup::new(&format!("hyper-openssl{version}"));
        certify(&setup);
        let words = ["s_server", "-accept", "8443", "-cert", "cert.pem", "-key", "key.pem"];
        let _server = setup.serve("openssl", &[&words[..], &["-www", version]].concat(), "ACCEPT");
        let urls = HOST.map(|ip| url(ip, 8443, "/").replace("http:", "https:"));
        let arguments = ["--tun", "web0", "--cacert", "cert.pem", &urls[0], &urls[1]];
        let said = setup.text(&path, &arguments);
        assert_eq!(said.matches("Ciphers supported in s_server binary").count(), 2, "{said}");
        // Without its certificate there is nobody to trust.
        let output = setup.namespace.command(&path).args(["--tun", "web0", &urls[0]]).output();
        let output = output.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("UnknownIssuer"), "{said}");
    }
}

#[test]
#[ignore = "needs root and /dev/net/tun"]
fn rustls_answers_openssl_and_curl() {
    let Some(path) = example("https-server") else { return };
    if !installed(&["openssl", "curl"]) {
        return;
    }
    let setup = Setup::new("rustls");
    let server = setup.serve(path, &["--tun", "web0", "--cert-out", "cert.pem"], "Ctrl-C");
    for ip in OURS {
        let addr = SocketAddr::new(ip, 8443).to_string();
        let page = format!("https://{addr}/");
        for (flag, version) in [("-tls1_2", "TLSv1_2"), ("-tls1_3", "TLSv1_3")] {
            let ip = ip.to_string();
            let words = ["s_client", "-connect", &addr, flag, "-CAfile", "cert.pem", "-verify_ip"];
            let more = [&ip, "-verify_return_error", "-quiet", "-ign_eof"];
            let request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
            let said = setup.run_with("openssl", &[&words[..], &more].concat(), request);
            contains(&String::from_utf8_lossy(&said), &format!("by {version} and"));
        }
        for flag in ["--http1.1", "--http2"] {
            let said = setup.text("curl", &["-sSf", flag, "--cacert", "cert.pem", &page]);
            contains(&said, "by TLSv1_3 and");
        }
    }
    end(server);
}

#[test]
#[ignore = "needs root and /dev/net/tun"]
fn h2_answers_curl_and_crowds() {
    let Some(path) = example("h2-server") else { return };
    if !installed(&["curl", "h2load"]) {
        return;
    }
    let setup = Setup::new("h2");
    let server = setup.serve(path, &["--tun", "web0"], "Ctrl-C");
    for ip in OURS {
        let page = url(ip, 8082, "/bytes/50000000");
        let arguments = ["-sSf", "--http2-prior-knowledge", "-o", "/dev/null", "-w"];
        let said = setup.text("curl", &[&arguments[..], &["%{size_download}", &page]].concat());
        assert_eq!(said, "50000000");
        let page = url(ip, 8082, "/bytes/20000");
        let arguments = ["-n", "5000", "-c", "16", "-m", "32", &page];
        let said = setup.text("h2load", &[&AUTHORITY[..], &arguments].concat());
        contains(&said, "5000 succeeded, 0 failed, 0 errored, 0 timeout");
    }
    end(server);
}

#[test]
#[ignore = "needs root and /dev/net/tun"]
fn tonic_talks_to_tonic_on_the_kernel() {
    let Some(path) = example("grpc") else { return };
    let setup = Setup::new("grpc");
    let server = setup.serve(&path, &["--tun", "web0"], "Ctrl-C");
    for ip in OURS {
        let said = setup.text(&path, &["--kernel", "--connect", &url(ip, 50_051, "")]);
        contains(&said, "64 blocks echoed");
    }
    end(server);
    let _server = setup.serve(&path, &["--kernel"], "Ctrl-C");
    for ip in HOST {
        let said = setup.text(&path, &["--tun", "web0", "--connect", &url(ip, 50_051, "")]);
        contains(&said, "64 blocks echoed");
    }
}

#[test]
#[ignore = "needs root and /dev/net/tun"]
fn tungstenite_talks_to_tungstenite_on_the_kernel() {
    let Some(path) = example("websocket") else { return };
    let setup = Setup::new("websocket");
    let page = |ip| url(ip, 9001, "/").replace("http:", "ws:");
    let mut server = setup.serve(&path, &["--tun", "web0"], "Ctrl-C");
    for ip in OURS {
        let said = setup.text(&path, &["--kernel", "--connect", &page(ip)]);
        contains(&said, "500 messages, ");
        // The server has seen the close, too.
        server.line_with(": 500 messages");
    }
    end(server);
    let _server = setup.serve(&path, &["--kernel"], "Ctrl-C");
    for ip in HOST {
        let said = setup.text(&path, &["--tun", "web0", "--connect", &page(ip)]);
        contains(&said, "500 messages, ");
    }
}

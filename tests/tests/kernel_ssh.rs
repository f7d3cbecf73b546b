//! Does SSH work over our TCP? The example `ssh` as a server for OpenSSH's client, and as a client of
//! OpenSSH's server.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use sha2::{Digest, Sha256};
use stack_tests::kernel::{Namespace, Running, Server, example, program};
use tempfile::TempDir;

/// Octets of a large input: more than every window on the way, SSH's own too.
const LEN: usize = 24 << 20;

#[test]
#[ignore = "needs root and /dev/net/tun"]
fn openssh_runs_commands_on_our_server() {
    let Some(path) = example("ssh") else { return };
    let Some(ssh) = program("ssh", "openssh-client", &[]) else { return };
    let Some(keys) = Keys::new() else { return };
    let namespace = Namespace::new();
    let mut command = namespace.command(path);
    command.args(["--tun", "tcp0", "serve", "--authorized-keys"]).arg(keys.path("user.pub"));
    command.arg("--host-key").arg(keys.path("host"));
    let mut server = Running::start(command);
    server.line_with("Ctrl-C");
    let known = ["10.45.0.2", "fd45::2"].map(|ip| format!("{ip} {}", keys.text("host.pub")));
    fs::write(keys.path("known_hosts"), known.concat()).unwrap();
    let client = |key: &str| {
        let mut command = namespace.command(&ssh);
        command.args(["-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]);
        command.args(["-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-l", "somebody"]);
        let known = format!("UserKnownHostsFile={}", keys.path("known_hosts").display());
        command.args(["-o", &known]).arg("-i").arg(keys.path(key));
        command
    };

    let text = pattern();
    fs::write(keys.path("text"), &text).unwrap();
    let sum: String = Sha256::digest(&text).iter().map(|octet| format!("{octet:02x}")).collect();
    let numbers: String = (0..2_000_000).map(|n| format!("{n}\n")).collect();
    for ip in ["10.45.0.2", "fd45::2"] {
        let mut command = client("user");
        command.stdin(File::open(keys.path("text")).unwrap());
        let said = succeed(command.args([ip, "sha256sum"]));
        assert_eq!(String::from_utf8_lossy(&said), format!("{sum}  -\n"), "{ip}");
        server.line_with("somebody runs \"sha256sum\"");
        let got = succeed(client("user").args([ip, "seq"]));
        assert!(got == numbers.as_bytes(), "{} of {} octets from {ip}", got.len(), numbers.len());
    }
    let table = String::from_utf8(succeed(client("user").args(["10.45.0.2", "netstat"]))).unwrap();
    assert!(table.contains("10.45.0.2:22") && table.contains("ESTABLISHED"), "{table}");
    let other = output(client("user").args(["10.45.0.2", "reboot"]));
    let said = String::from_utf8_lossy(&other.stderr);
    assert!(other.status.code() == Some(127) && said.contains("reboot: not found"), "{said}");
    let stranger = output(client("stranger").args(["10.45.0.2", "netstat"]));
    let said = String::from_utf8_lossy(&stranger.stderr);
    assert!(stranger.status.code() == Some(255) && said.contains("Permission denied"), "{said}");
    assert!(server.interrupt().success());
}

#[test]
#[ignore = "needs root and /dev/net/tun"]
fn our_client_runs_commands_on_openssh() {
    let Some(client) = example("ssh") else { return };
    let Some(sshd) = program("sshd", "openssh-server", &["/usr/sbin"]) else { return };
    let Some(keys) = Keys::new() else { return };
    let namespace = Namespace::new();
    // It wants a directory below /run, which is there only while the machine's own server is: in
    // the mount namespace that `ip netns exec` makes, /run is ours.
    let mut command = namespace.command("sh");
    command.args([
        "-c",
        "mount -t tmpfs tmpfs /run && mkdir -m 755 /run/sshd && exec \"$@\"",
        "sh",
    ]);
    command.arg(sshd).args(["-D", "-e", "-f", "none", "-p", "22"]);
    command.arg("-h").arg(keys.path("host"));
    let file = format!("AuthorizedKeysFile={}", keys.path("user.pub").display());
    for option in [&file, "StrictModes=no", "PermitRootLogin=prohibit-password", "UsePAM=no"] {
        command.args(["-o", option]);
    }
    let server = Server::start(command, keys.dir.path()).ready_on(&namespace, 22);
    let run = |server: &str, key: &str, arguments: &[&str]| {
        let mut command = namespace.command(&client);
        command.args(["--tun", "tcp0", "run", "--server", server, "--user", "root", "--key"]);
        command.arg(keys.path(key)).arg("--known-hosts").arg(keys.path("known_hosts"));
        command.args(arguments);
        command
    };

    let stranger = output(&mut run("10.45.0.1:22", "user", &["true"]));
    let said = String::from_utf8_lossy(&stranger.stderr);
    assert!(!stranger.status.success() && said.contains("is not known"), "{said}");
    let known = ["10.45.0.1", "fd45::1"].map(|ip| format!("{ip} {}", keys.text("host.pub")));
    fs::write(keys.path("known_hosts"), known.concat()).unwrap();

    let text = pattern();
    fs::write(keys.path("text"), &text).unwrap();
    let input = keys.path("text");
    for server in ["10.45.0.1:22", "[fd45::1]:22"] {
        let back = succeed(&mut run(server, "user", &["--input", input.to_str().unwrap(), "cat"]));
        assert!(back == text, "{} of {LEN} octets came back from {server}", back.len());
    }
    let who = succeed(&mut run("10.45.0.1:22", "user", &["echo $SSH_CLIENT"]));
    assert!(who.starts_with(b"10.45.0.2 "), "{}", String::from_utf8_lossy(&who));
    let failed = output(&mut run("10.45.0.1:22", "user", &["exit 7"]));
    let said = String::from_utf8_lossy(&failed.stderr);
    assert!(!failed.status.success() && said.contains("status 7"), "{said}");
    let refused = output(&mut run("10.45.0.1:22", "stranger", &["true"]));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("does not let root in"), "{said}");
    let log = server.said();
    assert!(!log.contains("reset by peer") && !log.contains("Corrupted"), "{log}");
}

/// Key pairs `host`, `user` and `stranger`, and files of the test beside them.
struct Keys {
    dir: TempDir,
}

impl Keys {
    fn new() -> Option<Keys> {
        let keygen = program("ssh-keygen", "openssh-client", &[])?;
        let keys = Keys { dir: TempDir::with_prefix("tcp-test-").unwrap() };
        fs::set_permissions(keys.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["host", "user", "stranger"] {
            let mut command = Command::new(&keygen);
            command.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(keys.path(name));
            succeed(&mut command);
        }
        Some(keys)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        let path: &Path = &self.path(name);
        fs::read_to_string(path).unwrap()
    }
}

fn pattern() -> Vec<u8> {
    (0..LEN).map(|i| (i.wrapping_mul(0x9e37_79b9) >> 13) as u8).collect()
}

fn output(command: &mut Command) -> Output {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"))
}

/// What a program writes, which must succeed.
fn succeed(command: &mut Command) -> Vec<u8> {
    let output = output(command);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}: {said}", output.status);
    output.stdout
}

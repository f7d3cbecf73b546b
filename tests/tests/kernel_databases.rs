//! Do the clients of databases work over our TCP? The examples `redis-client` and
//! `postgres-client` as programs, against the kernel's `redis-server` and `postgres`.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::{Command, Output};

use stack_tests::kernel::{Namespace, Server, command_as, directory_of, example, program};

/// PostgreSQL refuses to run as root; Redis has no need to.
const NOBODY: &str = "nobody";

#[test]
#[ignore = "needs root and /dev/net/tun"]
fn redis_answers_the_redis_crate() {
    let Some(client) = example("redis-client") else { return };
    let Some(server) = program("redis-server", "redis-server", &[]) else { return };
    let Some(cli) = program("redis-cli", "redis-tools", &[]) else { return };
    let (namespace, dir) = (Namespace::new(), directory_of(NOBODY));
    let mut command = command_as(&namespace, NOBODY, server);
    // No snapshots, and open to who is not on its own machine.
    command.args(["--save", "", "--appendonly", "no", "--protected-mode", "no"]);
    command.args(["--bind", "0.0.0.0", "::", "--dir"]).arg(dir.path());
    let _server = Server::start(command, dir.path()).ready_on(&namespace, 6379);
    let run = |arguments: &[&str]| succeed(namespace.command(&client).args(ON).args(arguments));
    let kernel = |arguments: &[&str]| succeed(namespace.command(&cli).args(arguments));

    assert_eq!(run(&["SET", "greeting", "hello over our TCP"]), "OK\n");
    assert_eq!(kernel(&["GET", "greeting"]), "hello over our TCP\n");
    kernel(&["SET", "other", "and back"]);
    for at in ["10.45.0.1:6379", "[fd45::1]:6379"] {
        assert_eq!(run(&["--server", at, "GET", "other"]), "and back\n", "{at}");
    }
    let said = run(&["--keys", "10000"]);
    println!("{said}");
    for part in ["20000 answers", "16777216 bytes written and read", "1000 messages published"] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    // Those keys, the large one, and the two from above.
    assert_eq!(kernel(&["DBSIZE"]), "10003\n");
    // What the server refuses is an error with its words.
    let refused = output(namespace.command(&client).args(ON).args(["INCR", "greeting"]));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("not an integer"), "{said}");
}

#[test]
#[ignore = "needs root and /dev/net/tun"]
fn postgres_answers_tokio_postgres() {
    let Some(client) = example("postgres-client") else { return };
    let dirs = installed_versions();
    let dirs: Vec<&str> = dirs.iter().map(String::as_str).collect();
    let Some(initdb) = program("initdb", "postgresql", &dirs) else { return };
    let Some(server) = program("postgres", "postgresql", &dirs) else { return };
    let Some(is_ready) = program("pg_isready", "postgresql-client", &dirs) else { return };
    let (namespace, dir) = (Namespace::new(), directory_of(NOBODY));
    let data = dir.path().join("data");
    let mut init = command_as(&namespace, NOBODY, initdb);
    init.args(["--no-sync", "--auth", "trust", "--username", "postgres", "--locale", "C"]);
    succeed(init.arg("--pgdata").arg(&data));
    // A password over IPv4, none over IPv6.
    let access = "host all all 10.45.0.0/24 scram-sha-256\nhost all all fd45::/64 trust\n";
    append(&data.join("pg_hba.conf"), access);
    let mut command = command_as(&namespace, NOBODY, server);
    command.args(["-c", "fsync=off", "-c", "listen_addresses=*", "-c"]);
    command.arg(format!("unix_socket_directories={}", dir.path().display()));
    command.arg("-D").arg(&data);
    let server = Server::start(command, dir.path()).ready_when(|| {
        let mut ask = namespace.command(&is_ready);
        output(ask.args(["--quiet", "--host", "127.0.0.1"])).status.success()
    });
    let run = |arguments: &[&str]| {
        let mut command = namespace.command(&client);
        succeed(command.args(ON).env("PGPASSWORD", "a secret").args(arguments))
    };

    let v6 = ["--server", "[fd45::1]:5432"];
    run(&[&v6[..], &["ALTER ROLE postgres PASSWORD 'a secret'"]].concat());
    let who = "SELECT inet_client_addr(), application_name FROM pg_stat_activity \
               WHERE pid = pg_backend_pid()";
    assert_eq!(run(&[who]), "10.45.0.2\tpostgres-client\n");
    assert_eq!(run(&[&v6[..], &[who]].concat()), "fd45::2\tpostgres-client\n");
    let said = run(&["--rows", "100000", "--statements", "1000"]);
    println!("{said}");
    for part in [
        "100000 rows",
        "1000 statements at once",
        "a transaction over 100000 rows rolled back",
        "10 notifications",
        "cancelled after",
    ] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    // Every connection was closed in order: the server would have said so.
    let said = server.said();
    assert!(!said.contains("connection reset") && !said.contains("unexpected EOF"), "{said}");
    let mut wrong = namespace.command(&client);
    let refused = output(wrong.args(ON).env("PGPASSWORD", "no secret").arg("SELECT 1"));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("password authentication"), "{said}");
}

/// Where the programs of a client make their device.
const ON: [&str; 2] = ["--tun", "tcp0"];

/// Debian has each version's programs in a directory of its own.
fn installed_versions() -> Vec<String> {
    let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") else { return Vec::new() };
    versions.flatten().map(|dir| dir.path().join("bin").display().to_string()).collect()
}

fn append(path: &Path, text: &str) {
    let before = std::fs::read_to_string(path).unwrap();
    std::fs::write(path, before + text).unwrap();
}

fn output(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"))
}

/// What a program says, which must succeed.
fn succeed(command: &mut Command) -> String {
    let output = output(command);
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

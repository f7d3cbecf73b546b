//! Where are tokio's tests compiled? A workspace in the target directory: the facade, and a package
//! with copies of the test files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

const FACADE: &str = "tests/tokio-facade";
const WORKSPACE: &str = "[workspace]\nresolver = \"3\"\nmembers = [\"facade\", \"tests\"]\n\n\
                         [profile.dev]\ndebug = \"line-tables-only\"\n";

pub(super) struct Scratch {
    root: PathBuf,
    /// The scratch workspace.
    folder: PathBuf,
    /// The package of tokio.
    tokio: PathBuf,
    pub(super) version: String,
}

/// What went wrong, in a form that `main` prints.
fn problem(what: impl std::fmt::Display) -> Vec<String> {
    vec![what.to_string()]
}

fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

impl Scratch {
    /// Asks cargo where tokio's package and the target directory are.
    pub(super) fn new(root: &Path) -> Result<Scratch, Vec<String>> {
        let mut ask = cargo();
        ask.args(["metadata", "--format-version", "1"]).current_dir(root);
        let answer = ask.stderr(Stdio::inherit()).output().map_err(problem)?;
        let metadata: Value = serde_json::from_slice(&answer.stdout).map_err(problem)?;
        let packages = metadata["packages"].as_array().map_or(&[][..], Vec::as_slice);
        let tokio = packages.iter().find(|p| p["name"] == "tokio" && p["source"].is_string());
        let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
        let tokio = tokio.ok_or_else(|| problem("cargo metadata names no package tokio"))?;
        let manifest = PathBuf::from(text(&tokio["manifest_path"]));
        Ok(Scratch {
            root: root.to_owned(),
            folder: PathBuf::from(text(&metadata["target_directory"])).join("tokio-tests"),
            tokio: manifest.parent().unwrap_or(Path::new("/")).to_owned(),
            version: text(&tokio["version"]),
        })
    }

    /// The package of the tests.
    pub(super) fn tests(&self) -> PathBuf {
        self.folder.join("tests")
    }

    /// tokio's test files that name one of the types we replace.
    pub(super) fn files_about_tcp(&self) -> Result<Vec<String>, Vec<String>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(self.tokio.join("tests")).map_err(problem)? {
            let path = entry.map_err(problem)?.path();
            if path.extension().is_none_or(|e| e != "rs") {
                continue;
            }
            let text = fs::read_to_string(&path).map_err(problem)?;
            let types = ["TcpStream", "TcpListener", "TcpSocket", "UdpSocket"];
            if types.iter().any(|name| text.contains(name)) {
                found.extend(path.file_stem().map(|s| s.to_string_lossy().into_owned()));
            }
        }
        found.sort();
        Ok(found)
    }

    /// Writes the workspace. The lock file is ours, so that the versions are, too.
    pub(super) fn write<'a>(
        &self,
        files: impl Iterator<Item = &'a str>,
    ) -> Result<(), Vec<String>> {
        let tests = self.tests().join("tests");
        if tests.exists() {
            fs::remove_dir_all(&tests).map_err(problem)?;
        }
        self.put("Cargo.toml", WORKSPACE)?;
        self.fill("facade.toml.in", "facade/Cargo.toml")?;
        self.fill("tests.toml.in", "tests/Cargo.toml")?;
        self.fill("src/lib.rs", "facade/src/lib.rs")?;
        self.put("tests/src/lib.rs", "//! Nothing: the tests are tokio's.\n")?;
        let lock = fs::read_to_string(self.root.join("Cargo.lock")).map_err(problem)?;
        self.put("Cargo.lock", &lock)?;
        let support = fs::read_dir(self.tokio.join("tests/support")).map_err(problem)?;
        let support = support.filter_map(|e| e.ok()?.file_name().into_string().ok());
        let support: Vec<_> = support.map(|name| format!("support/{name}")).collect();
        for file in files.map(|f| format!("{f}.rs")).chain(support) {
            let text = fs::read_to_string(self.tokio.join("tests").join(&file));
            self.put(&format!("tests/tests/{file}"), &text.map_err(problem)?)?;
        }
        Ok(())
    }

    /// Copies a file of the facade with version and path filled in.
    fn fill(&self, from: &str, to: &str) -> Result<(), Vec<String>> {
        let text = fs::read_to_string(self.root.join(FACADE).join(from)).map_err(problem)?;
        let root = self.root.to_string_lossy();
        self.put(to, &text.replace("@version@", &self.version).replace("@root@", &root))
    }

    /// Writes a file unless it says that already: cargo compiles again what is newer.
    fn put(&self, path: &str, text: &str) -> Result<(), Vec<String>> {
        let path = self.folder.join(path);
        if fs::read_to_string(&path).is_ok_and(|old| old == text) {
            return Ok(());
        }
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).map_err(problem)?;
        fs::write(&path, text).map_err(|e| vec![format!("{}: {e}", path.display())])
    }

    /// Compiles; returns each file's name and program.
    pub(super) fn build(&self) -> Result<Vec<(String, PathBuf)>, Vec<String>> {
        let mut build = cargo();
        build.args(["test", "--package", "tokio-tests", "--tests", "--no-run", "--quiet"]);
        build.args(["--message-format", "json-render-diagnostics"]);
        build.current_dir(&self.folder).env("CARGO_TARGET_DIR", self.folder.join("target"));
        let output = build.stderr(Stdio::inherit()).output().map_err(problem)?;
        if !output.status.success() {
            return Err(problem("tokio's tests do not compile against the facade"));
        }
        let messages = String::from_utf8_lossy(&output.stdout);
        let mut programs: Vec<_> = messages.lines().filter_map(program).collect();
        programs.sort();
        Ok(programs)
    }
}

/// The name and path of a test program, from a message of cargo.
fn program(message: &str) -> Option<(String, PathBuf)> {
    let message: Value = serde_json::from_str(message).ok()?;
    let is_test = message["target"]["kind"][0] == "test";
    let path = message["executable"].as_str().filter(|_| is_test)?;
    Some((message["target"]["name"].as_str()?.to_owned(), path.into()))
}

//! Where is the checkout, and which Rust files does it hold?
//!
//! Build output is left out, wherever it lies.

use std::fs;
use std::path::{Path, PathBuf};

use crate::rust_source::RustSource;

/// The root of the checkout that cargo runs this in.
pub(crate) fn root() -> PathBuf {
    // At run time rather than at compile time: two checkouts may share a target directory.
    let manifest = std::env::var("CARGO_MANIFEST_DIR")
        .unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_owned());
    Path::new(&manifest).parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// Every Rust file below `root/folder`, parsed, by path; none if the folder does not exist.
pub(crate) fn sources(root: &Path, folder: &str) -> Result<Vec<RustSource>, Vec<String>> {
    let mut paths = Vec::new();
    rust_files(&root.join(folder), &mut paths).map_err(|e| vec![format!("{folder}: {e}")])?;
    paths.sort();
    paths.iter().map(|path| parse(root, path)).collect()
}

/// The text of a file of the checkout.
pub(crate) fn read(root: &Path, path: &str) -> Result<String, Vec<String>> {
    fs::read_to_string(root.join(path)).map_err(|e| vec![format!("{path}: {e}")])
}

fn parse(root: &Path, path: &Path) -> Result<RustSource, Vec<String>> {
    let relative = path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/");
    let text = read(root, &relative)?;
    Ok(RustSource::parse(relative, &text))
}

fn rust_files(folder: &Path, into: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                rust_files(&path, into)?;
            }
        } else if name.ends_with(".rs") {
            into.push(path);
        }
    }
    Ok(())
}

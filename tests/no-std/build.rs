//! What must the linker know to make a program without the standard library?

fn main() {
    // The standard library is what asks for the C library; its start-up code calls our `main`.
    println!("cargo::rustc-link-arg-bins=-lc");
    println!("cargo::rerun-if-changed=build.rs");
}

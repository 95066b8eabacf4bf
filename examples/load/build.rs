//! Notes the compiler and how it was told to optimise: a report of a load says what it was made with.

#![expect(
    clippy::disallowed_methods,
    reason = "nothing else runs in a build script"
)]

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let version = Command::new(rustc).arg("--version").output().ok();
    let version = version.and_then(|output| String::from_utf8(output.stdout).ok());
    let version = version.as_deref().map_or("unknown", str::trim);
    println!("cargo:rustc-env=LOAD_RUSTC={version}");
    // Separated by the unit separator, as cargo hands them over.
    let flags = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    println!(
        "cargo:rustc-env=LOAD_RUSTFLAGS={}",
        flags.replace('\u{1f}', " ")
    );
    for (name, variable) in [
        ("LOAD_OPT_LEVEL", "OPT_LEVEL"),
        ("LOAD_PROFILE", "PROFILE"),
        ("LOAD_TARGET", "TARGET"),
    ] {
        let value = std::env::var(variable).unwrap_or_default();
        println!("cargo:rustc-env={name}={value}");
    }
}

//! Texts of the kernel. The entry function and what it checks are in `src/fuzzing.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pollscope::fuzzing::procfs(data));

//! Stacks and registers. The entry function and what it checks are in `src/fuzzing.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    pollscope::fuzzing::unwind(data);
});

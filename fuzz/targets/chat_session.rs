//! Conversations on an IRC server. The entry function and what it checks are in `examples/chat/src/fuzzing.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| chat::fuzzing::converse(data));

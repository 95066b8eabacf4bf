//! What is fed with garbage: parsers of the kernel's texts, the unwinder, the decoders of code and tables.
//!
//! The entry functions are those of the targets in `fuzz/` and of the driver below, which runs in every `cargo test` on
//! inputs that are the same each time: real texts cut and changed, and random bytes.

/// Every parser of `/proc` and its kin.
///
/// # Panics
///
/// When one panics or invents something: that is the finding.
pub fn procfs(data: &[u8]) {
    crate::procfs::garbage::parse_all(data);
}

/// The unwinder, on two stacks made of `data`; gives how many of them came out whole with a frame of garbage.
///
/// # Panics
///
/// When it panics, does not stop, or calls a stack proven that has a frame of garbage.
pub fn unwind(data: &[u8]) -> usize {
    crate::capture::garbage::unwind(data)
}

/// The decoders of calls, prologues, unwind tables and notes.
///
/// # Panics
///
/// When one panics.
pub fn decode(data: &[u8]) {
    crate::capture::garbage::decode(data);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::sys;

    /// xorshift64*: the same inputs in every run.
    struct Random(u64);

    impl Random {
        fn next(&mut self) -> u64 {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
        }

        fn below(&mut self, limit: usize) -> usize {
            usize::try_from(self.next() % (limit.max(1) as u64)).unwrap()
        }

        fn bytes(&mut self, len: usize) -> Vec<u8> {
            (0..len).map(|_| self.next().to_le_bytes()[3]).collect()
        }

        /// `seed` after a few of the accidents that texts and tables meet.
        fn changed(&mut self, seed: &[u8], pieces: &[&[u8]]) -> Vec<u8> {
            let mut data = seed.to_vec();
            for _ in 0..=self.below(4) {
                let at = self.below(data.len() + 1);
                match self.below(6) {
                    0 => data.truncate(at),
                    1 => data.drain(..at).for_each(drop),
                    2 if at < data.len() => data[at] = self.next().to_le_bytes()[0],
                    3 if at < data.len() => data[at] ^= 1 << self.below(8),
                    4 => {
                        let again = data[at..].to_vec();
                        data.extend(again);
                    }
                    _ => {
                        let piece = pieces[self.below(pieces.len())];
                        data.splice(at..at, piece.iter().copied()).for_each(drop);
                    }
                }
                data.truncate(4096);
            }
            data
        }
    }

    const TEXTS: [&[u8]; 12] = [
        b"202 0x7f0012345678 0x80 0x2 0x0 0x0 0xffffffff 0x7ffd12345678 0x7f00deadbeef\n",
        b"running\n",
        b"-1 0x7ffd12345678 0x7f00deadbeef\n",
        b"71 (a (b) c) S 1 71 71 0 -1 4194624 90 0 3 0 11 22 0 0 20 0 4 0 999 81920 512 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0\n",
        b"123456789 987654321 42\n",
        b"Name:\tx\nTracerPid:\t0\nvoluntary_ctxt_switches:\t28\nnonvoluntary_ctxt_switches:\t4\n",
        b"pos:\t0\nflags:\t02\ntfd:        5 events:       19 data: 0 pos:0\n",
        b"0::/user.slice/app.service\n4:cpu,cpuacct:/docker/1\n",
        b"nr_periods 9\nnr_throttled 4\nthrottled_usec 1234\nthrottled_time 99\n",
        b"cpu  39957 0 8140 51978 355 0 41 27 0 0\ncpu0 1 2 3\n",
        b"some avg10=0.00 avg60=0.00 avg300=0.00 total=12345\nfull total=1\n",
        b"7ffd1000-7ffd3000 rw-p 00000000 00:00 0 [stack]\n",
    ];

    const TEXT_PIECES: [&[u8]; 9] = [
        b"18446744073709551616",
        b"-1",
        b"0x",
        b"\n",
        b"(",
        b") ",
        b"\xff\xfe",
        b" ",
        b"99999999999999999999999",
    ];

    const CODES: [&[u8]; 4] = [
        b"\x55\x48\x89\xe5\x41\x57\x41\x56\x53\x48\x81\xec\x00\x10\x00\x00\x48\x83\xec\x28\xe8\x10\x00\x00\x00\x90\x90",
        b"\xf3\x0f\x1e\xfa\xf2\xff\x25\x08\x00\x00\x00\xff\x15\x04\x00\x00\x00\x90",
        b"\x01\x1b\x03\x3b\x10\x00\x00\x00\x03\x00\x00\x00\x00\xf0\xff\xff\x00\x00\x00\x00\x00\xf8\xff\xff\x00\x00\x00\x00",
        b"\x04\x00\x00\x00\x14\x00\x00\x00\x03\x00\x00\x00GNU\0\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14",
    ];

    const CODE_PIECES: [&[u8]; 5] = [
        b"\xe8\xff\xff\xff\x7f",
        b"\xff\x15\x00\x00\x00\x80",
        b"\x48\x81\xec\xff\xff\xff\xff",
        b"\xff\xff\xff\xff",
        b"\xff\xff\xff\xff\xff\xff\xff\x7f",
    ];

    /// Texts as the kernel writes them, cut and changed, and socket addresses of random bytes.
    #[test]
    fn texts_cost_no_panic() {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        for round in 0..60_000 {
            let seed = TEXTS[round % TEXTS.len()];
            procfs(&random.changed(seed, &TEXT_PIECES));
        }
        for _ in 0..20_000 {
            let len = random.below(64);
            procfs(&random.bytes(len));
        }
    }

    /// Code, tables and notes, cut and changed, and random bytes.
    #[test]
    fn code_costs_no_panic() {
        let mut random = Random(0xd1b5_4a32_d192_ed03);
        for round in 0..20_000 {
            decode(&random.changed(CODES[round % CODES.len()], &CODE_PIECES));
            let len = random.below(128);
            decode(&random.bytes(len));
        }
    }

    /// Stacks of plausible words, few and far more than the frames that are kept: none of those words is proven, though
    /// many stacks with such frames come out whole.
    #[test]
    fn stacks_cost_no_panic_and_prove_nothing() {
        let mut random = Random(0x94d0_49bb_1331_11eb);
        let mut whole = 0;
        for round in 0..6_000 {
            let words = 2 + random.below(if round % 4 == 0 { 1024 } else { 32 });
            whole += unwind(&random.bytes(words * 8));
        }
        assert!(
            whole > 100 || sys::thread_stack().is_none(),
            "{whole} came out whole with a frame of garbage"
        );
    }
}

//! Stacks recorded on both architectures, unwound on whichever this is.

use std::ops::Range;

use super::arch::{Aarch64, Arch, X86_64};
use super::memory::Memory;
use super::sys::{RawModule, Registers, Segment, StackCopy};
use super::unwind::{StackUnwinder, Unwound};

const AARCH64: &str = include_str!("fixtures/aarch64.txt");
const X86_64_TEXT: &str = include_str!("fixtures/x86_64.txt");

/// The frames of the recorded thread, innermost first.
const FRAMES: [&str; 5] = ["wait_in_kernel", "waits", "task", "outer", "_start"];

/// A recorded thread, and the memory of its program.
struct Recording {
    registers: Registers,
    functions: Vec<(String, u64)>,
    memory: Vec<(String, u64, Vec<u8>)>,
}

impl Recording {
    fn parse(text: &str) -> Self {
        let mut recording = Self {
            registers: Registers::default(),
            functions: Vec::new(),
            memory: Vec::new(),
        };
        let number = |text: &str| u64::from_str_radix(text, 16).unwrap();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["register", "pc", value] => recording.registers.pc = number(value),
                ["register", "sp", value] => recording.registers.sp = number(value),
                ["register", "bp", value] => recording.registers.bp = Some(number(value)),
                ["register", "lr", value] => recording.registers.lr = Some(number(value)),
                ["function", name, address] => {
                    let function = ((*name).to_owned(), number(address));
                    recording.functions.push(function);
                }
                ["memory", name, address] => {
                    let block = ((*name).to_owned(), number(address), Vec::new());
                    recording.memory.push(block);
                }
                [digits] => {
                    let bytes = (0..digits.len() / 2)
                        .map(|index| u8::from_str_radix(&digits[index * 2..][..2], 16).unwrap());
                    recording.memory.last_mut().unwrap().2.extend(bytes);
                }
                _ => panic!("{line}"),
            }
        }
        recording
    }

    fn block(&self, wanted: &str) -> (Range<u64>, &[u8]) {
        let (_, start, bytes) = self
            .memory
            .iter()
            .find(|(name, ..)| name == wanted)
            .unwrap();
        (*start..start + bytes.len() as u64, bytes)
    }

    fn module(&self) -> RawModule {
        let segment = |name, executable| Segment {
            range: self.block(name).0,
            executable,
            writable: false,
        };
        RawModule {
            path: String::new(),
            bias: 0,
            segments: vec![segment(".text", true), segment(".eh_frame", false)],
            eh_frame_hdr: Some(self.block(".eh_frame_hdr").0),
            notes: Vec::new(),
            tls_bytes: 0,
            tls_align: 1,
        }
    }

    /// The stack with so many bytes of zero beyond its end.
    fn copy(&self, registers: Registers, beyond: usize) -> StackCopy {
        let mut bytes = self.block("stack").1.to_vec();
        bytes.resize(bytes.len() + beyond, 0);
        StackCopy {
            registers,
            bytes,
            truncated: false,
        }
    }

    fn unwind<A: Arch>(&self, copy: &StackCopy) -> Unwound {
        let mut unwinder = StackUnwinder::<A>::new();
        unwinder.refresh(vec![self.module()], self);
        unwinder.unwind(copy, self)
    }

    /// Names of the functions that hold the addresses.
    fn names(&self, unwound: &Unwound) -> Vec<&str> {
        let name = |address: &u64| {
            let mut below = self.functions.iter().filter(|(_, start)| start <= address);
            let first = below.next().expect("an address in the program");
            let nearest = below.fold(first, |a, b| if b.1 > a.1 { b } else { a });
            nearest.0.as_str()
        };
        unwound.addresses.iter().map(name).collect()
    }

    /// Registers as the kernel tells them of a blocked thread.
    fn blocked(&self) -> Registers {
        Registers {
            pc: self.registers.pc,
            sp: self.registers.sp,
            ..Registers::default()
        }
    }

    /// The thread as if `waits` made the system call itself, which is read from outside: its frame pointer must be found.
    fn blocked_in_waits<A: Arch>(&self) -> StackCopy {
        /// What `wait_in_kernel` keeps on the stack, with its return address.
        const CALLEE_BYTES: u64 = 32;
        let whole = self.copy(self.registers, 0);
        StackCopy {
            registers: Registers {
                pc: self.unwind::<A>(&whole).addresses[1] + 1,
                sp: whole.registers.sp + CALLEE_BYTES,
                ..Registers::default()
            },
            bytes: whole.bytes[usize::try_from(CALLEE_BYTES).unwrap()..].to_vec(),
            truncated: false,
        }
    }

    /// Where `waits` returns to in `task`.
    fn return_of_waits<A: Arch>(&self) -> u64 {
        let unwound = self.unwind::<A>(&self.copy(self.registers, 0));
        unwound.addresses[2] + 1
    }

    /// The same program with other instructions before that place.
    fn with_call<A: Arch>(mut self, instructions: &[u8]) -> Self {
        let end = self.return_of_waits::<A>() - self.block(".text").0.start;
        let end = usize::try_from(end).unwrap();
        let text = self.memory.iter_mut().find(|(name, ..)| name == ".text");
        text.unwrap().2[end - instructions.len()..end].copy_from_slice(instructions);
        self
    }
}

impl Memory for Recording {
    fn read(&self, address: u64, bytes: &mut [u8]) -> bool {
        let source = self.memory.iter().find_map(|(_, start, block)| {
            let offset = usize::try_from(address.checked_sub(*start)?).ok()?;
            block.get(offset..offset.checked_add(bytes.len())?)
        });
        source.is_some_and(|source| {
            bytes.copy_from_slice(source);
            true
        })
    }
}

fn both(check: impl Fn(&str, &dyn Fn(&Recording, &StackCopy) -> Unwound, &str)) {
    check("aarch64", &Recording::unwind::<Aarch64>, AARCH64);
    check("x86_64", &Recording::unwind::<X86_64>, X86_64_TEXT);
}

/// With all registers, as in a signal handler, and with two only, as of a blocked thread, the same whole stack comes out.
#[test]
fn recorded_stacks_are_whole() {
    both(|arch, unwind, text| {
        let recording = Recording::parse(text);
        for registers in [recording.registers, recording.blocked()] {
            let unwound = unwind(&recording, &recording.copy(registers, 0));
            let names = recording.names(&unwound);
            // On aarch64 the chain of frame pointers ends in the function that `_start` called.
            let expected = &FRAMES[..names.len().clamp(4, 5)];
            assert_eq!(names, expected, "{arch} {unwound:x?}");
            assert!(unwound.complete && unwound.confirmed, "{arch} {unwound:x?}");
        }
    });
}

/// A stack that goes on for long behind what looks like its start was not understood.
#[test]
fn a_start_far_from_the_end_is_none() {
    both(|arch, unwind, text| {
        let recording = Recording::parse(text);
        for registers in [recording.registers, recording.blocked()] {
            let unwound = unwind(&recording, &recording.copy(registers, 64 * 1024));
            assert!(!unwound.complete, "{arch} {unwound:x?}");
        }
    });
}

/// A call through a register could have entered any function: the stack is whole but not confirmed. A call of another
/// function, or no call at all, cuts it.
#[test]
fn the_call_must_not_contradict() {
    fn check<A: Arch>(text: &str, instructions: &[u8], is_open: bool) {
        let recording = Recording::parse(text).with_call::<A>(instructions);
        let unwound = recording.unwind::<A>(&recording.blocked_in_waits::<A>());
        assert_eq!(unwound.complete, is_open, "{instructions:x?} {unwound:x?}");
        assert!(!unwound.confirmed || !is_open, "{unwound:x?}");
    }
    fn check_as_it_is<A: Arch>(text: &str) {
        let recording = Recording::parse(text);
        let unwound = recording.unwind::<A>(&recording.blocked_in_waits::<A>());
        assert!(unwound.complete && unwound.confirmed, "{unwound:x?}");
    }
    check_as_it_is::<X86_64>(X86_64_TEXT);
    check_as_it_is::<Aarch64>(AARCH64);
    // call r8 behind something else; call of itself; nops
    check::<X86_64>(X86_64_TEXT, &[0x90, 0x90, 0x41, 0xff, 0xd0], true);
    check::<X86_64>(X86_64_TEXT, &[0xe8, 0xfb, 0xff, 0xff, 0xff], false);
    check::<X86_64>(X86_64_TEXT, &[0x90; 5], false);
    // blr x8; bl to itself; nop
    check::<Aarch64>(AARCH64, &0xd63f_0100_u32.to_le_bytes(), true);
    check::<Aarch64>(AARCH64, &0x9400_0000_u32.to_le_bytes(), false);
    check::<Aarch64>(AARCH64, &0xd503_201f_u32.to_le_bytes(), false);
}

/// With all registers the tables lead on through any word, so a return address that no call stands before leaves the stack
/// unconfirmed. Which function the call names does not matter: the callee may have jumped on.
#[test]
fn a_return_address_must_follow_a_call() {
    fn check<A: Arch>(text: &str, instructions: &[u8], is_call: bool) {
        let recording = Recording::parse(text).with_call::<A>(instructions);
        let unwound = recording.unwind::<A>(&recording.copy(recording.registers, 0));
        assert!(unwound.complete, "{instructions:x?} {unwound:x?}");
        assert_eq!(unwound.confirmed, is_call, "{instructions:x?} {unwound:x?}");
    }
    // call of itself; call r8 behind something else; nops
    check::<X86_64>(X86_64_TEXT, &[0xe8, 0xfb, 0xff, 0xff, 0xff], true);
    check::<X86_64>(X86_64_TEXT, &[0x90, 0x90, 0x41, 0xff, 0xd0], true);
    check::<X86_64>(X86_64_TEXT, &[0x90; 5], false);
    // bl to itself; blr x8; nop
    check::<Aarch64>(AARCH64, &0x9400_0000_u32.to_le_bytes(), true);
    check::<Aarch64>(AARCH64, &0xd63f_0100_u32.to_le_bytes(), true);
    check::<Aarch64>(AARCH64, &0xd503_201f_u32.to_le_bytes(), false);
}

/// Functions without unwind tables are followed by their frame pointers, which may leave out a caller.
#[test]
fn code_without_tables_confirms_nothing() {
    both(|arch, unwind, text| {
        let mut recording = Recording::parse(text);
        let header = recording
            .memory
            .iter_mut()
            .find(|(name, ..)| name == ".eh_frame_hdr");
        // The first function has the record of another.
        let table = &mut header.unwrap().2[12..];
        let second = table[12..16].to_vec();
        table[4..8].copy_from_slice(&second);
        let unwound = unwind(&recording, &recording.copy(recording.registers, 0));
        assert!(
            !unwound.complete || !unwound.confirmed,
            "{arch} {unwound:x?}"
        );
    });
}

/// Without the link register a leaf function's caller is not known, and nothing is made up.
#[test]
fn a_leaf_ends_what_can_be_proven() {
    let recording = Recording::parse(AARCH64);
    let entry = recording.functions.iter().find(|(name, _)| name == "waits");
    let registers = Registers {
        // The first instruction: the frame is not set up, as in a function that never has one.
        pc: entry.unwrap().1,
        ..recording.blocked()
    };
    let unwound = recording.unwind::<Aarch64>(&recording.copy(registers, 0));
    assert_eq!(unwound.addresses, [registers.pc]);
    assert!(!unwound.complete);
}

/// Where a system call was broken off is seen in the code around the program counter and in its result.
#[test]
fn interrupted_calls_are_recognised() {
    fn check<A: Arch>(text: &str, instruction_bytes: u64) {
        let recording = Recording::parse(text);
        let at = |pc, result: i64| {
            let registers = Registers {
                pc,
                result: Some(result.cast_unsigned()),
                ..recording.registers
            };
            A::is_interrupted_call(&recording, &registers)
        };
        let after = recording.registers.pc;
        assert!(at(after, -4), "EINTR");
        assert!(!at(after, 8), "it had done its work");
        assert!(at(after - instruction_bytes, 202), "to be made again");
        assert!(!at(after - instruction_bytes - 4, -4), "elsewhere");
        assert!(!at(1, -4), "nowhere");
        let comes_out = |pc| A::is_at_call(&recording, pc);
        assert!(comes_out(after) && comes_out(after - instruction_bytes));
        assert!(!comes_out(after - instruction_bytes - 4) && !comes_out(1));
    }
    check::<X86_64>(X86_64_TEXT, 2);
    check::<Aarch64>(AARCH64, 4);
}

//! The unwinder and the decoders on garbage, for the fuzz targets and their driver.
//!
//! Garbage here is of the plausible kind: words of a stack that point into real code and into the stack itself, code that
//! looks like calls and prologues, tables with lying counts. The stacks end as a real thread's does, so that many of them
//! come out whole. The answer may be anything that was there, but it ends, and no stack is proven on the word of garbage:
//! none of its words points behind what could be a call. A word that does cannot be told from a return address.

use std::cell::RefCell;
use std::ops::Range;

use super::arch::{Aarch64, Arch, PROLOGUE_BYTES, X86_64};
use super::build_id::build_id;
use super::memory::{Memory, OwnMemory};
use super::modules::{eh_frame_start, function_start};
use super::sys::{self, Registers, StackCopy};
use super::unwind::{FRAMES_MAX, StackUnwinder};
use genuine::Genuine;

mod genuine;

/// Where a stack of garbage alone lies: nothing of this process does.
const STACK_BASE: u64 = 0x7f00_0000_0000 - (1 << 20);

/// Bytes of stack made of one input at most.
const STACK_BYTES_MAX: usize = 16 * 1024;

/// Words of a real stack that one input overwrites at most.
const OVERWRITTEN_MAX: usize = 4;

/// Where the garbage's code lies.
const CODE_BASE: u64 = 0x1_0000;

/// An unwinder, and what the words of its stacks are made of.
struct Setting {
    /// With the modules of this process; the same for every input, as a watchdog's is.
    unwinder: StackUnwinder,
    /// Starts and lengths of this process's code.
    code: Vec<(u64, u64)>,
    /// What the garbage lies on, where such a thing can be had.
    genuine: Option<Genuine>,
}

impl Setting {
    fn new() -> Self {
        let mut unwinder = StackUnwinder::new();
        unwinder.refresh(sys::modules(), &OwnMemory);
        Self {
            code: unwinder.code(),
            genuine: Genuine::capture(&mut unwinder),
            unwinder,
        }
    }
}

thread_local! {
    static SETTING: RefCell<Setting> = RefCell::new(Setting::new());
}

/// Unwinds two stacks made of `data`, in which each eight bytes become a word that points into code, into the stack, or
/// nowhere: one of such words and registers up to the start of a real thread, and a real one some words of which they
/// overwrite. Gives how many of the two came out whole with a frame of garbage in them.
///
/// # Panics
///
/// When the unwinder panics, gives more frames than it may, or calls a stack proven that has a frame of garbage.
pub(crate) fn unwind(data: &[u8]) -> usize {
    SETTING.with_borrow_mut(|setting| {
        let stacks = [heap_of_garbage(data, setting), overwritten(data, setting)];
        let stacks = stacks.into_iter().flatten();
        stacks
            .filter(|copy| comes_out_with_garbage(copy, setting))
            .count()
    })
}

fn comes_out_with_garbage(copy: &StackCopy, setting: &mut Setting) -> bool {
    let unwound = setting.unwinder.unwind_copy(copy, &OwnMemory);
    assert!(unwound.addresses.len() <= FRAMES_MAX);
    let innermost = unwound.addresses.first();
    assert_eq!(innermost, Some(&copy.registers.pc), "the innermost frame");
    // The innermost frame is where the thread was, by its register.
    let callers = &unwound.addresses[1..];
    let genuine = setting.genuine.as_ref();
    let is_genuine = |address: &u64| genuine.is_some_and(|genuine| genuine.holds(*address));
    let has_garbage = !callers.iter().all(is_genuine);
    assert!(
        !(unwound.complete && unwound.confirmed && has_garbage),
        "garbage is proven: {unwound:x?}"
    );
    unwound.complete && has_garbage
}

/// Garbage from the stack pointer up to where a real thread starts.
fn heap_of_garbage(data: &[u8], setting: &Setting) -> Option<StackCopy> {
    let chunks = data.chunks_exact(8).take(2 + STACK_BYTES_MAX / 8);
    let garbage_bytes = chunks.len().checked_sub(2)? as u64 * 8;
    let (end, tail) = match &setting.genuine {
        Some(genuine) => (
            genuine.copy.registers.sp + genuine.tail as u64,
            &genuine.copy.bytes[genuine.tail..],
        ),
        None => (STACK_BASE, &[][..]),
    };
    let sp = end - garbage_bytes;
    let mut words = chunks.map(|chunk| plausible(chunk, sp..end, &setting.code));
    let (pc, bp) = (words.next()?, words.next()?);
    let mut bytes: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
    bytes.extend_from_slice(tail);
    Some(StackCopy {
        registers: Registers {
            pc,
            sp,
            bp: (bp % 2 == 0).then_some(bp),
            ..Registers::default()
        },
        bytes,
        truncated: false,
    })
}

/// A real stack, in which garbage stands in the place of some words.
fn overwritten(data: &[u8], setting: &Setting) -> Option<StackCopy> {
    let genuine = setting.genuine.as_ref()?;
    let mut copy = genuine.copy.clone();
    let sp = copy.registers.sp;
    // Not the start of the thread: with it every stack would be cut.
    let words = genuine.tail / 8;
    for pair in data.chunks_exact(16).take(OVERWRITTEN_MAX) {
        let (place, word) = pair.split_at(8);
        let place = place.try_into().map_or(0, u64::from_le_bytes) % words.max(1) as u64;
        let at = usize::try_from(place).ok()? * 8;
        let word = plausible(word, sp..sp + genuine.tail as u64, &setting.code);
        copy.bytes[at..at + 8].copy_from_slice(&word.to_le_bytes());
    }
    Some(copy)
}

/// Decodes `data` as code, as a table and as notes.
///
/// # Panics
///
/// When a decoder panics.
pub(crate) fn decode(data: &[u8]) {
    let code = Code(data);
    decode_for::<X86_64>(&code);
    decode_for::<Aarch64>(&code);
    let address = data
        .first_chunk()
        .map_or(0, |word| u64::from_le_bytes(*word));
    for (header_start, wanted) in [
        (CODE_BASE, address),
        (address, CODE_BASE),
        (address, address),
    ] {
        std::hint::black_box((
            eh_frame_start(data, header_start),
            function_start(data, header_start, wanted),
        ));
    }
    if let Some(id) = build_id(data) {
        assert!(id.len() <= 2 * data.len());
    }
}

fn decode_for<A: Arch>(code: &Code<'_>) {
    for offset in 0..PROLOGUE_BYTES {
        let at = CODE_BASE + offset as u64;
        let registers = Registers {
            pc: at,
            result: code.0.first_chunk().map(|word| u64::from_le_bytes(*word)),
            ..Registers::default()
        };
        std::hint::black_box((
            A::call_into(code, &(CODE_BASE..at), CODE_BASE),
            A::is_interrupted_call(code, &registers),
            A::is_at_call(code, registers.pc),
            code.0.get(offset..).and_then(A::frame_distance),
        ));
    }
}

fn plausible(chunk: &[u8], stack: Range<u64>, code: &[(u64, u64)]) -> u64 {
    let word = chunk.try_into().map_or(0, u64::from_le_bytes);
    let (kind, value) = (word % 8, word >> 3);
    match kind {
        0 => value,
        1 => 0,
        2..=4 => stack.start + value % ((stack.end - stack.start) / 8).max(1) * 8,
        _ => {
            let index = usize::try_from(value % code.len().max(1) as u64).unwrap_or(0);
            code.get(index).map_or(value, |(start, len)| {
                behind_no_call(start + (value >> 8) % (*len).max(1))
            })
        }
    }
}

/// The first address from there on that does not lie behind what could be a call on either architecture.
fn behind_no_call(mut address: u64) -> u64 {
    let mut code = [0; 256];
    while OwnMemory.read(address.saturating_sub(8), &mut code) {
        if let Some(steps) = code.windows(8).position(|before| !may_be_call(before)) {
            return address + steps as u64;
        }
        address += (code.len() - 8) as u64;
    }
    // The last bytes of a segment.
    0
}

/// Whether eight bytes end with anything like a call. By its opcode alone, so more often than not it is none: `e8` before
/// four bytes, `ff` and what follows it, or `bl`, `blr` and its kin by the highest byte of an instruction.
fn may_be_call(before: &[u8]) -> bool {
    before[3] == 0xe8 || before.contains(&0xff) || matches!(before[7], 0x94..=0x97 | 0xd6 | 0xd7)
}

/// Code that ends, with a few bytes of it as its own slots.
struct Code<'a>(&'a [u8]);

impl Memory for Code<'_> {
    fn read(&self, address: u64, bytes: &mut [u8]) -> bool {
        let from = address.wrapping_sub(CODE_BASE);
        let found = usize::try_from(from)
            .ok()
            .and_then(|from| self.0.get(from..from.checked_add(bytes.len())?));
        found.is_some_and(|found| {
            bytes.copy_from_slice(found);
            true
        })
    }
}

//! The unwinder and the decoders on garbage, for the fuzz targets and their driver.
//!
//! Garbage here is of the plausible kind: words of a stack that point into real code and into the stack itself, code that
//! looks like calls and prologues, tables with lying counts. The answer may be anything that was there, but it ends, and a
//! stack is never proven: the words leave out what alone makes one whole, a return address into a function that starts a
//! thread.

use std::cell::RefCell;
use std::ops::Range;

use super::arch::{Aarch64, Arch, PROLOGUE_BYTES, X86_64};
use super::build_id::build_id;
use super::memory::{Memory, OwnMemory};
use super::modules::{eh_frame_start, function_start};
use super::sys::{self, Registers, StackCopy};
use super::unwind::{FRAMES_MAX, StackUnwinder};

/// Where the garbage's stack lies: nothing of this process does.
const STACK_BASE: u64 = 0x7f00_0000_0000 - (1 << 20);

/// Bytes of stack made of one input at most.
const STACK_BYTES_MAX: usize = 16 * 1024;

/// Where the garbage's code lies.
const CODE_BASE: u64 = 0x1_0000;

/// An unwinder, and what the words of its stacks are made of.
struct Setting {
    /// With the modules of this process; the same for every input, as a watchdog's is.
    unwinder: StackUnwinder,
    /// Starts and lengths of this process's code.
    code: Vec<(u64, u64)>,
    /// Functions that no word points into.
    thread_starts: Vec<Range<u64>>,
}

impl Setting {
    fn new() -> Self {
        let mut unwinder = StackUnwinder::new();
        unwinder.refresh(sys::modules(), &OwnMemory);
        Self {
            code: unwinder.code(),
            thread_starts: unwinder.thread_starts(&OwnMemory),
            unwinder,
        }
    }
}

thread_local! {
    static SETTING: RefCell<Setting> = RefCell::new(Setting::new());
}

/// Unwinds a stack and registers made of `data`: each eight bytes become a word that points into code, into the stack, or
/// nowhere.
///
/// # Panics
///
/// When the unwinder panics, gives more frames than it may, or calls the stack proven.
pub(crate) fn unwind(data: &[u8]) {
    SETTING.with_borrow_mut(|setting| unwind_in(setting, data));
}

fn unwind_in(setting: &mut Setting, data: &[u8]) {
    let mut words = data.chunks_exact(8).map(|chunk| plausible(chunk, setting));
    let (Some(pc), Some(bp)) = (words.next(), words.next()) else {
        return;
    };
    let bytes: Vec<u8> = words
        .take(STACK_BYTES_MAX / 8)
        .flat_map(u64::to_le_bytes)
        .collect();
    let registers = Registers {
        pc,
        sp: STACK_BASE,
        bp: (bp % 2 == 0).then_some(bp),
        ..Registers::default()
    };
    let copy = StackCopy {
        registers,
        bytes,
        truncated: false,
    };
    let unwound = setting.unwinder.unwind_copy(&copy, &OwnMemory);
    assert!(unwound.addresses.len() <= FRAMES_MAX);
    assert_eq!(unwound.addresses.first(), Some(&pc), "the innermost frame");
    assert!(
        !(unwound.complete && unwound.confirmed),
        "no garbage is proven: {unwound:x?}"
    );
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

fn plausible(chunk: &[u8], setting: &Setting) -> u64 {
    let Setting {
        code,
        thread_starts,
        ..
    } = setting;
    let word = chunk.try_into().map_or(0, u64::from_le_bytes);
    let (kind, value) = (word % 8, word >> 3);
    let word = match kind {
        0 => value,
        1 => 0,
        2..=4 => STACK_BASE + value % (STACK_BYTES_MAX as u64),
        _ => {
            let index = usize::try_from(value % code.len().max(1) as u64).unwrap_or(0);
            code.get(index)
                .map_or(value, |(start, len)| start + (value >> 8) % (*len).max(1))
        }
    };
    // A return address is behind its call, so it may be the end of its function.
    let starts_thread = |range: &Range<u64>| range.start <= word && word <= range.end;
    if thread_starts.iter().any(starts_thread) {
        STACK_BASE
    } else {
        word
    }
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

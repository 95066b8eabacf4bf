//! x86-64: registers, unwinder, and what its code says.

mod call;
mod prologue;

use std::ops::Range;

use framehop::MayAllocateDuringUnwind;
use framehop::x86_64::{CacheX86_64, UnwindRegsX86_64, UnwinderX86_64};

use super::{Arch, CallProof, MINUS_EINTR, UNKNOWN_REGISTER};
use crate::capture::memory::Memory;
use crate::capture::modules::Bytes;
use crate::capture::sys::Registers;

/// `syscall` (Intel SDM vol. 2).
const SYSCALL: [u8; 2] = [0x0f, 0x05];

/// The 64-bit architecture of Intel and AMD.
#[derive(Debug)]
pub(crate) struct X86_64;

impl Arch for X86_64 {
    type Unwinder = UnwinderX86_64<Bytes, MayAllocateDuringUnwind>;
    type State = UnwindRegsX86_64;
    type Cache = CacheX86_64<MayAllocateDuringUnwind>;

    fn unwinder() -> Self::Unwinder {
        UnwinderX86_64::new()
    }

    fn cache() -> Self::Cache {
        CacheX86_64::new()
    }

    fn state(registers: &Registers, _code_end: u64) -> Self::State {
        let frame_pointer = registers.bp.unwrap_or(UNKNOWN_REGISTER);
        UnwindRegsX86_64::new(registers.pc, registers.sp, frame_pointer)
    }

    fn stack_pointer(state: &Self::State) -> u64 {
        state.sp()
    }

    fn return_beside_zero(
        _state: &Self::State,
        _read: &mut dyn FnMut(u64) -> Result<u64, ()>,
    ) -> Option<u64> {
        // The psABI marks the end so, but code without frame pointers may keep any zero there.
        None
    }

    fn with_frame_pointer(mut state: Self::State, frame_pointer: u64) -> Self::State {
        state.set_bp(frame_pointer);
        state
    }

    fn frame_distance(code: &[u8]) -> Option<u64> {
        prologue::distance(code)
    }

    fn call_into(memory: &dyn Memory, caller: &Range<u64>, entry: u64) -> CallProof {
        call::call_into(memory, caller, entry)
    }

    fn is_after_call(memory: &dyn Memory, return_address: u64) -> bool {
        call::is_after_call(memory, return_address)
    }

    fn is_interrupted_call(memory: &dyn Memory, registers: &Registers) -> bool {
        let is_broken_off = registers.result == Some(MINUS_EINTR);
        is_syscall_at(memory, registers.pc)
            || is_broken_off && Self::is_at_call(memory, registers.pc)
    }

    fn is_at_call(memory: &dyn Memory, pc: u64) -> bool {
        let before = pc.checked_sub(2);
        is_syscall_at(memory, pc) || before.is_some_and(|before| is_syscall_at(memory, before))
    }
}

fn is_syscall_at(memory: &dyn Memory, address: u64) -> bool {
    let mut code = [0; 2];
    memory.read(address, &mut code) && code == SYSCALL
}

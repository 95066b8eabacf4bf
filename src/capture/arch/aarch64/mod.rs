//! aarch64: registers, unwinder, and what its code says.
//!
//! The return address of a leaf function is in the link register, which nobody tells of a thread that is read from
//! outside. A system call made by such a function (`syscall`, `flock`) is therefore the end of what can be proven.

mod call;
mod prologue;

use std::ops::Range;

use framehop::MayAllocateDuringUnwind;
use framehop::aarch64::{CacheAarch64, PtrAuthMask, UnwindRegsAarch64, UnwinderAarch64};

use super::{Arch, CallProof, MINUS_EINTR, UNKNOWN_REGISTER};
use crate::capture::memory::Memory;
use crate::capture::modules::Bytes;
use crate::capture::sys::Registers;

/// `svc #0` (Arm ARM C6.2, SVC).
const SVC: u32 = 0xd400_0001;

/// The 64-bit architecture of Arm.
#[derive(Debug)]
pub(crate) struct Aarch64;

impl Arch for Aarch64 {
    type Unwinder = UnwinderAarch64<Bytes, MayAllocateDuringUnwind>;
    type State = UnwindRegsAarch64;
    type Cache = CacheAarch64<MayAllocateDuringUnwind>;

    fn unwinder() -> Self::Unwinder {
        UnwinderAarch64::new()
    }

    fn cache() -> Self::Cache {
        CacheAarch64::new()
    }

    fn state(registers: &Registers, code_end: u64) -> Self::State {
        // The bits above every code address may hold an authentication code.
        UnwindRegsAarch64::new_with_ptr_auth_mask(
            PtrAuthMask::from_max_known_address(code_end.max(1)),
            registers.lr.unwrap_or(UNKNOWN_REGISTER),
            registers.sp,
            registers.bp.unwrap_or(UNKNOWN_REGISTER),
        )
    }

    fn stack_pointer(state: &Self::State) -> u64 {
        state.sp()
    }

    fn return_beside_zero(
        state: &Self::State,
        read: &mut dyn FnMut(u64) -> Result<u64, ()>,
    ) -> Option<u64> {
        // AAPCS64, "the frame pointer": it is never used for anything else, zero ends the chain, and the return address
        // lies above it.
        let record = state.fp();
        (read(record) == Ok(0)).then_some(())?;
        let signed = read(record.checked_add(8)?).ok()?;
        Some(state.lr_mask().strip_ptr_auth(signed))
    }

    fn with_frame_pointer(mut state: Self::State, frame_pointer: u64) -> Self::State {
        state.set_fp(frame_pointer);
        state
    }

    fn frame_distance(code: &[u8]) -> Option<u64> {
        prologue::distance(code)
    }

    fn call_into(memory: &dyn Memory, caller: &Range<u64>, entry: u64) -> CallProof {
        call::call_into(memory, caller.end, entry)
    }

    fn is_after_call(memory: &dyn Memory, return_address: u64) -> bool {
        call::is_after_call(memory, return_address)
    }

    fn is_interrupted_call(memory: &dyn Memory, registers: &Registers) -> bool {
        let is_broken_off = registers.result == Some(MINUS_EINTR);
        instruction(memory, registers.pc) == Some(SVC)
            || is_broken_off && Self::is_at_call(memory, registers.pc)
    }

    fn is_at_call(memory: &dyn Memory, pc: u64) -> bool {
        let is_svc_at = |address| instruction(memory, address) == Some(SVC);
        is_svc_at(pc) || pc.checked_sub(4).is_some_and(is_svc_at)
    }
}

/// One instruction; all are four bytes, little-endian whatever the data is.
fn instruction(memory: &dyn Memory, address: u64) -> Option<u32> {
    let mut bytes = [0; 4];
    memory
        .read(address, &mut bytes)
        .then(|| u32::from_le_bytes(bytes))
}

/// `value` as a signed number of `bits` bits.
fn sign_extended(value: u32, bits: u32) -> i64 {
    let shift = 64 - bits;
    (i64::from(value) << shift) >> shift
}

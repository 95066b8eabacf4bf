//! What differs between CPUs when a stack is unwound; PURE, every one is tested everywhere.
//!
//! All of it takes values and [`Memory`], so stacks recorded on one architecture are unwound in tests on another. Only the
//! choice of the one that this process runs on depends on the target.

#[cfg(any(test, fuzzing, target_arch = "aarch64"))]
mod aarch64;
#[cfg(any(test, fuzzing, not(target_arch = "aarch64")))]
mod x86_64;

use std::ops::Range;

use framehop::{Module, Unwinder};

use super::memory::Memory;
use super::modules::Bytes;
use super::sys::Registers;

#[cfg(any(test, fuzzing, target_arch = "aarch64"))]
pub(crate) use aarch64::Aarch64;
#[cfg(any(test, fuzzing, not(target_arch = "aarch64")))]
pub(crate) use x86_64::X86_64;

/// The architecture of this process.
#[cfg(target_arch = "aarch64")]
pub(crate) type Native = Aarch64;

/// The architecture of this process.
#[cfg(not(target_arch = "aarch64"))]
pub(crate) type Native = X86_64;

/// Bytes of code at a function's entry that are decoded: an entry marker, the frame, and the room made in a few steps.
pub(crate) const PROLOGUE_BYTES: usize = 64;

/// Stands for a frame pointer or link register that is not known: below every stack and all code, so each rule that needs
/// it fails at once instead of reading something plausible. Zero would not do: it marks the end of a chain.
pub(crate) const UNKNOWN_REGISTER: u64 = 1;

/// The kernel maps nothing below this address for programs (`vm.mmap_min_addr`; one page at least).
pub(crate) const NO_CODE_BELOW: u64 = 4096;

/// What the instruction before a return address says about the function being left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallProof {
    /// It called that function: by its own operand, a GOT slot or a stub.
    Entered,
    /// It is a call through a register or memory, which may have entered any function.
    Unknown,
    /// It called another function, or is no call at all.
    Contradicted,
}

/// One CPU architecture.
pub(crate) trait Arch {
    /// The rules of `.eh_frame` for it.
    type Unwinder: Unwinder<UnwindRegs = Self::State, Cache = Self::Cache, Module = Module<Bytes>>;
    /// Registers while unwinding.
    type State: Copy;
    /// Rules that were looked up before.
    type Cache;

    /// An unwinder without modules.
    fn unwinder() -> Self::Unwinder;

    /// An empty cache.
    fn cache() -> Self::Cache;

    /// The state to begin with. Registers that are not known get values with which no rule goes on; `code_end` is the
    /// highest code address, above which no return address has bits of its own.
    fn state(registers: &Registers, code_end: u64) -> Self::State;

    /// Stack pointer of a state.
    fn stack_pointer(state: &Self::State) -> u64;

    /// The return address beside a saved frame pointer of zero, where the ABI lets that end the chain of frame pointers:
    /// of the call that the thread's first function made. `None` where the register may hold any zero.
    fn return_beside_zero(
        state: &Self::State,
        read: &mut dyn FnMut(u64) -> Result<u64, ()>,
    ) -> Option<u64>;

    /// The state with another frame pointer.
    fn with_frame_pointer(state: Self::State, frame_pointer: u64) -> Self::State;

    /// Distance from the stack pointer in the body of a function up to its frame pointer, from its first instructions;
    /// `None` for forms that are not known.
    fn frame_distance(code: &[u8]) -> Option<u64>;

    /// What the instruction before a return address says about having called `entry`. `caller` reaches from the start of
    /// the calling function, or as far as it is known, to the return address.
    fn call_into(memory: &dyn Memory, caller: &Range<u64>, entry: u64) -> CallProof;

    /// Whether the instruction before `return_address` is a call, to wherever. Where instructions have no fixed length,
    /// whether the bytes before it can be read as one.
    fn is_after_call(memory: &dyn Memory, return_address: u64) -> bool;

    /// Whether code that was interrupted with these registers stands at a system call that was, or may have been, broken
    /// off: it failed with EINTR, or is about to be made again.
    fn is_interrupted_call(memory: &dyn Memory, registers: &Registers) -> bool;

    /// Whether code that was interrupted at `pc` had just come out of a system call, or is about to make it again.
    fn is_at_call(memory: &dyn Memory, pc: u64) -> bool;
}

/// `-EINTR` as a system call returns it (errno 4).
pub(crate) const MINUS_EINTR: u64 = 4_u64.wrapping_neg();

//! From a copied stack to code addresses.
//!
//! Pure but for what it is given: registers, bytes, modules, and memory behind a trait. A thread that was read from
//! outside comes without its frame pointer register, which functions of the precompiled standard library need. It is
//! then computed from the function's own first instructions; where those have no known form it is searched on the stack,
//! and a candidate counts only if the call before its return address provably entered the function being left and no
//! other candidate does. Either way the whole chain must reach the start of the thread. Otherwise the stack is cut.

use std::panic::{AssertUnwindSafe, catch_unwind};

use framehop::x86_64::{CacheX86_64, UnwindRegsX86_64, UnwinderX86_64};
use framehop::{FrameAddress, MayAllocateDuringUnwind, Unwinder};

use super::call_target::call_target;
use super::memory::{Memory, stack_word};
use super::modules::{Bytes, LoadedModule};
use super::prologue::frame_distance;
use super::sys::{RawModule, StackCopy};

/// Frames kept at most: ten times a deep request stack; a runaway recursion is cut and says so.
const FRAMES_MAX: usize = 256;

/// How far above the stuck frame its frame pointer is searched. Frames of the standard library's blocking calls are
/// under 1 KiB; 16 KiB leaves room for a buffer on the stack.
const SEARCH_BYTES_MAX: u64 = 16 * 1024;

/// Stands for a frame pointer that is not known: below every stack, so each rule that needs it fails at once instead
/// of reading something plausible. Zero would not do: framehop takes it for the end of the stack.
const UNKNOWN_BP: u64 = 1;

/// The addresses of one stack.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Unwound {
    /// Lookup addresses, innermost first: the program counter, then return addresses minus one.
    pub(crate) addresses: Vec<u64>,
    /// Whether the last one is the start of the thread.
    pub(crate) complete: bool,
}

/// The unwinder with its modules and rule cache.
pub(crate) struct StackUnwinder {
    unwinder: UnwinderX86_64<Bytes, MayAllocateDuringUnwind>,
    cache: CacheX86_64<MayAllocateDuringUnwind>,
    modules: Vec<LoadedModule>,
}

impl StackUnwinder {
    pub(crate) fn new() -> Self {
        Self {
            unwinder: UnwinderX86_64::new(),
            cache: CacheX86_64::new(),
            modules: Vec::new(),
        }
    }

    /// Brings the modules up to date; cheap when nothing was loaded or unloaded.
    pub(crate) fn refresh(&mut self, loaded: Vec<RawModule>) {
        let unwinder = &mut self.unwinder;
        self.modules.retain(|known| {
            let stays = loaded.contains(&known.raw);
            if !stays {
                unwinder.remove_module(known.range.start);
            }
            stays
        });
        for raw in loaded {
            if self.modules.iter().any(|known| known.raw == raw) {
                continue;
            }
            let (module, unwind) = LoadedModule::load(raw);
            if let Some(unwind) = unwind {
                unwinder.add_module(unwind);
            }
            self.modules.push(module);
        }
    }

    /// The module that holds `address`.
    pub(crate) fn module_of(&self, address: u64) -> Option<&LoadedModule> {
        self.modules
            .iter()
            .find(|module| module.range.contains(&address))
    }

    /// Unwinds a copy; a panic of the unwinder is caught and gives an empty, incomplete stack.
    pub(crate) fn unwind(&mut self, copy: &StackCopy, memory: &dyn Memory) -> Unwound {
        let attempt = catch_unwind(AssertUnwindSafe(|| self.unwind_copy(copy, memory)));
        attempt.unwrap_or_default()
    }

    fn unwind_copy(&mut self, copy: &StackCopy, memory: &dyn Memory) -> Unwound {
        let registers = copy.registers;
        let start = UnwindRegsX86_64::new(
            registers.pc,
            registers.sp,
            registers.bp.unwrap_or(UNKNOWN_BP),
        );
        let walk = self.walk(
            FrameAddress::InstructionPointer(registers.pc),
            start,
            copy,
            FRAMES_MAX,
        );
        if walk.complete || registers.bp.is_some() {
            return walk.unwound();
        }
        self.with_proven_frame_pointer(walk, copy, memory)
    }

    /// Goes on from where a walk without frame pointer got stuck, if one continuation can be proven.
    fn with_proven_frame_pointer(
        &mut self,
        walk: Walk,
        copy: &StackCopy,
        memory: &dyn Memory,
    ) -> Unwound {
        let Some(entry) = self
            .module_of(walk.stuck_at)
            .and_then(|module| module.function_start(walk.stuck_at))
        else {
            return walk.unwound();
        };
        let computed =
            frame_distance(memory, entry).map(|distance| walk.sp.saturating_add(distance));
        let rest = computed
            .and_then(|frame| self.continuation(&walk, frame, copy))
            .or_else(|| self.only_continuation(&walk, entry, copy, memory));
        match rest {
            Some(rest) => {
                let mut addresses = walk.addresses;
                addresses.pop();
                addresses.extend(rest.addresses);
                Unwound {
                    addresses,
                    complete: true,
                }
            }
            None => walk.unwound(),
        }
    }

    /// The rest of the stack if `frame` is the frame pointer of the stuck function: it must reach the thread's start.
    fn continuation(&mut self, walk: &Walk, frame: u64, copy: &StackCopy) -> Option<Walk> {
        let mut registers = walk.registers;
        registers.set_bp(frame);
        let room = FRAMES_MAX.saturating_sub(walk.addresses.len());
        let rest = self.walk(walk.address, registers, copy, room);
        rest.complete.then_some(rest)
    }

    /// The only place on the stack that provably is the frame of the function at `entry`; stale frames of earlier
    /// calls can look like it, so two candidates are none.
    fn only_continuation(
        &mut self,
        walk: &Walk,
        entry: u64,
        copy: &StackCopy,
        memory: &dyn Memory,
    ) -> Option<Walk> {
        let last = walk.sp.saturating_add(SEARCH_BYTES_MAX);
        let mut found = None;
        let mut candidate = walk.sp;
        while candidate < last {
            let slot = candidate.saturating_add(8);
            let Some(return_address) = stack_word(copy.registers.sp, &copy.bytes, slot) else {
                break;
            };
            if self.returns_from(entry, return_address, memory)
                && let Some(rest) = self.continuation(walk, candidate, copy)
                && found.replace(rest).is_some()
            {
                return None;
            }
            candidate += 8;
        }
        found
    }

    /// Whether the call before `return_address` entered the function at `entry`.
    fn returns_from(&self, entry: u64, return_address: u64, memory: &dyn Memory) -> bool {
        self.module_of(return_address)
            .is_some_and(|module| module.is_code(return_address))
            && call_target(memory, return_address) == Some(entry)
    }

    /// Whether the walk ended at the start of the thread, and not at a frame pointer that happens to be zero: the
    /// same step without a frame pointer must end too.
    fn is_root(
        &mut self,
        address: FrameAddress,
        mut registers: UnwindRegsX86_64,
        read: &mut impl FnMut(u64) -> Result<u64, ()>,
    ) -> bool {
        registers.set_bp(UNKNOWN_BP);
        matches!(
            self.unwinder
                .unwind_frame(address, &mut registers, &mut self.cache, read),
            Ok(None)
        )
    }

    fn walk(
        &mut self,
        from: FrameAddress,
        mut registers: UnwindRegsX86_64,
        copy: &StackCopy,
        room: usize,
    ) -> Walk {
        let base = copy.registers.sp;
        let mut read = |address| stack_word(base, &copy.bytes, address).ok_or(());
        let mut address = from;
        let mut addresses = vec![address.address_for_lookup()];
        loop {
            let before = registers;
            let next =
                self.unwinder
                    .unwind_frame(address, &mut registers, &mut self.cache, &mut read);
            let stopped = |complete| Walk {
                stuck_at: address.address_for_lookup(),
                sp: before.sp(),
                registers: before,
                address,
                complete,
                addresses: Vec::new(),
            };
            let walk = match next {
                Ok(Some(return_address)) if addresses.len() < room => {
                    match FrameAddress::from_return_address(return_address) {
                        Some(next) => {
                            address = next;
                            addresses.push(address.address_for_lookup());
                            continue;
                        }
                        None => stopped(true),
                    }
                }
                // Too many frames: not the start of the thread.
                Ok(Some(_)) => stopped(false),
                Ok(None) => stopped(self.is_root(address, before, &mut read)),
                Err(_) => stopped(false),
            };
            return Walk { addresses, ..walk };
        }
    }
}

/// How far one walk came, and the state in which it stopped.
struct Walk {
    addresses: Vec<u64>,
    complete: bool,
    stuck_at: u64,
    sp: u64,
    registers: UnwindRegsX86_64,
    address: FrameAddress,
}

impl Walk {
    fn unwound(self) -> Unwound {
        Unwound {
            addresses: self.addresses,
            complete: self.complete,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::memory::OwnMemory;
    use crate::capture::sys::{self, Registers};

    /// A stack full of plausible garbage (words of real code addresses and of the stack itself) is cut, not believed,
    /// and costs no panic.
    #[test]
    fn garbage_is_cut() {
        let mut unwinder = StackUnwinder::new();
        unwinder.refresh(sys::modules());
        let text: Vec<u64> = unwinder
            .modules
            .iter()
            .flat_map(|module| module.raw.segments.iter())
            .filter(|segment| segment.executable)
            .map(|segment| segment.range.start)
            .collect();
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = move || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        };
        let sp = 0x7fff_0000_0000;
        for _ in 0..2000 {
            let code = |word: u64| {
                text[usize::try_from(word % text.len() as u64).unwrap()] + word % 0x4_0000
            };
            let word = |random: u64| {
                if random.is_multiple_of(3) {
                    sp + random % 4096
                } else {
                    code(random)
                }
            };
            let bytes: Vec<u8> = (0..512).flat_map(|_| word(next()).to_le_bytes()).collect();
            let bp = (next() % 2 == 0).then(|| sp + next() % 4096);
            let registers = Registers {
                pc: code(next()),
                sp,
                bp,
                ..Registers::default()
            };
            let copy = StackCopy {
                registers,
                bytes,
                truncated: false,
            };
            let unwound = unwinder.unwind(&copy, &OwnMemory);
            assert!(unwound.addresses.len() <= FRAMES_MAX);
        }
    }

    /// The stack of this very thread, copied from outside without its frame pointer, comes out whole.
    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "the test waits for its thread, and its thread for the test"
    )]
    fn own_stack_without_frame_pointer() {
        let (identify, identity) = std::sync::mpsc::channel();
        let (release, released) = std::sync::mpsc::channel::<()>();
        let waiting = std::thread::spawn(move || {
            identify
                .send((sys::current_tid(), sys::thread_stack().unwrap()))
                .unwrap();
            released.recv().unwrap_err();
        });
        let (tid, stack) = identity.recv().unwrap();
        let mut capturer = crate::capture::Capturer::new(None);
        let files = crate::procfs::ThreadFiles::open(tid);
        // The thread needs a moment to fall asleep in `recv`.
        let captured = std::iter::repeat_with(|| {
            std::thread::sleep(std::time::Duration::from_millis(1));
            capturer.capture(tid, &stack, &files)
        })
        .take(1000)
        .find(|captured| captured.complete);
        drop(release);
        waiting.join().unwrap();
        assert!(captured.is_some_and(|captured| captured.addresses.len() > 5));
    }
}

//! From a copied stack to code addresses.
//!
//! Pure but for what it is given: registers, bytes, modules, and memory behind a trait. A thread that was read from
//! outside comes without its frame pointer register, which functions of the precompiled standard library need. It is
//! then computed from the function's own first instructions; where those have no known form it is searched on the stack,
//! and a candidate counts only if the call before its return address provably entered the function being left and no
//! other candidate does. A computed one is refused if that call contradicts it, and unconfirmed if the call could have
//! entered any function, except where the C library starts a thread. Either way the whole chain must reach the start of
//! the thread. Otherwise the stack is cut.
//!
//! Words on a stack are not believed for pointing into code: a return address must follow a call, and the last function's
//! table must say that it has no caller. Of 200 000 stacks of garbage above the start of a real thread, or on a real
//! stack, whose words point anywhere into code, 12 855 came out whole with such a word among their frames, and 20 of those
//! confirmed: each of their words happened to follow what can be read as a call, and that cannot be told from a stack.

use std::panic::{AssertUnwindSafe, catch_unwind};

use framehop::{FrameAddress, Unwinder};

use super::arch::{Arch, CallProof, NO_CODE_BELOW, Native, PROLOGUE_BYTES, UNKNOWN_REGISTER};
use super::memory::{Memory, stack_word};
use super::modules::LoadedModule;
use super::sys::{RawModule, StackCopy};

/// Frames kept at most: ten times a deep request stack; a runaway recursion is cut and says so.
pub(super) const FRAMES_MAX: usize = 256;

/// How far above the stuck frame its frame pointer is searched. Frames of the standard library's blocking calls are
/// under 1 KiB; 16 KiB leaves room for a buffer on the stack.
const SEARCH_BYTES_MAX: u64 = 16 * 1024;

/// How far below the end of its stack a thread starts, beside the thread-local storage that lies there too. Measured with
/// glibc 2.36: 4.8 KiB for a thread (its descriptor and the surplus of static storage), 0.9 KiB for the main thread (the
/// vectors of its arguments and environment). Some room for other versions and long environments.
const ROOT_DISTANCE_MAX: u64 = 16 * 1024;

/// Frames of the C library before a thread's first function: `clone3` and `start_thread` with glibc.
const THREAD_START_FRAMES_MAX: usize = 2;

/// The addresses of one stack.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Unwound {
    /// Lookup addresses, innermost first: the program counter, then return addresses minus one.
    pub(crate) addresses: Vec<u64>,
    /// Whether the last one is the start of the thread.
    pub(crate) complete: bool,
    /// Whether each step rests on unwind tables, or on a frame pointer that the call before it confirms, and each return
    /// address follows a call; if complete, whether the last function is one that nobody calls.
    pub(crate) confirmed: bool,
}

/// The unwinder with its modules and rule cache.
pub(crate) struct StackUnwinder<A: Arch = Native> {
    unwinder: A::Unwinder,
    cache: A::Cache,
    modules: Vec<LoadedModule>,
    /// Distance from the end of a stack in which a thread may start.
    root_distance: u64,
}

impl<A: Arch> StackUnwinder<A> {
    pub(crate) fn new() -> Self {
        Self {
            unwinder: A::unwinder(),
            cache: A::cache(),
            modules: Vec::new(),
            root_distance: ROOT_DISTANCE_MAX,
        }
    }

    /// Brings the modules up to date; cheap when nothing was loaded or unloaded.
    pub(crate) fn refresh(&mut self, loaded: Vec<RawModule>, memory: &dyn Memory) {
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
            let (module, unwind) = LoadedModule::load(raw, memory);
            if let Some(unwind) = unwind {
                unwinder.add_module(unwind);
            }
            self.modules.push(module);
        }
        let storage = |module: &LoadedModule| match module.raw.tls_bytes {
            0 => 0,
            bytes => bytes.saturating_add(module.raw.tls_align),
        };
        self.root_distance = self
            .modules
            .iter()
            .map(storage)
            .fold(ROOT_DISTANCE_MAX, u64::saturating_add);
    }

    /// The module that holds `address`.
    pub(crate) fn module_of(&self, address: u64) -> Option<&LoadedModule> {
        self.modules
            .iter()
            .find(|module| module.range.contains(&address))
    }

    /// Starts and lengths of all code.
    #[cfg(any(test, fuzzing))]
    pub(super) fn code(&self) -> Vec<(u64, u64)> {
        let segments = self.modules.iter().flat_map(|module| &module.raw.segments);
        segments
            .filter(|segment| segment.executable)
            .map(|segment| (segment.range.start, segment.range.end - segment.range.start))
            .collect()
    }

    /// Unwinds a copy; a panic of the unwinder is caught and gives an empty, incomplete stack.
    pub(crate) fn unwind(&mut self, copy: &StackCopy, memory: &dyn Memory) -> Unwound {
        let attempt = catch_unwind(AssertUnwindSafe(|| self.unwind_copy(copy, memory)));
        attempt.unwrap_or_default()
    }

    pub(super) fn unwind_copy(&mut self, copy: &StackCopy, memory: &dyn Memory) -> Unwound {
        let registers = copy.registers;
        let walk = self.walk(
            FrameAddress::InstructionPointer(registers.pc),
            A::state(&registers, self.unwinder.max_known_code_address()),
            copy,
            memory,
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
        walk: Walk<A>,
        copy: &StackCopy,
        memory: &dyn Memory,
    ) -> Unwound {
        let stuck_at = walk.address.address_for_lookup();
        let Some(entry) = self
            .module_of(stuck_at)
            .and_then(|module| module.function_start(stuck_at))
        else {
            return walk.unwound();
        };
        let rest = self
            .computed_continuation(&walk, entry, copy, memory)
            .or_else(|| self.only_continuation(&walk, entry, copy, memory));
        match rest {
            Some(rest) => {
                let mut addresses = walk.addresses;
                addresses.pop();
                addresses.extend(rest.addresses);
                Unwound {
                    addresses,
                    complete: true,
                    confirmed: walk.confirmed && rest.confirmed,
                }
            }
            None => walk.unwound(),
        }
    }

    /// The rest of the stack by the frame pointer that the function's first instructions give, unless the call that must
    /// have entered the function says that it did not.
    fn computed_continuation(
        &mut self,
        walk: &Walk<A>,
        entry: u64,
        copy: &StackCopy,
        memory: &dyn Memory,
    ) -> Option<Walk<A>> {
        let mut code = [0; PROLOGUE_BYTES];
        memory.read(entry, &mut code).then_some(())?;
        let distance = A::frame_distance(&code)?;
        let frame = A::stack_pointer(&walk.state).saturating_add(distance);
        let proof = self.proof(entry, frame, copy, memory)?;
        let rest = self.continuation(walk, frame, copy, memory)?;
        match proof {
            CallProof::Entered => Some(rest),
            CallProof::Unknown => Some(Walk {
                confirmed: rest.confirmed && self.begins_thread(entry, &rest.addresses),
                ..rest
            }),
            CallProof::Contradicted => None,
        }
    }

    /// Whether the function at `entry` is the first of the program in its thread: nothing but the C library's start of the
    /// thread, which calls every such function through a register, comes before it. No earlier call can have left such
    /// frames anywhere else on the stack.
    fn begins_thread(&self, entry: u64, addresses: &[u64]) -> bool {
        let callers = addresses.get(1..).unwrap_or_default();
        let is_other_module = |address: &u64| {
            let module = self.module_of(*address);
            module.is_some_and(|module| !module.range.contains(&entry))
        };
        (1..=THREAD_START_FRAMES_MAX).contains(&callers.len())
            && callers.iter().all(is_other_module)
    }

    /// The rest of the stack if `frame` is the frame pointer of the stuck function: it must reach the thread's start.
    fn continuation(
        &mut self,
        walk: &Walk<A>,
        frame: u64,
        copy: &StackCopy,
        memory: &dyn Memory,
    ) -> Option<Walk<A>> {
        let state = A::with_frame_pointer(walk.state, frame);
        let room = FRAMES_MAX.saturating_sub(walk.addresses.len());
        let rest = self.walk(walk.address, state, copy, memory, room);
        rest.complete.then_some(rest)
    }

    /// The only place on the stack that provably is the frame of the function at `entry`; stale frames of earlier
    /// calls can look like it, so two candidates are none.
    fn only_continuation(
        &mut self,
        walk: &Walk<A>,
        entry: u64,
        copy: &StackCopy,
        memory: &dyn Memory,
    ) -> Option<Walk<A>> {
        let first = A::stack_pointer(&walk.state);
        let last = first.saturating_add(SEARCH_BYTES_MAX);
        let mut found = None;
        let mut candidate = first;
        while candidate < last {
            let Some(proof) = self.proof(entry, candidate, copy, memory) else {
                break;
            };
            if proof == CallProof::Entered
                && let Some(rest) = self.continuation(walk, candidate, copy, memory)
                && found.replace(rest).is_some()
            {
                return None;
            }
            candidate += 8;
        }
        found
    }

    /// What the call before the return address beside a saved frame pointer at `frame` says about having entered the
    /// function at `entry`; `None` outside the copy.
    fn proof(
        &self,
        entry: u64,
        frame: u64,
        copy: &StackCopy,
        memory: &dyn Memory,
    ) -> Option<CallProof> {
        let slot = frame.saturating_add(8);
        let return_address = stack_word(copy.registers.sp, &copy.bytes, slot)?;
        let caller = self.module_of(return_address);
        let Some(caller) = caller.filter(|caller| caller.is_code(return_address)) else {
            return Some(CallProof::Contradicted);
        };
        let last = return_address.saturating_sub(1);
        let start = caller.function_start(last).unwrap_or(return_address);
        Some(A::call_into(memory, &(start..return_address), entry))
    }

    /// Whether the step out of a frame is confirmed from its own side: it lies in code that has unwind tables, and behind
    /// a call unless it is the innermost. Without tables framehop follows frame pointers, which may leave out a caller.
    /// Which function the call names is not asked: one that ends in a jump to another is no longer on the stack.
    fn is_confirmed(&self, address: FrameAddress, memory: &dyn Memory) -> bool {
        let lookup = address.address_for_lookup();
        let module = self.module_of(lookup);
        let is_covered = |module: &LoadedModule| {
            module.is_code(lookup)
                && module
                    .function(lookup, memory)
                    .is_some_and(|function| function.contains(&lookup))
        };
        module.is_some_and(is_covered)
            && (!address.is_return_address() || A::is_after_call(memory, lookup.saturating_add(1)))
    }

    /// The start of the thread, if a walk that ended did so there: near the end of its stack, in a function whose table
    /// says that nobody called it. Where the ABI ends the chain of frame pointers with zero, that is an end as well, and
    /// confirmed if such a function made the call beside it.
    fn root(
        &mut self,
        address: FrameAddress,
        state: A::State,
        copy: &StackCopy,
        memory: &dyn Memory,
    ) -> Option<Root> {
        let end = copy.registers.sp.saturating_add(copy.bytes.len() as u64);
        let distance = end.saturating_sub(A::stack_pointer(&state));
        if copy.truncated || distance > self.root_distance {
            return None;
        }
        if self.is_never_called(address, state) {
            return Some(Root { confirmed: true });
        }
        let mut read = |address| stack_word(copy.registers.sp, &copy.bytes, address).ok_or(());
        let beside = A::return_beside_zero(&state, &mut read)?;
        let first = FrameAddress::from_return_address(beside);
        let confirmed = first.is_some_and(|first| {
            self.is_confirmed(first, memory) && self.is_never_called(first, state)
        });
        Some(Root { confirmed })
    }

    /// Whether the tables leave the return address of this code undefined, as `_start` and `clone` have it: the step ends
    /// without a look at the stack. A zero read from there may be anything, and so may one in the frame pointer register.
    fn is_never_called(&mut self, address: FrameAddress, state: A::State) -> bool {
        let mut state = A::with_frame_pointer(state, UNKNOWN_REGISTER);
        let mut nothing = |_| Err(());
        let step = self
            .unwinder
            .unwind_frame(address, &mut state, &mut self.cache, &mut nothing);
        matches!(step, Ok(None))
    }

    fn walk(
        &mut self,
        from: FrameAddress,
        mut state: A::State,
        copy: &StackCopy,
        memory: &dyn Memory,
        room: usize,
    ) -> Walk<A> {
        let base = copy.registers.sp;
        let mut read = |address| stack_word(base, &copy.bytes, address).ok_or(());
        let mut address = from;
        let mut addresses = vec![address.address_for_lookup()];
        let mut confirmed = self.is_confirmed(address, memory);
        loop {
            let before = state;
            let next = self
                .unwinder
                .unwind_frame(address, &mut state, &mut self.cache, &mut read);
            let next = next.map(|next| next.and_then(FrameAddress::from_return_address));
            let root = match next {
                Ok(Some(next)) if addresses.len() < room && is_address(next) => {
                    address = next;
                    addresses.push(address.address_for_lookup());
                    confirmed = confirmed && self.is_confirmed(address, memory);
                    continue;
                }
                Ok(None) => self.root(address, before, copy, memory),
                // Too many frames, nothing that can be code, or a step that cannot be made: not the start of the thread.
                Ok(Some(_)) | Err(_) => None,
            };
            return Walk {
                addresses,
                complete: root.is_some(),
                confirmed: confirmed && root.is_none_or(|root| root.confirmed),
                state: before,
                address,
            };
        }
    }
}

/// Whether code can lie there; a register that is not known gives no such address.
fn is_address(address: FrameAddress) -> bool {
    address.address_for_lookup() >= NO_CODE_BELOW
}

/// Where a thread starts.
#[derive(Debug, Clone, Copy)]
struct Root {
    confirmed: bool,
}

/// How far one walk came, and the state in which it stopped.
struct Walk<A: Arch> {
    addresses: Vec<u64>,
    complete: bool,
    confirmed: bool,
    state: A::State,
    address: FrameAddress,
}

impl<A: Arch> Walk<A> {
    fn unwound(self) -> Unwound {
        Unwound {
            addresses: self.addresses,
            complete: self.complete,
            confirmed: self.confirmed,
        }
    }
}

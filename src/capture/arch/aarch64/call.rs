//! Where a call went on aarch64: decodes the instruction before a return address; PURE.
//!
//! Known forms (Arm ARM C6.2): `bl` with its target in the instruction, which may be a stub that jumps on, either through
//! a slot (a PLT entry) or to an address out of reach of `bl` (a linker's veneer); `blr` and its authenticating kin, which
//! may call anything.

use super::{instruction, sign_extended};
use crate::capture::arch::CallProof;
use crate::capture::memory::{Memory, read_u64};

/// Stubs that jump to further stubs: a veneer to a PLT entry.
const STUBS_MAX: usize = 2;

pub(super) fn call_into(memory: &dyn Memory, return_address: u64, entry: u64) -> CallProof {
    let at = return_address.checked_sub(4);
    let Some((at, code)) = at.and_then(|at| Some((at, instruction(memory, at)?))) else {
        return CallProof::Contradicted;
    };
    if is_call_through_register(code) {
        return CallProof::Unknown;
    }
    if !is_direct_call(code) {
        return CallProof::Contradicted;
    }
    if leads_to(memory, branch_target(at, code), entry) {
        CallProof::Entered
    } else {
        CallProof::Contradicted
    }
}

pub(super) fn is_after_call(memory: &dyn Memory, return_address: u64) -> bool {
    let at = return_address.checked_sub(4);
    let code = at.and_then(|at| instruction(memory, at));
    code.is_some_and(|code| is_direct_call(code) || is_call_through_register(code))
}

/// `bl`.
fn is_direct_call(code: u32) -> bool {
    code >> 26 == 0b10_0101
}

/// `blr`, `blraaz`, `blrabz`, `blraa`, `blrab`.
fn is_call_through_register(code: u32) -> bool {
    code & 0xffff_fc1f == 0xd63f_0000
        || code & 0xffff_f81f == 0xd63f_081f
        || code & 0xffff_f800 == 0xd73f_0800
}

/// Target of a `b` or `bl`.
fn branch_target(at: u64, code: u32) -> u64 {
    at.wrapping_add_signed(sign_extended(code, 26) * 4)
}

/// Whether `target` is `entry`, or a stub that jumps there.
fn leads_to(memory: &dyn Memory, target: u64, entry: u64) -> bool {
    let mut target = target;
    for _ in 0..STUBS_MAX {
        if target == entry {
            return true;
        }
        match jump_target(memory, target) {
            Some(next) => target = next,
            None => return false,
        }
    }
    target == entry
}

/// Where a stub at `address` jumps, if there is one.
///
/// `[bti c] adrp x16, page; ldr x17, [x16, #slot]; add x16, x16, #slot; br x17` goes through a slot,
/// `adrp x16, page; add x16, x16, #offset; br x16` and `b target` to an address.
fn jump_target(memory: &dyn Memory, address: u64) -> Option<u64> {
    let has_marker = instruction(memory, address)? == 0xd503_245f;
    let at = address.checked_add(if has_marker { 4 } else { 0 })?;
    let word = |index: u64| instruction(memory, at.checked_add(index * 4)?);
    let first = word(0)?;
    if first >> 26 == 0b00_0101 {
        return Some(branch_target(at, first));
    }
    (first & 0x9f00_001f == 0x9000_0010).then_some(())?;
    let pages = sign_extended(((first >> 5) & 0x7_ffff) << 2 | (first >> 29) & 3, 21);
    let page = (at & !0xfff).wrapping_add_signed(pages << 12);
    let (second, third) = (word(1)?, word(2)?);
    let immediate = u64::from((second >> 10) & 0xfff);
    if second & 0xffc0_03ff == 0xf940_0211 && word(3)? == 0xd61f_0220 {
        return read_u64(memory, page.checked_add(immediate * 8)?);
    }
    if second & 0xffc0_03ff == 0x9100_0210 && third == 0xd61f_0200 {
        return page.checked_add(immediate);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Code at 0x1000, and one slot at 0x6f78 that holds 0x9000.
    struct Fake(Vec<u32>);

    impl Memory for Fake {
        fn read(&self, address: u64, bytes: &mut [u8]) -> bool {
            let code: Vec<u8> = self.0.iter().flat_map(|word| word.to_le_bytes()).collect();
            let slot = 0x9000_u64.to_le_bytes();
            let source = match address {
                0x1000..0x2000 => code.get(usize::try_from(address - 0x1000).unwrap()..),
                0x6f78 => Some(&slot[..]),
                _ => None,
            };
            match source {
                Some(source) if source.len() >= bytes.len() => {
                    bytes.copy_from_slice(&source[..bytes.len()]);
                    true
                }
                _ => false,
            }
        }
    }

    const NOP: u32 = 0xd503_201f;

    /// A direct call proves its target and contradicts every other; a call through a register leaves it open.
    #[test]
    fn decodes_calls() {
        // bl +0x20, bl -0x1000, blr x8, blraa x8, x9, b +0x20, ret, nop
        for (code, entry, proof) in [
            (0x9400_0008, 0x1024, CallProof::Entered),
            (0x9400_0008, 0x1028, CallProof::Contradicted),
            (0x97ff_fc00, 0x0004, CallProof::Entered),
            (0xd63f_0100, 0x7000, CallProof::Unknown),
            (0xd73f_0909, 0x7000, CallProof::Unknown),
            (0x1400_0008, 0x1024, CallProof::Contradicted),
            (0xd65f_03c0, 0x7000, CallProof::Contradicted),
            (NOP, 0x7000, CallProof::Contradicted),
        ] {
            let fake = Fake(vec![NOP, code, NOP, NOP]);
            assert_eq!(call_into(&fake, 0x1008, entry), proof, "{code:x}");
            let is_call = code != NOP && code >> 26 != 0b00_0101 && code != 0xd65f_03c0;
            assert_eq!(is_after_call(&fake, 0x1008), is_call, "{code:x}");
        }
        assert_eq!(call_into(&Fake(vec![]), 2, 0), CallProof::Contradicted);
        assert!(!is_after_call(&Fake(vec![]), 2));
    }

    /// PLT entries as binutils and LLD write them, and a veneer, lead to the function behind.
    #[test]
    fn follows_stubs() {
        let call = 0x9400_0003;
        // adrp x16, 0x6000; ldr x17, [x16, #0xf78]; add x16, x16, #0xf78; br x17
        let plt = [0xb000_0030, 0xf947_be11, 0x913d_e210, 0xd61f_0220];
        let plain = Fake([&[call, NOP, NOP][..], &plt].concat());
        assert_eq!(call_into(&plain, 0x1004, 0x9000), CallProof::Entered);
        let marked = Fake([&[call, NOP, NOP, 0xd503_245f][..], &plt].concat());
        assert_eq!(call_into(&marked, 0x1004, 0x9000), CallProof::Entered);
        // adrp x16, 0x9000; add x16, x16, #0x123; br x16
        let veneer = [0x9000_0050, 0x9104_8e10, 0xd61f_0200];
        let far = Fake([&[call, NOP, NOP][..], &veneer].concat());
        assert_eq!(call_into(&far, 0x1004, 0x9123), CallProof::Entered);
        assert_eq!(call_into(&far, 0x1004, 0x9000), CallProof::Contradicted);
    }
}

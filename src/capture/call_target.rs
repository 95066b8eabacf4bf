//! Where a call went: decodes the instruction before a return address; PURE.
//!
//! The proof behind signal-free capture. A word pair on a stack is taken for *(saved frame pointer, return address)*
//! only if the call that pushed the return address really targets the function being left. Without that check the
//! first plausible pair is often a stale frame.
//!
//! Known forms on x86-64 (Intel SDM vol. 2, CALL and JMP): `e8 rel32`, `ff 15 rel32` (through a GOT slot), and a
//! `call rel32` into a PLT stub that jumps through a slot. Calls through registers or vtables cannot be proven and
//! are not accepted.

use super::memory::{Memory, read_u64};

/// The function that the call before `return_address` entered, if the instruction says so by itself.
pub(crate) fn call_target(memory: &dyn Memory, return_address: u64) -> Option<u64> {
    let mut code = [0_u8; 6];
    memory
        .read(return_address.checked_sub(6)?, &mut code)
        .then_some(())?;
    if code[0] == 0xff && code[1] == 0x15 {
        return read_u64(memory, relative(return_address, &code[2..]));
    }
    if code[1] == 0xe8 {
        let target = relative(return_address, &code[2..]);
        return Some(stub_target(memory, target).unwrap_or(target));
    }
    None
}

/// Where a PLT stub at `address` jumps, if there is one: `[endbr64] [bnd] jmp [rip + rel32]`.
fn stub_target(memory: &dyn Memory, address: u64) -> Option<u64> {
    let mut code = [0_u8; 11];
    memory.read(address, &mut code).then_some(())?;
    let start = if code.starts_with(&[0xf3, 0x0f, 0x1e, 0xfa]) {
        4
    } else {
        0
    };
    let start = if code[start] == 0xf2 {
        start + 1
    } else {
        start
    };
    let jump = code.get(start..start + 6)?;
    if jump[0] != 0xff || jump[1] != 0x25 {
        return None;
    }
    let next = address.checked_add(u64::try_from(start + 6).ok()?)?;
    read_u64(memory, relative(next, &jump[2..]))
}

fn relative(from: u64, displacement: &[u8]) -> u64 {
    let bytes = displacement.try_into().unwrap_or_default();
    from.wrapping_add_signed(i64::from(i32::from_le_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Memory with code at 0x1000 and one GOT slot at 0x2000 that holds 0x5000.
    struct Fake(Vec<u8>);

    impl Memory for Fake {
        fn read(&self, address: u64, bytes: &mut [u8]) -> bool {
            let got = 0x5000_u64.to_le_bytes();
            let source = match address {
                0x1000..0x2000 => self.0.get(usize::try_from(address - 0x1000).unwrap()..),
                0x2000 => Some(&got[..]),
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

    fn code(instruction: &[u8]) -> Fake {
        let mut bytes = vec![0x90; 16 - instruction.len()];
        bytes.extend_from_slice(instruction);
        bytes.resize(64, 0x90);
        Fake(bytes)
    }

    fn displacement(opcode: &[u8], value: i32) -> Vec<u8> {
        [opcode, &value.to_le_bytes()].concat()
    }

    /// Direct calls, calls through the GOT, calls through a PLT stub; everything else is not a proof.
    #[test]
    fn decodes_the_provable_forms() {
        let return_address = 0x1010;
        assert_eq!(
            call_target(&code(&displacement(&[0xe8], 0x100)), return_address),
            Some(0x1110)
        );
        assert_eq!(
            call_target(&code(&displacement(&[0xe8], -0x110)), return_address),
            Some(0xf00)
        );
        assert_eq!(
            call_target(&code(&displacement(&[0xff, 0x15], 0xff0)), return_address),
            Some(0x5000)
        );
        assert_eq!(call_target(&code(&[0xff, 0xd0]), return_address), None);
        assert_eq!(call_target(&code(&[0x90]), return_address), None);
        assert_eq!(call_target(&code(&[]), 3), None);
    }

    /// A PLT stub is followed to its slot.
    #[test]
    fn follows_a_stub() {
        let mut fake = code(&displacement(&[0xe8], 0x10));
        let stub = [
            &[0xf3, 0x0f, 0x1e, 0xfa][..],
            &displacement(&[0xff, 0x25], 0x2000 - 0x102a),
        ]
        .concat();
        fake.0[0x20..0x20 + stub.len()].copy_from_slice(&stub);
        assert_eq!(call_target(&fake, 0x1010), Some(0x5000));
    }
}

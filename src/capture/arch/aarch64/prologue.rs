//! How large a function's frame is on aarch64: decodes its first instructions; PURE.
//!
//! A function that keeps a frame pointer stores `x29` and `x30` side by side, points `x29` at them, and makes room. From
//! then on the distance from the stack pointer to the frame pointer is fixed. Known forms are those that LLVM and GCC write
//! (Arm ARM C6.2, STP, ADD and SUB immediate); anything else gives no answer rather than a guess.

/// Registers by number where an instruction names them.
const FRAME_POINTER: u32 = 29;
const STACK_POINTER: u32 = 31;

/// `paciasp`, `pacibsp`, `bti c`: part of a prologue, without effect on the frame.
const NEUTRAL: [u32; 3] = [0xd503_233f, 0xd503_237f, 0xd503_245f];

/// Distance from the stack pointer in the body of the function with this code up to its frame pointer.
pub(super) fn distance(code: &[u8]) -> Option<u64> {
    let mut distance = None;
    let words = code.chunks_exact(4).map(|word| {
        let word: [u8; 4] = word.try_into().unwrap_or_default();
        u32::from_le_bytes(word)
    });
    for word in words {
        let (destination, source) = (word & 31, (word >> 5) & 31);
        let immediate = u64::from((word >> 10) & 0xfff) << (12 * ((word >> 22) & 1));
        let is_add = word >> 23 == 0b1_0010_0010;
        let is_subtract = word >> 23 == 0b1_1010_0010;
        if NEUTRAL.contains(&word) || is_store(word) {
            continue;
        }
        distance = match (distance, destination, source) {
            (None, FRAME_POINTER, STACK_POINTER) if is_add => Some(immediate),
            (None, STACK_POINTER, STACK_POINTER) if is_subtract => None,
            (Some(below), STACK_POINTER, STACK_POINTER) if is_subtract => Some(below + immediate),
            // Room of a size that is worked out, as for an aligned frame: its distance is not fixed.
            (Some(_), _, STACK_POINTER) if is_subtract => return None,
            (None, ..) if is_push(word) => None,
            _ => return distance.filter(|_| !is_push(word)),
        };
    }
    distance
}

/// `stp` or `str` of whole registers to the frame, general or floating point, that leaves the stack pointer as it is; a
/// stack probe is one too.
fn is_store(word: u32) -> bool {
    let to_stack = (word >> 5) & 31 == STACK_POINTER;
    let pair = matches!(word >> 22, 0b10_1010_0100 | 0b01_1011_0100 | 0b10_1011_0100);
    let single = matches!(word >> 22, 0b11_1110_0100 | 0b11_1111_0100);
    to_stack && (pair || single)
}

/// `stp` or `str` that moves the stack pointer down first.
fn is_push(word: u32) -> bool {
    let to_stack = (word >> 5) & 31 == STACK_POINTER;
    let pair = matches!(word >> 22, 0b10_1010_0110 | 0b01_1011_0110 | 0b10_1011_0110);
    // Bits 11 and 10 tell pre-indexed from the other single forms.
    let single = matches!(word >> 21, 0b111_1100_0000 | 0b111_1110_0000) && (word >> 10) & 3 == 3;
    to_stack && (pair || single)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames as LLVM (of the standard library) and GCC make them, and what is not one.
    #[test]
    fn decodes_frames() {
        for (name, code, expected) in [
            // sub sp, sp, #0x40; stp x29, x30, [sp, #32]; stp x20, x19, [sp, #48]; add x29, sp, #0x20; mov x19, x0
            (
                "LLVM, locals below the record",
                &[
                    0xd101_03ff,
                    0xa902_7bfd,
                    0xa903_4ff4,
                    0x9100_83fd,
                    0xaa00_03f3,
                ][..],
                Some(0x20),
            ),
            // stp x29, x30, [sp, #-32]!; str x19, [sp, #16]; mov x29, sp; cbz
            (
                "LLVM, no locals",
                &[0xa9be_7bfd, 0xf900_0bf3, 0x9100_03fd, 0xb400_0040],
                Some(0),
            ),
            // stp x29, x30, [sp, #-48]!; stp x28, x21, [sp, #16]; mov x29, sp; sub sp, sp, #1, lsl #12; sub sp, sp, #0x20
            (
                "LLVM, a large frame with a probe",
                &[
                    0xa9bd_7bfd,
                    0xa901_57fc,
                    0x9100_03fd,
                    0xd140_07ff,
                    0xf900_03ff,
                    0xd100_83ff,
                    0xaa00_03f3,
                ],
                Some(0x1020),
            ),
            // paciasp; stp x29, x30, [sp, #-48]!; mov x29, sp; stp x19, x20, [sp, #16]
            (
                "GCC, signed return address",
                &[
                    0xd503_233f,
                    0xa9bd_7bfd,
                    0x9100_03fd,
                    0xa901_53f3,
                    0xaa00_03f3,
                ],
                Some(0),
            ),
            // stp d9, d8, [sp, #-64]!; stp x29, x30, [sp, #16]; add x29, sp, #0x10; ret
            (
                "floating point first",
                &[0x6dbc_23e9, 0xa901_7bfd, 0x9100_43fd, 0xd65f_03c0],
                Some(0x10),
            ),
            // stp x29, x30, [sp, #-32]!; mov x29, sp; sub x9, sp, #0x60; and sp, x9, #0xffffffffffffffe0
            (
                "an aligned frame",
                &[0xa9be_7bfd, 0x9100_03fd, 0xd101_83e9, 0x927b_e93f],
                None,
            ),
            // sub sp, sp, #0x10; str x0, [sp, #8]; ret
            (
                "no frame pointer",
                &[0xd100_43ff, 0xf900_07e0, 0xd65f_03c0],
                None,
            ),
            ("nothing", &[], None),
        ] {
            let bytes: Vec<u8> = code
                .iter()
                .flat_map(|word: &u32| word.to_le_bytes())
                .collect();
            assert_eq!(distance(&bytes), expected, "{name}");
        }
    }
}

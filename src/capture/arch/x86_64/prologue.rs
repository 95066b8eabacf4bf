//! How large a function's frame is on x86-64: decodes its first instructions; PURE.
//!
//! A function that keeps a frame pointer begins with `push rbp; mov rbp, rsp`, saves registers and makes room. From
//! then on the distance from the stack pointer to the frame pointer is fixed, so the frame pointer of a thread that was
//! read from outside follows from its stack pointer. Known forms are those that compilers write on x86-64 (Intel SDM
//! vol. 2, PUSH, MOV, SUB); anything else gives no answer rather than a guess.

/// Distance from the stack pointer in the body of the function with this code up to its frame pointer.
pub(super) fn distance(code: &[u8]) -> Option<u64> {
    let code = code.strip_prefix(&[0xf3, 0x0f, 0x1e, 0xfa]).unwrap_or(code);
    let code = code.strip_prefix(&[0x55])?;
    let mut code = code
        .strip_prefix(&[0x48, 0x89, 0xe5])
        .or_else(|| code.strip_prefix(&[0x48, 0x8b, 0xec]))?;
    let mut distance = 0_u64;
    loop {
        code = match code {
            // push rax (for alignment) or rbx
            [0x50 | 0x53, rest @ ..] => {
                distance += 8;
                rest
            }
            // push r12 to r15
            [0x41, 0x54..=0x57, rest @ ..] => {
                distance += 8;
                rest
            }
            // sub rsp, imm8, which is signed
            [0x48, 0x83, 0xec, size @ ..0x80, rest @ ..] => {
                distance += u64::from(*size);
                rest
            }
            // sub rsp, imm32
            [0x48, 0x81, 0xec, a, b, c, d, rest @ ..] => {
                distance += u64::from(u32::from_le_bytes([*a, *b, *c, *d]));
                rest
            }
            // mov qword ptr [rsp], 0: a stack probe between two steps
            [0x48, 0xc7, 0x04, 0x24, 0, 0, 0, 0, rest @ ..] => rest,
            // and rsp, imm: an aligned frame has no fixed distance; sub rsp, -imm: no frame is made like that
            [0x48, 0x83, 0xe4, ..] | [0x48, 0x83, 0xec, ..] => return None,
            _ => return Some(distance),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames as compilers make them, and what is not one.
    #[test]
    fn decodes_frames() {
        let frame = |rest: &[u8]| [&[0x55, 0x48, 0x89, 0xe5], rest].concat();
        for (code, expected) in [
            (frame(&[0x90]), Some(0)),
            (frame(&[0x41, 0x57, 0x41, 0x56, 0x53, 0x50, 0x90]), Some(32)),
            (frame(&[0x53, 0x48, 0x83, 0xec, 0x28, 0x90]), Some(48)),
            (
                frame(&[
                    0x48, 0x81, 0xec, 0x00, 0x10, 0, 0, 0x48, 0xc7, 0x04, 0x24, 0, 0, 0, 0, 0x48,
                    0x83, 0xec, 0x10, 0x90,
                ]),
                Some(0x1010),
            ),
            (
                [&[0xf3, 0x0f, 0x1e, 0xfa][..], &frame(&[0x53, 0x90])].concat(),
                Some(8),
            ),
            (frame(&[0x48, 0x83, 0xe4, 0xe0]), None),
            (frame(&[0x48, 0x83, 0xec, 0x80]), None),
            (vec![0x53, 0x48, 0x83, 0xec, 0x28], None),
            (vec![], None),
        ] {
            assert_eq!(distance(&code), expected, "{code:x?}");
        }
    }
}

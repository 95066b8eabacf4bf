//! The loaded modules as unwinding and symbolising need them.
//!
//! Tables come from the mapped memory that the loader names, so no file is opened: this works with deleted binaries,
//! in containers and under seccomp. The executable's tables are used in place where nobody can write to them (it is never
//! unmapped), other modules' are copied, because a plug-in may be unloaded while its stack is looked at.

use std::borrow::Cow;
use std::ops::Range;

use framehop::{ExplicitModuleSectionInfo, Module};

use super::memory::Memory;
use super::sys::RawModule;

/// Bytes of one module's unwind tables that are looked at; the largest browsers have about 20 MiB.
const TABLE_BYTES_MAX: u64 = 64 << 20;

/// Unwind tables, in place or copied.
pub(crate) type Bytes = Cow<'static, [u8]>;

/// One module with its lookup tables.
#[derive(Debug, Clone)]
pub(crate) struct LoadedModule {
    /// What the loader said.
    pub(crate) raw: RawModule,
    /// Everything from the first to the last segment.
    pub(crate) range: Range<u64>,
    header: Bytes,
}

impl LoadedModule {
    /// The module with its header table; the second value is what the unwinder wants to know.
    pub(crate) fn load(raw: RawModule, memory: &dyn Memory) -> (Self, Option<Module<Bytes>>) {
        let start = raw
            .segments
            .iter()
            .map(|segment| segment.range.start)
            .min()
            .unwrap_or(0);
        let end = raw
            .segments
            .iter()
            .map(|segment| segment.range.end)
            .max()
            .unwrap_or(0);
        let range = start..end;
        let header = raw
            .eh_frame_hdr
            .clone()
            .and_then(|range| bytes(range, memory))
            .unwrap_or_default();
        let module = unwind_module(&raw, &range, &header, memory);
        (Self { raw, range, header }, module)
    }

    /// Whether `address` is in an executable segment.
    pub(crate) fn is_code(&self, address: u64) -> bool {
        self.raw
            .segments
            .iter()
            .any(|segment| segment.executable && segment.range.contains(&address))
    }

    /// Start of the function that holds `address`, from the sorted table in `.eh_frame_hdr`.
    pub(crate) fn function_start(&self, address: u64) -> Option<u64> {
        function_start(&self.header, self.raw.eh_frame_hdr.as_ref()?.start, address)
    }

    /// The last function that starts at or before `address`, up to where its record says that it ends; `None` if the
    /// record has another form than those of every current compiler.
    pub(crate) fn function(&self, address: u64, memory: &dyn Memory) -> Option<Range<u64>> {
        let header_start = self.raw.eh_frame_hdr.as_ref()?.start;
        let (start, record) = table_entry(&self.header, header_start, address)?;
        // Length, distance to the common record, and the function's start and length, the start relative to itself.
        let mut bytes = [0; 16];
        memory.read(record, &mut bytes).then_some(())?;
        let recorded = record
            .checked_add(8)?
            .wrapping_add_signed(i64::from(word(&bytes, 8)?));
        let len = u64::from(word(&bytes, 12)?.cast_unsigned());
        (recorded == start).then(|| start..start.saturating_add(len))
    }
}

fn unwind_module(
    raw: &RawModule,
    range: &Range<u64>,
    header: &Bytes,
    memory: &dyn Memory,
) -> Option<Module<Bytes>> {
    let header_range = raw.eh_frame_hdr.clone()?;
    let frames_start = eh_frame_start(header, header_range.start)?;
    // The table's length is not recorded; it ends before its segment does, and a zero record ends it.
    let segment = raw
        .segments
        .iter()
        .find(|segment| segment.range.contains(&frames_start))?;
    let frames_range = frames_start..segment.range.end;
    let relative =
        |range: &Range<u64>| range.start.wrapping_sub(raw.bias)..range.end.wrapping_sub(raw.bias);
    let sections = ExplicitModuleSectionInfo {
        base_svma: 0,
        eh_frame_hdr_svma: Some(relative(&header_range)),
        eh_frame_hdr: Some(header.clone()),
        eh_frame_svma: Some(relative(&frames_range)),
        eh_frame: Some(bytes(frames_range, memory)?),
        ..ExplicitModuleSectionInfo::default()
    };
    Some(Module::new(
        raw.path.clone(),
        range.clone(),
        raw.bias,
        sections,
    ))
}

fn bytes(range: Range<u64>, memory: &dyn Memory) -> Option<Bytes> {
    let len = range
        .end
        .checked_sub(range.start)
        .filter(|len| *len <= TABLE_BYTES_MAX)?;
    if let Some(in_place) = memory.lend(range.clone()) {
        return Some(Cow::Borrowed(in_place));
    }
    let mut copy = vec![0; usize::try_from(len).ok()?];
    memory
        .read(range.start, &mut copy)
        .then_some(Cow::Owned(copy))
}

/// Encodings of `.eh_frame_hdr` (LSB Core, "DWARF extensions") that every current linker writes.
const PCREL_SDATA4: u8 = 0x1b;
const UDATA4: u8 = 0x03;
const DATAREL_SDATA4: u8 = 0x3b;

/// Where `.eh_frame` starts, from the header that lies at `header_start`.
pub(super) fn eh_frame_start(header: &[u8], header_start: u64) -> Option<u64> {
    (header.first() == Some(&1) && header.get(1) == Some(&PCREL_SDATA4)).then_some(())?;
    Some(
        header_start
            .wrapping_add(4)
            .wrapping_add_signed(i64::from(word(header, 4)?)),
    )
}

/// Start of the function that holds `address`, by the header's table.
pub(super) fn function_start(header: &[u8], header_start: u64, address: u64) -> Option<u64> {
    Some(table_entry(header, header_start, address)?.0)
}

/// Binary search in the header's table of (function start, record) pairs.
fn table_entry(header: &[u8], header_start: u64, address: u64) -> Option<(u64, u64)> {
    (header.get(2) == Some(&UDATA4) && header.get(3) == Some(&DATAREL_SDATA4)).then_some(())?;
    let count = usize::try_from(word(header, 8)?).ok()?;
    let address_at =
        |offset: usize| Some(header_start.wrapping_add_signed(i64::from(word(header, offset)?)));
    let entry = |index: usize| index.checked_mul(8)?.checked_add(12);
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        if address_at(entry(middle)?)? <= address {
            low = middle + 1
        } else {
            high = middle
        }
    }
    let found = entry(low.checked_sub(1)?)?;
    Some((address_at(found)?, address_at(found.checked_add(4)?)?))
}

fn word(bytes: &[u8], offset: usize) -> Option<i32> {
    bytes
        .get(offset..offset.checked_add(4)?)?
        .try_into()
        .ok()
        .map(i32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(count: i32, starts: &[i32]) -> Vec<u8> {
        let mut bytes = vec![1, PCREL_SDATA4, UDATA4, DATAREL_SDATA4];
        bytes.extend(0x100_i32.to_le_bytes());
        bytes.extend(count.to_le_bytes());
        for start in starts {
            bytes.extend(start.to_le_bytes());
            bytes.extend(0_i32.to_le_bytes());
        }
        bytes
    }

    /// The table gives the last function that starts at or before an address.
    #[test]
    fn finds_function_starts() {
        let header = header(3, &[-0x300, -0x200, -0x100]);
        for (address, expected) in [
            (0xcff, None),
            (0xd00, Some(0xd00)),
            (0xdff, Some(0xd00)),
            (0xe00, Some(0xe00)),
            (0x5000, Some(0xf00)),
        ] {
            assert_eq!(
                function_start(&header, 0x1000, address),
                expected,
                "{address:x}"
            );
        }
        assert_eq!(eh_frame_start(&header, 0x1000), Some(0x1104));
    }

    /// Lying counts and short tables give nothing.
    #[test]
    fn survives_garbage() {
        for bytes in [
            vec![],
            vec![1],
            header(i32::MAX, &[0]),
            header(-1, &[0]),
            vec![0xff; 64],
        ] {
            assert_eq!(function_start(&bytes, 0x1000, 0x2000), None);
        }
    }
}

//! Names, files and lines for code addresses.
//!
//! Lives on the reporter's thread: the first use parses debug information (tens of milliseconds), which must delay
//! neither a worker nor the watchdog. One `addr2line` loader a module, a bounded cache of answers. Without debug
//! information the symbol table still gives names; without that, module and offset. Frames without a line carry the
//! module's build id, so that they can be resolved elsewhere.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use addr2line::Loader;

use crate::capture::build_id;
use crate::capture::sys::{self, RawModule};
use crate::stall::Frame;

/// Addresses whose answers are kept: a service's stall sites have thousands of distinct addresses at most; about
/// 200 bytes each.
const CACHE_LEN_MAX: usize = 16 * 1024;

/// Frames of one stack: a deep request has about seventy with its inlined functions; a recursion of hundreds would only
/// make the event large.
pub(crate) const FRAMES_LEN_MAX: usize = 128;

/// Bytes of one note segment that are read; with the notes of tracing probes they reach some KiB.
const NOTE_BYTES_MAX: u64 = 64 * 1024;

/// The executable, also when its file was replaced or deleted.
const EXECUTABLE: &str = "/proc/self/exe";

/// Turns addresses into frames.
pub(crate) struct Symbolizer {
    modules: Vec<RawModule>,
    loaders: HashMap<String, Option<Loader>>,
    /// Events share these frames: a kept event costs a pointer a frame, not its strings.
    cache: HashMap<u64, Vec<Arc<Frame>>>,
    /// By the module's bias.
    build_ids: HashMap<u64, Option<String>>,
}

impl Symbolizer {
    pub(crate) fn new() -> Self {
        Self {
            modules: Vec::new(),
            loaders: HashMap::new(),
            cache: HashMap::new(),
            build_ids: HashMap::new(),
        }
    }

    /// Frames of a whole stack, innermost first, inlined functions included; at most [`FRAMES_LEN_MAX`].
    pub(crate) fn stack(&mut self, addresses: &[u64]) -> Vec<Arc<Frame>> {
        self.follow(sys::modules());
        let mut stack = Vec::new();
        for address in addresses {
            stack.extend_from_slice(self.frames(*address));
            if stack.len() >= FRAMES_LEN_MAX {
                stack.truncate(FRAMES_LEN_MAX);
                break;
            }
        }
        stack
    }

    /// Forgets the answers when a module is gone: another one may be loaded at its place.
    fn follow(&mut self, loaded: Vec<RawModule>) {
        if self.modules.iter().any(|known| !loaded.contains(known)) {
            self.cache.clear();
            self.build_ids.clear();
            self.loaders.retain(|path, _| {
                path == EXECUTABLE || loaded.iter().any(|module| module.path == *path)
            });
        }
        self.modules = loaded;
    }

    /// Parses what the first real report would have to wait for.
    pub(crate) fn warm(&mut self) {
        let here = Self::warm as fn(&mut Self) as usize;
        self.frames(here as u64);
    }

    fn frames(&mut self, address: u64) -> &[Arc<Frame>] {
        if self.cache.len() >= CACHE_LEN_MAX && !self.cache.contains_key(&address) {
            self.cache.clear();
        }
        if !self.cache.contains_key(&address) {
            // Debug information is input like any other: a parser's panic must cost one stack, not the reporter.
            let found = catch_unwind(AssertUnwindSafe(|| self.look_up(address)));
            let frames = found.unwrap_or_else(|_| vec![unnamed("?", address)]);
            let frames = frames.into_iter().map(Arc::new).collect();
            self.cache.insert(address, frames);
        }
        self.cache.get(&address).map_or(&[], Vec::as_slice)
    }

    fn look_up(&mut self, address: u64) -> Vec<Frame> {
        let Some(module) = self.module_of(address) else {
            return vec![unnamed("?", address)];
        };
        let path = if module.path.is_empty() {
            EXECUTABLE.to_owned()
        } else {
            module.path.clone()
        };
        let name = module_name(&module.path);
        let probe = address.wrapping_sub(module.bias);
        let loader = self
            .loaders
            .entry(path)
            .or_insert_with_key(|path| Loader::new(path).ok())
            .as_ref();
        let frames = loader.map_or_else(Vec::new, |loader| inlined_frames(loader, probe, &name));
        if !frames.is_empty() {
            return frames;
        }
        let symbol = loader.and_then(|loader| loader.find_symbol(probe).map(demangled));
        let place = Frame {
            build_id: self
                .build_ids
                .entry(module.bias)
                .or_insert_with(|| read_build_id(&module))
                .clone(),
            ..unnamed(&name, probe)
        };
        vec![match symbol {
            Some(function) => Frame { function, ..place },
            None => place,
        }]
    }

    fn module_of(&mut self, address: u64) -> Option<RawModule> {
        let holds = |module: &&RawModule| {
            module
                .segments
                .iter()
                .any(|segment| segment.executable && segment.range.contains(&address))
        };
        if let Some(module) = self.modules.iter().find(holds) {
            return Some(module.clone());
        }
        self.modules = sys::modules();
        self.modules.iter().find(holds).cloned()
    }
}

fn inlined_frames(loader: &Loader, probe: u64, module: &str) -> Vec<Frame> {
    let mut frames = Vec::new();
    let Ok(mut found) = loader.find_frames(probe) else {
        return frames;
    };
    while let Ok(Some(frame)) = found.next() {
        let Some(function) = frame
            .function
            .as_ref()
            .and_then(|function| function.raw_name().ok())
        else {
            continue;
        };
        let location = frame.location.as_ref();
        frames.push(Frame {
            function: demangled(&function),
            file: location
                .and_then(|location| location.file)
                .map(str::to_owned),
            line: location.and_then(|location| location.line),
            inlined: true,
            module: module.to_owned(),
            ..Frame::default()
        });
    }
    // The outermost of one address is the function itself, the others were inlined into it.
    if let Some(outermost) = frames.last_mut() {
        outermost.inlined = false;
    }
    frames
}

fn demangled(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}

fn unnamed(module: &str, offset: u64) -> Frame {
    Frame {
        function: format!("{module}+{offset:#x}"),
        module: module.to_owned(),
        address: Some(format!("{offset:#x}")),
        ..Frame::default()
    }
}

/// The build id of a module, from its mapped notes.
fn read_build_id(module: &RawModule) -> Option<String> {
    module.notes.iter().find_map(|range| {
        let len = range
            .end
            .checked_sub(range.start)
            .filter(|len| *len <= NOTE_BYTES_MAX)?;
        let mut notes = vec![0; usize::try_from(len).ok()?];
        sys::read_memory(range.start, &mut notes).then_some(())?;
        build_id(&notes)
    })
}

fn module_name(path: &str) -> String {
    if path.is_empty() {
        return std::env::current_exe()
            .ok()
            .and_then(|path| {
                path.file_name()
                    .map(|name| name.to_string_lossy().into_owned())
            })
            .unwrap_or_default();
    }
    path.rsplit('/').next().unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When a module goes, its answers go, and what stays loaded keeps its names.
    // The twin without capture cannot ask the system.
    #[cfg(not(pollscope_no_capture))]
    #[test]
    fn forgets_unloaded_modules() {
        let mut symbolizer = Symbolizer::new();
        let here = Symbolizer::new as fn() -> Symbolizer as usize as u64;
        let named = symbolizer.stack(&[here]);
        let mut plugin = sys::modules().pop().unwrap();
        plugin.path = "/tmp/plugin.so".to_owned();
        symbolizer.modules.push(plugin);
        symbolizer.loaders.insert("/tmp/plugin.so".to_owned(), None);
        symbolizer.cache.insert(8, Vec::new());
        assert_eq!(symbolizer.stack(&[here]), named);
        assert!(!symbolizer.cache.contains_key(&8));
        assert!(!symbolizer.loaders.contains_key("/tmp/plugin.so"));
    }

    /// What has no line can be resolved elsewhere: address in the module's file, and the module's build id.
    // The twin without capture cannot ask the system.
    #[cfg(not(pollscope_no_capture))]
    #[test]
    fn places_without_lines() {
        let mut symbolizer = Symbolizer::new();
        let module = sys::modules()
            .into_iter()
            .find(|module| module.path.contains("libc.so"))
            .unwrap();
        let code = module.segments.iter().find(|segment| segment.executable);
        let address = code.unwrap().range.start + 0x100;
        let frame = symbolizer.stack(&[address]).remove(0);
        assert!(frame.module.contains("libc.so") && frame.line.is_none());
        let offset = format!("{:#x}", address - module.bias);
        assert_eq!(frame.address.as_ref(), Some(&offset));
        let id = frame.build_id.clone().unwrap();
        assert!(
            id.len() >= 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{id}"
        );
    }

    /// However deep the recursion, an event stays small.
    #[test]
    fn long_stacks_are_cut() {
        let mut symbolizer = Symbolizer::new();
        assert_eq!(symbolizer.stack(&[8; 1000]).len(), FRAMES_LEN_MAX);
    }

    /// A function of this test is named with its file and line; an address of nobody is shown as it is.
    // The twin without capture cannot ask the system.
    #[cfg(not(pollscope_no_capture))]
    #[test]
    fn names_own_code() {
        let mut symbolizer = Symbolizer::new();
        let here = Symbolizer::new as fn() -> Symbolizer as usize as u64;
        let stack = symbolizer.stack(&[here, 8]);
        let own = stack
            .iter()
            .find(|frame| frame.function.contains("Symbolizer::new"))
            .unwrap();
        assert!(own.file.as_deref().unwrap().ends_with("src/symbolize.rs") && own.line.is_some());
        assert_eq!(stack.last().unwrap().function, "?+0x8");
    }
}

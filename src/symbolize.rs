//! Names, files and lines for code addresses.
//!
//! Lives on the reporter's thread: the first use parses debug information (tens of milliseconds), which must delay
//! neither a worker nor the watchdog. One `addr2line` loader a module, a bounded cache of answers. Without debug
//! information the symbol table still gives names; without that, module and offset.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use addr2line::Loader;

use crate::capture::sys::{self, RawModule};
use crate::stall::Frame;

/// Addresses whose answers are kept: a service's stall sites have thousands of distinct addresses at most; about
/// 200 bytes each.
const CACHE_LEN_MAX: usize = 16 * 1024;

/// Frames of one stack: a deep request has about seventy with its inlined functions; a recursion of hundreds would only
/// make the event large.
pub(crate) const FRAMES_LEN_MAX: usize = 128;

/// The executable, also when its file was replaced or deleted.
const EXECUTABLE: &str = "/proc/self/exe";

/// Turns addresses into frames.
pub(crate) struct Symbolizer {
    modules: Vec<RawModule>,
    loaders: HashMap<String, Option<Loader>>,
    cache: HashMap<u64, Vec<Frame>>,
}

impl Symbolizer {
    pub(crate) fn new() -> Self {
        Self {
            modules: Vec::new(),
            loaders: HashMap::new(),
            cache: HashMap::new(),
        }
    }

    /// Frames of a whole stack, innermost first, inlined functions included; at most [`FRAMES_LEN_MAX`].
    pub(crate) fn stack(&mut self, addresses: &[u64]) -> Vec<Frame> {
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

    fn frames(&mut self, address: u64) -> &[Frame] {
        if self.cache.len() >= CACHE_LEN_MAX && !self.cache.contains_key(&address) {
            self.cache.clear();
        }
        if !self.cache.contains_key(&address) {
            // Debug information is input like any other: a parser's panic must cost one stack, not the reporter.
            let found = catch_unwind(AssertUnwindSafe(|| self.look_up(address)));
            self.cache.insert(
                address,
                found.unwrap_or_else(|_| vec![unnamed("?", address)]),
            );
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
            .or_insert_with_key(|path| Loader::new(path).ok());
        let Some(loader) = loader else {
            return vec![unnamed(&name, probe)];
        };
        let frames = inlined_frames(loader, probe, &name);
        if !frames.is_empty() {
            return frames;
        }
        match loader.find_symbol(probe) {
            Some(symbol) => vec![Frame {
                function: demangled(symbol),
                ..unnamed(&name, probe)
            }],
            None => vec![unnamed(&name, probe)],
        }
    }

    fn module_of(&mut self, address: u64) -> Option<RawModule> {
        let holds = |module: &&RawModule| {
            module
                .segments
                .iter()
                .any(|(segment, executable)| *executable && segment.contains(&address))
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
        file: None,
        line: None,
        inlined: false,
        module: module.to_owned(),
    }
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

    /// However deep the recursion, an event stays small.
    #[test]
    fn long_stacks_are_cut() {
        let mut symbolizer = Symbolizer::new();
        assert_eq!(symbolizer.stack(&[8; 1000]).len(), FRAMES_LEN_MAX);
    }

    /// A function of this test is named with its file and line; an address of nobody is shown as it is.
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

//! Which line of a stack is the user's own; PURE.
//!
//! The innermost frame of the user's code is what the user can change: a regular expression that backtracks is blamed
//! on the line that called it. Code of the toolchain, of registries and of pollscope is not the user's.

use std::sync::Arc;

use super::event::{Frame, SourceLine};

/// Source paths that are never the user's: the standard library, and crates fetched by cargo.
const FOREIGN_PATHS: &[&str] = &[
    "/rustc/",
    "/registry/src/",
    "/git/checkouts/",
    "/rustlib/src/",
    "/library/std/src/",
    "/library/core/src/",
    // `cargo vendor`, and Bazel's crate_universe.
    "/vendor/",
    "/external/crates__",
    // The standard library's own dependencies, as its builders unpacked them: its backtraces run in them.
    "/rust/deps/",
];

/// Functions that poll tasks or root futures.
const RUNTIME_FUNCTIONS: &[&str] = &[
    "tokio::runtime::task::",
    "tokio::runtime::scheduler::",
    "tokio::runtime::context::runtime::enter_runtime",
    "tokio::runtime::park::",
];

/// Functions that are pollscope's own, wherever its source lies.
const OWN_FUNCTIONS: &[&str] = &["pollscope::"];

/// Innermost own frame. With `in_app` prefixes only functions or paths that match one are own.
pub(crate) fn own_line(stack: &[Arc<Frame>], in_app: &[String]) -> Option<SourceLine> {
    own_frames(stack, in_app).next().and_then(|frame| {
        Some(SourceLine {
            file: frame.file.clone()?,
            line: frame.line?,
            function: frame.function.clone(),
        })
    })
}

/// Which of two stacks of one poll, taken at different times, names a line that the other one bears out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Agreement {
    /// The later one's.
    Later,
    /// The earlier one's.
    Earlier,
}

/// Whether two stacks of one poll blame the same place: the innermost own line of one stands in both, since one stack alone may
/// show whatever the poll did last. A function that `computes` by itself is in a loop, whose lines differ; two calls of one
/// function are two causes.
pub(crate) fn agreement(
    later: &[Arc<Frame>],
    earlier: &[Arc<Frame>],
    in_app: &[String],
    computes: bool,
) -> Option<Agreement> {
    let own = |stack| own_frames(stack, in_app).collect::<Vec<&Frame>>();
    let (own_later, own_earlier) = (own(later), own(earlier));
    let (innermost, before) = (*own_later.first()?, *own_earlier.first()?);
    let stands_in = |frames: &[&Frame], wanted: &Frame| {
        let same = |frame: &&&Frame| frame.function == wanted.function && frame.line == wanted.line;
        frames.iter().any(|frame| same(&frame))
    };
    let loops = computes
        && innermost.function == before.function
        && computes_itself(later, innermost)
        && computes_itself(earlier, before);
    if loops || stands_in(&own_earlier, innermost) {
        Some(Agreement::Later)
    } else {
        stands_in(&own_later, before).then_some(Agreement::Earlier)
    }
}

/// Whether the instruction is the function's own: what lies further in is inlined into it.
fn computes_itself(stack: &[Arc<Frame>], own: &Frame) -> bool {
    stack
        .iter()
        .take_while(|frame| !std::ptr::eq(Arc::as_ptr(frame), own))
        .all(|frame| frame.inlined)
}

/// The future being polled, in source terms: the outermost own frame.
pub(crate) fn own_future(stack: &[Arc<Frame>], in_app: &[String]) -> Option<String> {
    own_frames(stack, in_app)
        .last()
        .map(|frame| source_name(&frame.function))
}

/// Own frames of the poll: what lies beyond the first frame of the runtime called the runtime and did not stall it.
fn own_frames<'a>(
    stack: &'a [Arc<Frame>],
    in_app: &'a [String],
) -> impl Iterator<Item = &'a Frame> {
    stack
        .iter()
        .map(Arc::as_ref)
        .take_while(|frame| !is_runtime(frame))
        .filter(move |frame| frame.line.is_some() && is_own(frame, in_app))
}

/// Whether a frame belongs to Tokio's machinery that polls tasks.
pub(crate) fn is_runtime(frame: &Frame) -> bool {
    let function = frame.function.trim_start_matches('<');
    RUNTIME_FUNCTIONS
        .iter()
        .any(|prefix| function.starts_with(prefix))
}

/// Whether a frame is of the user's own code.
pub(super) fn is_own(frame: &Frame, in_app: &[String]) -> bool {
    let Some(file) = &frame.file else {
        return false;
    };
    // `<pollscope::x as Trait>` and `pollscope::x` both name pollscope.
    let function = frame.function.trim_start_matches('<');
    if OWN_FUNCTIONS
        .iter()
        .any(|prefix| function.starts_with(prefix))
    {
        return false;
    }
    if in_app.is_empty() {
        return !FOREIGN_PATHS.iter().any(|path| file.contains(path));
    }
    in_app
        .iter()
        .any(|prefix| function.starts_with(prefix.as_str()) || file.contains(prefix.as_str()))
}

/// `chat::connection::run::{{closure}}` is what the compiler made of `async fn chat::connection::run`.
fn source_name(function: &str) -> String {
    function
        .trim_end_matches("::{{closure}}")
        .trim_end_matches("::{closure#0}")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: &str, file: &str) -> Arc<Frame> {
        frame_at(function, file, 7)
    }

    fn frame_at(function: &str, file: &str, line: u32) -> Arc<Frame> {
        Arc::new(Frame {
            function: function.to_owned(),
            file: Some(file.to_owned()),
            line: Some(line),
            module: "app".to_owned(),
            ..Frame::default()
        })
    }

    fn stack() -> Vec<Arc<Frame>> {
        vec![
            frame(
                "std::thread::sleep",
                "/rustc/abc/library/std/src/thread/mod.rs",
            ),
            frame(
                "regex::Regex::is_match",
                "/home/u/.cargo/registry/src/index-1/regex-1.0/src/lib.rs",
            ),
            frame("app::validate", "/home/u/app/src/validate.rs"),
            frame("app::handler::{{closure}}", "/home/u/app/src/handler.rs"),
            frame(
                "pollscope::runtime::spawn::watched::{{closure}}",
                "/home/u/pollscope/src/runtime/spawn.rs",
            ),
            frame(
                "<tokio::runtime::task::core::Core<T,S>>::poll",
                "/home/u/.cargo/registry/src/index-1/tokio-1.54.1/src/lib.rs",
            ),
        ]
    }

    /// The innermost own frame is the line, the outermost the future.
    #[test]
    fn blames_the_caller() {
        let line = own_line(&stack(), &[]).unwrap();
        assert_eq!(
            (line.file.as_str(), line.function.as_str()),
            ("/home/u/app/src/validate.rs", "app::validate")
        );
        assert_eq!(own_future(&stack(), &[]).as_deref(), Some("app::handler"));
    }

    /// What called the runtime did not stall it: without an own frame inside the poll there is no line.
    #[test]
    fn callers_of_the_runtime_are_innocent() {
        let mut stack = stack();
        stack.push(frame("app::main", "/home/u/app/src/main.rs"));
        assert_eq!(own_future(&stack, &[]).as_deref(), Some("app::handler"));
        let inside = stack.split_off(5);
        assert_eq!(own_line(&inside, &[]), None);
    }

    /// The standard library's vendored dependencies are nobody's own code: a backtrace that is resolved is its caller's.
    #[test]
    fn vendored_dependencies_are_foreign() {
        let mut stack = stack();
        stack.insert(
            0,
            frame(
                "gimli::read::parse",
                "/rust/deps/gimli-0.32.3/src/read/unit.rs",
            ),
        );
        assert_eq!(own_line(&stack, &[]).unwrap().function, "app::validate");
    }

    /// Prefixes narrow what is own, by function or by path.
    #[test]
    fn prefixes_narrow() {
        let only =
            |prefix: &str| own_line(&stack(), &[prefix.to_owned()]).map(|line| line.function);
        assert_eq!(
            only("app::handler").as_deref(),
            Some("app::handler::{{closure}}")
        );
        assert_eq!(only("regex").as_deref(), Some("regex::Regex::is_match"));
        assert_eq!(only("nothing"), None);
    }

    /// Two samples agree on a line that stands in both, or on a function that computes at several of its lines; neither on two
    /// functions one after the other nor on two calls of one function.
    #[test]
    fn samples_agree() {
        use Agreement::{Earlier, Later};
        let at = |function: &str, line| frame_at(function, "/home/u/app/src/work.rs", line);
        let called = |name: &str, inlined| {
            Arc::new(Frame {
                inlined,
                ..(*frame(name, "/rustc/1/library/std/src/lib.rs")).clone()
            })
        };
        let handler = |line| at("app::handler", line);
        let parse = |line| vec![at("app::parse", line), handler(3)];
        let below = |callee: &Arc<Frame>, outer: Vec<Arc<Frame>>| {
            let mut stack = vec![Arc::clone(callee)];
            stack.extend(outer);
            stack
        };
        let (sleep, next) = (called("std::thread::sleep", false), called("next", true));
        let lex = at("app::lex", 7);
        for (later, earlier, computes, expected) in [
            // A loop, with what is inlined into it.
            (parse(14), parse(10), true, Some(Later)),
            (below(&next, parse(14)), parse(10), true, Some(Later)),
            // Two calls of one function.
            (
                below(&sleep, parse(14)),
                below(&sleep, parse(10)),
                false,
                None,
            ),
            (
                below(&sleep, parse(14)),
                below(&sleep, parse(10)),
                true,
                None,
            ),
            (below(&sleep, parse(14)), parse(10), true, None),
            (parse(14), parse(10), false, None),
            // The same call, and the caller caught between two calls or in one.
            (
                below(&sleep, parse(10)),
                below(&sleep, parse(10)),
                false,
                Some(Later),
            ),
            (parse(14), below(&lex, parse(14)), false, Some(Later)),
            (below(&lex, parse(14)), parse(14), true, Some(Earlier)),
            // Two functions, or one stack.
            (
                parse(14),
                vec![at("app::store", 90), handler(4)],
                true,
                None,
            ),
            (parse(14), Vec::new(), true, None),
            (Vec::new(), parse(14), true, None),
        ] {
            assert_eq!(
                agreement(&later, &earlier, &[], computes),
                expected,
                "{later:?} {earlier:?} {computes}"
            );
        }
    }
}

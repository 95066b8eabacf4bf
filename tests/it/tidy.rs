//! Habits of the source tree that no lint knows.
//!
//! The rules read text, not syntax: comments and string literals are blanked out first, so that a rule can name the word
//! it forbids. What rustc and clippy check already is not repeated here.

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms whose sources must keep the habits, from the repository's root.
const ROOMS: [&str; 6] = ["src", "cli", "examples", "benches", "tests", "fuzz"];

/// The only room that may say `unsafe`.
const UNSAFE_ROOM: &str = "src/capture/sys";

/// The only room that may ask which machine it is built for.
const TARGET_ROOM: &str = "src/capture";

/// Names that say nothing about what is inside.
const NAMELESS: [&str; 6] = ["common", "helper", "helpers", "manager", "util", "utils"];

/// A source file: its path from the repository's root, its text, and its text without comments and literals.
struct Source {
    path: String,
    text: String,
    code: String,
}

impl Source {
    fn is_in(&self, room: &str) -> bool {
        Path::new(&self.path).starts_with(room)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test without a runtime: nobody waits for this thread"
)]
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    for room in ROOMS {
        collect(&root.join(room), &mut paths);
    }
    paths.sort();
    assert!(
        paths.len() > 10,
        "only {} sources found under {ROOMS:?}",
        paths.len()
    );
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        Source {
            path: path
                .strip_prefix(root)
                .unwrap()
                .to_string_lossy()
                .into_owned(),
            code: code_of(&text),
            text,
        }
    };
    paths.into_iter().map(read).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    // A room that does not exist has no untidy files.
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

/// Every file opens by saying what it owns.
#[test]
fn files_open_with_their_purpose() {
    let silent = sources()
        .into_iter()
        .filter(|source| !source.text.starts_with("//! "));
    refuse("a first line `//! what this file owns`", silent);
}

/// `unsafe` stays in its one room.
#[test]
fn unsafe_has_one_room() {
    let outside = sources()
        .into_iter()
        .filter(|source| !source.is_in(UNSAFE_ROOM) && has_word(&source.code, "unsafe"));
    refuse(&format!("no `unsafe` outside {UNSAFE_ROOM}"), outside);
}

/// Callers never ask for the platform; the capture room has twin files with one surface.
#[test]
fn platforms_have_one_room() {
    let outside = sources().into_iter().filter(|source| {
        let squeezed: String = source
            .code
            .chars()
            .filter(|char| !char.is_whitespace())
            .collect();
        let asks = squeezed.split("cfg").skip(1).any(platform_condition);
        !source.is_in(TARGET_ROOM) && asks
    });
    refuse(&format!("no `cfg(target…)` outside {TARGET_ROOM}"), outside);
}

/// Whether text after `cfg`, `cfg!` or `cfg_attr` begins a condition that mentions the target.
fn platform_condition(rest: &str) -> bool {
    let rest = rest.trim_start_matches("_attr").trim_start_matches('!');
    let Some(rest) = rest.strip_prefix('(') else {
        return false;
    };
    // The condition ends where its parenthesis closes.
    let mut depth = 1;
    let end = rest.find(|char| {
        match char {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    rest[..end.unwrap_or(rest.len())].contains("target_")
}

/// A file is found by its noun.
#[test]
fn files_have_nouns() {
    let nameless = sources().into_iter().filter(|source| {
        Path::new(&source.path)
            .iter()
            .filter_map(|part| Path::new(part).file_stem()?.to_str())
            .any(|stem| NAMELESS.contains(&stem))
    });
    refuse(&format!("no file or folder named {NAMELESS:?}"), nameless);
}

/// Nothing half done is kept: no debugging, no placeholder, no test that is never run.
#[test]
fn nothing_is_half_done() {
    let half_done = sources().into_iter().filter(|source| {
        let left = ["dbg!", "todo!", "unimplemented!", "#[ignore"];
        left.iter().any(|word| source.code.contains(word))
    });
    refuse(
        "no `dbg!`, `todo!`, `unimplemented!`, `#[ignore]`",
        half_done,
    );
}

/// Fails with the paths of all offenders.
fn refuse(expected: &str, offenders: impl Iterator<Item = Source>) {
    let paths: Vec<String> = offenders.map(|source| source.path).collect();
    assert!(paths.is_empty(), "expected {expected}, but: {paths:#?}");
}

/// Whether `word` stands alone in `text`, not as a part of `unsafe_code` and the like.
fn has_word(text: &str, word: &str) -> bool {
    text.split(|char: char| !char.is_alphanumeric() && char != '_')
        .any(|part| part == word)
}

/// The text with comments, strings and characters blanked; a character a character, lines kept.
fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = skipped(rest, code.chars().next_back());
        if length == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            let blank = |char| if char == '\n' { '\n' } else { ' ' };
            code.extend(rest[..length].chars().map(blank));
            rest = &rest[length..];
        }
    }
    code
}

/// Length in bytes of the comment or literal that `rest` begins with, 0 if it begins with code.
fn skipped(rest: &str, before: Option<char>) -> usize {
    let in_word = before.is_some_and(|char| char.is_alphanumeric() || char == '_');
    if rest.starts_with("//") {
        rest.find('\n').unwrap_or(rest.len())
    } else if rest.starts_with("/*") {
        block_comment(rest)
    } else if let Some(inside) = rest.strip_prefix('"') {
        1 + closing(inside, '"')
    } else if !in_word && raw_hashes(rest).is_some() {
        raw_string(rest)
    } else if rest.starts_with('\'') {
        character(rest)
    } else {
        0
    }
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        match rest.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// Bytes up to and with the closing quote, stepping over escapes.
fn closing(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, char) in rest.char_indices() {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            char if char == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The number of `#` if `rest` begins a raw string such as `r#"…"#` or `br"…"`.
fn raw_hashes(rest: &str) -> Option<usize> {
    let rest = rest.strip_prefix(['b', 'c']).unwrap_or(rest);
    let rest = rest.strip_prefix('r')?;
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    rest[hashes..].starts_with('"').then_some(hashes)
}

fn raw_string(rest: &str) -> usize {
    let hashes = raw_hashes(rest).unwrap_or(0);
    let open = rest.find('"').map_or(rest.len(), |at| at + 1);
    let end = format!("\"{}", "#".repeat(hashes));
    rest[open..]
        .find(&end)
        .map_or(rest.len(), |at| open + at + end.len())
}

/// A character literal; 0 for a lifetime.
fn character(rest: &str) -> usize {
    let mut inside = rest[1..].chars();
    match (inside.next(), inside.next()) {
        (Some('\\'), _) => 1 + closing(&rest[1..], '\''),
        (Some(char), Some('\'')) => 2 + char.len_utf8(),
        _ => 0,
    }
}

/// The rules see code only: words in comments, strings and characters do not count, and lifetimes are no characters.
#[test]
fn blanks_comments_and_literals() {
    for (text, expected) in [
        ("a // unsafe\nb", "a          \nb"),
        ("a /* x /* y */ z */ b", "a                   b"),
        (r#"f("un\"safe")g"#, "f(          )g"),
        (r###"x(r#"say "hi""#);"###, "x(             );"),
        (r"p('\'', 'é', b)", "p(    ,    , b)"),
        ("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)"),
    ] {
        assert_eq!(code_of(text), expected, "{text}");
    }
    assert!(has_word("pub unsafe fn", "unsafe") && !has_word("unsafe_code", "unsafe"));
    assert!(platform_condition("(all(unix,target_os=\"linux\"))"));
    assert!(!platform_condition("(test)]fnf(){target_os()}"));
}

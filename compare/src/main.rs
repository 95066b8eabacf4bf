//! `cargo run --release -p compare -- GROUP [--json]`: pollscope's choices beside their alternatives, in one run.
//!
//! One file a group. A group gives rows; here they become a table for people or JSON for scripts. Cold figures need a
//! fresh process each, so the program runs itself again with a hidden word.

#![expect(
    clippy::print_stdout,
    reason = "a measuring program prints its figures"
)]

mod row;
mod symbolizers;

use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["symbolizers"] => show(&symbolizers::measure(), false),
        ["symbolizers", "--json"] => show(&symbolizers::measure(), true),
        [symbolizers::CHILD, candidate] => symbolizers::child(candidate),
        _ => {
            println!("expected: compare symbolizers [--json]");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn show(rows: &[row::Row], as_json: bool) {
    println!(
        "{}",
        if as_json {
            row::json(rows)
        } else {
            row::table(rows)
        }
    );
}

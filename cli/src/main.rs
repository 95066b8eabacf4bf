//! The `pollscope` command: hands the command line to the library beside it and returns its exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    pollscope_cli::main(std::env::args_os())
}

//! Parses the command line, runs it, and turns the result into an exit code. Nothing else happens here.

use std::process::ExitCode;

fn main() -> ExitCode {
    conserver::main()
}

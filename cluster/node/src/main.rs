//! The `rungs` program. It reads the command line and hands over; see `rungs_cli`.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    rungs_cli::main(std::env::args_os(), &rungs::daemon::Daemon)
}

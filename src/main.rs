//! The `snowhaul` binary: see `snowhaul --help`.

fn main() -> std::process::ExitCode {
    snowhaul::cli::main()
}

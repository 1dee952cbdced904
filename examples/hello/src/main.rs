//! `hello`: the responder, until Ctrl-C.

use std::process::ExitCode;

use clap::Parser;

/// Answers "Hello Server!" over a Murre broker
#[derive(Parser)]
#[command(version, after_help = "Example:\n  hello --devices 3")]
struct Args {
    #[command(flatten)]
    options: hello::Options,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = Args::parse();
    program::run("hello", |stop| hello::run(args.options, stop)).await
}

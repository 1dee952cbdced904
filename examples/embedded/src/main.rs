//! `embedded`: an application with a broker inside, until Ctrl-C or SIGTERM.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Parser;
use murre_server::config::{Config, Sources};
use program::Stop;

/// The Murre broker inside an actix-web server of one's own
#[derive(Parser)]
#[command(version, after_help = "Example:\n  embedded --bind 127.0.0.1:8080 --workers 2")]
struct Args {
    /// Address and port to listen on; port 0: a free one [default: 127.0.0.1:8080]
    #[arg(long)]
    bind: Option<String>,
    /// Worker threads, of the server and of the broker
    #[arg(long, default_value_t = 2)]
    workers: usize,
}

#[actix_web::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    program::run("embedded", |stop| run(args, stop)).await
}

async fn run(args: Args, stop: Stop) -> anyhow::Result<()> {
    let mut sources = Sources::of_this_process()?;
    if let Some(bind) = args.bind {
        sources = sources.flag("server.bind", "--bind", bind);
    }
    let config = Config::load(&sources)?.config;
    let (server, addresses) = embedded::listen(config, args.workers, stop)?;
    for address in addresses {
        // whoever started it may not want to hear it
        let _ = writeln!(io::stdout(), "listening on http://{address} (devices: ws://{address}/ws)");
    }
    Ok(server.await?)
}

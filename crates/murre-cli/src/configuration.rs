//! The flags that set the broker's configuration, and reading it.

use std::{net::SocketAddr, path::PathBuf};

use murre_server::config::{Config, Loaded, Sources};

use crate::failure::Failure;

/// Flags of `serve` and `config`. Each wins over the variable and the file.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Flags {
    /// Address and port to listen on [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = address)]
    pub(crate) bind: Option<SocketAddr>,
    /// Folder to keep data in [default: none, in memory]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<String>,
    /// Configuration file [default: murre.toml, where there is one]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Worker threads, at most 64; 0: one for each processor [default: 0]
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<usize>,
    /// What to log: off, error, warn, info, debug, trace, or several by module [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log: Option<String>,
}

/// Reads an address to listen on.
///
/// # Errors
/// Says what was expected.
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "expected an IP address and a port, such as 127.0.0.1:8080 or 0.0.0.0:8080".to_owned())
}

impl Flags {
    /// The configuration in force: defaults, file, this process's environment, these flags.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn load(&self) -> Result<Loaded, Failure> {
        let mut sources = Sources::of_this_process().map_err(Failure::failed)?;
        if let Some(file) = &self.config {
            sources = sources.file(file);
        }
        let flags = [
            ("server.bind", "--bind", self.bind.map(|address| address.to_string())),
            ("store.path", "--data", self.data.clone()),
            ("server.workers", "--workers", self.workers.map(|count| count.to_string())),
            ("log.level", "--log", self.log.clone()),
        ];
        for (key, flag, value) in flags {
            if let Some(value) = value {
                sources = sources.flag(key, flag, value);
            }
        }
        Config::load(&sources).map_err(Failure::failed)
    }
}

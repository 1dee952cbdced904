//! `murre config`: the broker's configuration, shown or checked.

use murre_server::config::{Loaded, Setting};

use crate::{configuration::Flags, failure::Failure, output::Output};

/// Flags of `murre config`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "\
Examples:
  murre config show
  murre config show > settings.toml
  murre config check --config /etc/murre.toml
  MURRE__LOG__LEVEL=debug murre config show --bind 0.0.0.0:8080",
    arg_required_else_help = true
)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Print every setting, and where it comes from; the output is itself a configuration file
    Show(Flags),
    /// Say whether `murre serve` could use the configuration
    Check(Flags),
}

/// Shows or checks.
///
/// # Errors
/// What is wrong with the configuration.
pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let mut output = Output::stdout();
    match args.action {
        Action::Show(flags) => {
            for line in as_toml(&flags.load()?) {
                output.line(line)?;
            }
        }
        Action::Check(flags) => {
            let loaded = flags.load()?;
            output.line(verdict(&loaded))?;
        }
    }
    output.flush()
}

/// The settings as a file, each with where it comes from behind it.
fn as_toml(loaded: &Loaded) -> Vec<String> {
    let text = |setting: &Setting| {
        let key = setting.key.rsplit('.').next().unwrap_or_default();
        match &setting.value {
            Some(value) => format!("{key} = {value}"),
            None => format!("#{key} ="),
        }
    };
    let width = loaded.settings().iter().map(|setting| text(setting).chars().count()).max().unwrap_or(0);
    let mut lines = Vec::new();
    let mut last_section = "";
    // what stands in no section has to come first
    let (bare, in_sections): (Vec<_>, Vec<_>) =
        loaded.settings().iter().partition(|setting| !setting.key.contains('.'));
    for setting in bare.into_iter().chain(in_sections) {
        let section = setting.key.split_once('.').map_or("", |(section, _)| section);
        if section != last_section {
            if !lines.is_empty() {
                lines.push(String::new());
            }
            lines.push(format!("[{section}]"));
            last_section = section;
        }
        lines.push(format!("{:<width$}  # {}", text(setting), setting.origin));
    }
    lines
}

fn verdict(loaded: &Loaded) -> String {
    let count =
        loaded.settings().iter().filter(|s| s.origin != murre_server::config::Origin::Default).count();
    match count {
        0 => "the configuration is valid: every setting has its default".to_owned(),
        1 => "the configuration is valid: 1 setting is set".to_owned(),
        _ => format!("the configuration is valid: {count} settings are set"),
    }
}

//! Pictures of the console for the documents, taken of the demo.

use anyhow::Result;

use crate::binary::{self, Profile};
use crate::shell;
use crate::test::{BINARY_VARIABLE, chromium, node};

const APP: &str = "crates/murre-console/app";
/// Where the documents have their pictures.
const IMAGES: &str = "docs/images";

/// Takes a picture of each view anew. The demo runs for some minutes first, so that plots have something to show.
pub(crate) fn run() -> Result<()> {
    let chromium = chromium::find()?;
    let app = shell::root().join(APP);
    node::install_packages(&app)?;
    let binary = binary::build(Profile::Dev)?;
    let mut command = shell::in_repository("node");
    command.current_dir(&app).arg("scripts/screenshots.mjs").arg(shell::root().join(IMAGES));
    shell::run(command.env(BINARY_VARIABLE, binary).env(chromium::VARIABLE, chromium))
}

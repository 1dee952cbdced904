//! `/admin/backup`: a copy of the store, for programs of this machine.
//!
//! It writes nowhere but within the folder that the configuration names.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering::SeqCst},
};

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use murre_store::{Backup, Copier, StoreError};
use serde::Deserialize;
use tokio::sync::oneshot;

use super::{
    super::{Shared, problem::Problem},
    local_only::{Pages, check_is_local},
};
use crate::process::Process;

/// The longest name of a backup.
const NAME_BYTES_MAX: usize = 64;

/// The query of `POST /admin/backup`.
#[derive(Debug, Deserialize)]
pub(super) struct BackupQuery {
    name: Option<String>,
}

/// Answers when the copy is complete.
pub(super) async fn backup(
    request: HttpRequest,
    shared: web::Data<Shared>,
    query: web::Query<BackupQuery>,
) -> Result<HttpResponse, Problem> {
    check_is_local(&request, "backups are", Pages::None)?;
    let process = &shared.process;
    let folder = process.config.store.backups.as_deref();
    let folder =
        folder.ok_or_else(|| conflict("set store.backups to the folder that backups may be written into"))?;
    let copier = process.copier();
    let copier = copier.ok_or_else(|| conflict("everything is in memory: there is no store to copy"))?;
    let name = query.into_inner().name.unwrap_or_else(name_of_now);
    let target = target(folder, &name)?;
    let turn =
        Turn::take(process).ok_or_else(|| conflict("another backup is being written; wait for its end"))?;
    make(folder, &target)?;
    let written = on_a_thread(copier, target.clone(), turn).await?;
    let path = target.canonicalize().unwrap_or(target);
    tracing::info!(path = %path.display(), entries = written.entries, "a backup was written");
    Ok(HttpResponse::Created().json(serde_json::json!({
        "name": name,
        "path": path,
        "epoch": written.epoch,
        "entries": written.entries,
        "bytes": written.bytes,
    })))
}

/// The folder of that name, which isn't there yet.
fn target(folder: &Path, name: &str) -> Result<PathBuf, Problem> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.starts_with('.') || !name.bytes().all(is_plain)
    {
        let detail = format!(
            "name: expected 1 to {NAME_BYTES_MAX} letters, digits, and . _ - within, such as 2026-11-24; it is the \
             name of a folder within store.backups"
        );
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    }
    let target = folder.join(name);
    if target.symlink_metadata().is_ok() {
        return Err(conflict(&format!("there is a backup {name} already; give this one another name")));
    }
    Ok(target)
}

/// Makes the folder, so that it is this backup's alone.
fn make(folder: &Path, target: &Path) -> Result<(), Problem> {
    let made = std::fs::create_dir_all(folder).and_then(|()| std::fs::create_dir(target));
    made.map_err(|error| {
        let detail = format!("the folder {} can't be made: {error}", target.display());
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    })
}

/// `2026-11-24T13-20-05Z`.
fn name_of_now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H-%M-%SZ").to_string()
}

fn conflict(detail: &str) -> Problem {
    Problem::new(StatusCode::CONFLICT, detail)
}

/// Writes the copy on a thread of its own, which goes on to its end where nobody waits for the answer any more, and
/// doesn't keep the process from ending.
async fn on_a_thread(copier: Copier, target: PathBuf, turn: Turn) -> Result<Backup, Problem> {
    let (sender, written) = oneshot::channel();
    let write = move || {
        let _turn = turn;
        let outcome = copier.copy(&target);
        if let Err(error) = &outcome {
            tracing::error!(path = %target.display(), %error, "a backup could not be written");
            // it was made for this one
            let _ = std::fs::remove_dir_all(&target);
        }
        let _ = sender.send(outcome);
    };
    let thread = std::thread::Builder::new().name("murre backup".into()).spawn(write);
    thread.map_err(|error| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("no thread for it: {error}"))
    })?;
    match written.await {
        Ok(outcome) => outcome.map_err(|error| failed(&error)),
        Err(_) => Err(Problem::unavailable()),
    }
}

fn failed(error: &StoreError) -> Problem {
    let status = match error {
        StoreError::NotEmpty { .. } | StoreError::NoStore { .. } => StatusCode::CONFLICT,
        StoreError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    Problem::new(
        status,
        format!("the backup could not be written, and what there was of it is removed: {error}"),
    )
}

/// The right to write the one backup at a time; given back when it is dropped.
struct Turn(Arc<Process>);

impl Turn {
    fn take(process: &Arc<Process>) -> Option<Self> {
        let is_free = process.backing_up.compare_exchange(false, true, SeqCst, SeqCst).is_ok();
        is_free.then(|| Self(process.clone()))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.backing_up.store(false, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError;

    use super::*;

    #[test]
    fn a_backup_is_a_new_folder_within_the_one_that_is_meant_for_them() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("there")).unwrap();
        assert_eq!(target(folder.path(), "2026-11-24.a_b").unwrap(), folder.path().join("2026-11-24.a_b"));
        assert!(target(folder.path(), &name_of_now()).is_ok());
        let status = |name: &str| target(folder.path(), name).unwrap_err().status_code().as_u16();
        for name in ["", ".", "..", ".hidden", "a/b", "/etc/x", "..\\x", "ä", "a b", "a\0", &"x".repeat(65)]
        {
            assert_eq!(status(name), 422, "{name:?}");
        }
        assert_eq!(status("there"), 409);
    }
}

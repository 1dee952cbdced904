//! `/admin/backup`: a copy of the store, for programs of this machine.
//!
//! There is no authentication yet, so what writes files is taken from this machine alone, and writes nowhere but within
//! the folder that the configuration names.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering::SeqCst},
};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web,
};
use murre_store::{Backup, Copier, StoreError};
use serde::Deserialize;
use tokio::sync::oneshot;

use super::{Shared, problem::Problem};
use crate::{process::Process, websocket::origin::is_host_local};

/// What proxies add.
const FORWARDED: [&str; 5] = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"];
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
    check_is_local(&request)?;
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

/// Refuses whatever is or may be from elsewhere: other machines, what a proxy passes on, pages in a browser of this
/// machine.
fn check_is_local(request: &HttpRequest) -> Result<(), Problem> {
    let forbidden = |why: &str| {
        let detail = format!("backups are for programs of the broker's own machine: {why}");
        Err(Problem::new(StatusCode::FORBIDDEN, detail))
    };
    let headers = request.headers();
    if !request.peer_addr().is_some_and(|peer| peer.ip().to_canonical().is_loopback()) {
        return forbidden("this request comes from another one");
    }
    if let Some(name) = FORWARDED.iter().find(|name| headers.contains_key(**name)) {
        return forbidden(&format!("this request was passed on by a proxy, as it has the header {name}"));
    }
    if headers.contains_key(header::ORIGIN) {
        return forbidden("this request comes from a page");
    }
    if !is_host_local(headers) {
        return forbidden("this request names another host than localhost or a loopback address");
    }
    Ok(())
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
    use actix_web::{ResponseError, test::TestRequest};

    use super::*;

    fn asked(peer: &str, headers: &[(&str, &str)]) -> Result<(), u16> {
        let request = TestRequest::post().peer_addr(peer.parse().unwrap());
        let request = headers.iter().fold(request, |request, header| request.insert_header(*header));
        check_is_local(&request.to_http_request()).map_err(|problem| problem.status_code().as_u16())
    }

    #[test]
    fn programs_of_this_machine_may_ask() {
        for (peer, host) in [
            ("127.0.0.1:1", "127.0.0.1:8080"),
            ("127.0.0.1:1", "localhost:8080"),
            ("[::1]:1", "[::1]:8080"),
            ("[::ffff:127.0.0.1]:1", "localhost"),
        ] {
            assert_eq!(asked(peer, &[("host", host)]), Ok(()), "{peer} {host}");
        }
    }

    #[test]
    fn nobody_else_may() {
        let local = ("host", "127.0.0.1:8080");
        assert_eq!(asked("10.0.0.5:1", &[local]), Err(403));
        assert_eq!(asked("[2001:db8::1]:1", &[local]), Err(403));
        for header in [
            ("x-forwarded-for", "10.0.0.5"),
            ("forwarded", "for=10.0.0.5"),
            ("x-real-ip", "10.0.0.5"),
            ("via", "1.1 proxy"),
            ("origin", "http://localhost:3000"),
            ("origin", "null"),
        ] {
            assert_eq!(asked("127.0.0.1:1", &[local, header]), Err(403), "{header:?}");
        }
        for host in [
            "murre.example",
            "127.0.0.1.example",
            "10.0.0.5:8080",
            "",
            "[::2]",
            "localhost:80:80",
            "[::1]x",
            "u@localhost",
        ] {
            assert_eq!(asked("127.0.0.1:1", &[("host", host)]), Err(403), "{host}");
        }
        assert_eq!(asked("127.0.0.1:1", &[]), Err(403));
    }

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

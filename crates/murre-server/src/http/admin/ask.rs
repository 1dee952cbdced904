//! How workers are asked what their sessions are.
//!
//! A question is a task on the worker's thread; what takes long goes in slices there, between which the event loop has
//! its turn. It ends when nobody waits for the answer any more.

use std::time::Duration;

use actix_web::http::StatusCode;
use futures_util::future::try_join_all;
use murre_core::ids::WorkerId;
use tokio::sync::{SemaphorePermit, oneshot};

use super::Problem;
use crate::{process::Process, shell::runtime::Local};

/// How long a worker may take to an answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// The right to ask: so many may at once.
pub(super) fn begin(process: &Process) -> Result<SemaphorePermit<'_>, Problem> {
    process.questions.try_acquire().map_err(|_| {
        let detail = "as many questions are under way as may be; ask again when some are answered";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    })
}

/// Asks one worker.
pub(super) async fn ask<A: Send + 'static>(
    process: &Process,
    worker: WorkerId,
    question: impl AsyncFnOnce(Local) -> A + Send + 'static,
) -> Result<A, Problem> {
    let (mut sender, answer) = oneshot::channel();
    process.on_worker(worker, move || {
        let Some(local) = Local::current() else { return };
        actix_rt::spawn(async move {
            let answer = tokio::select! {
                answer = question(local) => Some(answer),
                () = sender.closed() => None,
            };
            if let Some(answer) = answer {
                let _ = sender.send(answer);
            }
        });
    });
    match tokio::time::timeout(ANSWER_MAX, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        _ => Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            format!(
                "worker {} did not answer within {} s: it is busy, or the broker is stopping; ask again later",
                worker.0,
                ANSWER_MAX.as_secs()
            ),
        )),
    }
}

/// Asks every worker the same, or a part each.
pub(super) async fn ask_all<A: Send + 'static, Q: AsyncFnOnce(Local) -> A + Send + 'static>(
    process: &Process,
    question: impl Fn(WorkerId) -> Q,
) -> Result<Vec<A>, Problem> {
    try_join_all(process.all_workers().map(|worker| ask(process, worker, question(worker)))).await
}

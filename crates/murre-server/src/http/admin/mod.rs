//! `/admin`: what those who run the broker ask and do, from its own machine. `docs/admin.md` has the contract.
//!
//! | module | has |
//! |---|---|
//! | `clients` | `/admin/clients`: who is connected, and disconnecting |
//! | `topics` | `/admin/topics/{topic}`: who publishes and who subscribes |
//! | `stats` | `/admin/stats`: the broker in the last minutes |
//! | `backup` | `/admin/backup`: a copy of the store |
//! | `json` | how clients and subscriptions are written |
//! | `ask` | how workers are asked |
//! | `local_only` | who may |

use actix_web::{HttpRequest, web};

use super::{problem::Problem, resource};
use local_only::{Pages, check_is_local};

mod ask;
mod backup;
mod clients;
mod json;
mod local_only;
mod stats;
mod topics;

/// Adds the routes.
pub(super) fn configure(routes: &mut web::ServiceConfig) {
    routes
        .service(resource("/admin/backup", "POST").route(web::post().to(backup::backup)))
        .service(resource("/admin/stats", "GET").route(web::get().to(stats::stats)))
        .service(resource("/admin/clients", "GET").route(web::get().to(clients::list)))
        .service(resource("/admin/clients/{id}", "GET").route(web::get().to(clients::one)))
        .service(
            resource("/admin/clients/{id}/disconnect", "POST").route(web::post().to(clients::disconnect)),
        )
        .service(resource("/admin/topics/{topic:.*}", "GET").route(web::get().to(topics::one)));
}

/// Programs of this machine may ask, and the console.
fn check(request: &HttpRequest) -> Result<(), Problem> {
    check_is_local(request, "the admin API is", Pages::Own)
}

//! `/admin/topics/{topic}`: who publishes there, and who is subscribed by which filter and view.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use murre_core::{
    embedded::TopicReport,
    hub::{Party, SubscriptionReport},
    ids::WorkerId,
    shard::Publisher,
};
use murre_protocol::{Timestamp, TopicName};
use serde::Serialize;

use super::{
    Problem,
    ask::{ask, ask_all, begin},
    check,
    json::{PublisherJson, RuleJson, SubscriberJson},
};
use crate::{
    http::{Shared, topics::topic_behind},
    process::Process,
    shell::runtime::Local,
};

/// Publishers and subscribers that are shown, of each.
const PARTIES_MAX: usize = 200;

#[derive(Debug, Serialize)]
struct TopicAnswer {
    topic: String,
    rule: Option<RuleJson>,
    publishers: Vec<PublisherJson>,
    subscribers: Vec<SubscriberJson>,
    truncated: bool,
}

/// What one worker's sessions have to do with a topic.
struct Parties {
    publishers: Vec<(Party, Timestamp)>,
    subscribers: Vec<(Party, SubscriptionReport)>,
}

/// `GET /admin/topics/{topic}`.
pub(super) async fn one(request: HttpRequest, shared: web::Data<Shared>) -> Result<HttpResponse, Problem> {
    check(&request)?;
    let topic = topic_behind("/admin/topics/", &request)?;
    let process = &shared.process;
    let _turn = begin(process)?;
    let asked = topic.clone();
    let known = ask(process, process.worker_of_topic(topic.as_str()), async move |local| {
        local.peek_engine(|engine| engine.report_topic(&asked))
    });
    let parties = ask_parties(process, &topic, known.await?).await?;
    let (mut publishers, mut subscribers) = (Vec::new(), Vec::new());
    for of_worker in parties {
        let known = of_worker.publishers.into_iter();
        publishers.extend(known.map(|(party, last)| PublisherJson::new(party, last)));
        let known = of_worker.subscribers.into_iter();
        subscribers.extend(known.map(|(party, report)| SubscriberJson::new(party, report)));
    }
    publishers.sort_by_key(|publisher| std::cmp::Reverse(publisher.last));
    subscribers.sort_by_cached_key(SubscriberJson::order);
    let truncated = publishers.len() > PARTIES_MAX || subscribers.len() > PARTIES_MAX;
    publishers.truncate(PARTIES_MAX);
    subscribers.truncate(PARTIES_MAX);
    let rule = process.rule_of(&topic).map(RuleJson::from);
    let topic = topic.as_str().to_owned();
    Ok(HttpResponse::Ok().json(TopicAnswer { topic, rule, publishers, subscribers, truncated }))
}

/// Asks all workers for their sessions among those that the topic's shard knows of, and their subscriptions.
async fn ask_parties(
    process: &Process,
    topic: &TopicName<'static>,
    known: TopicReport,
) -> Result<Vec<Parties>, Problem> {
    let (topic, known) = (Arc::new(topic.clone()), Arc::new(known));
    ask_all(process, |worker| {
        let (topic, known) = (topic.clone(), known.clone());
        async move |local: Local| parties(&local, worker, &topic, &known)
    })
    .await
}

fn parties(local: &Local, worker: WorkerId, topic: &TopicName<'_>, known: &TopicReport) -> Parties {
    local.peek_hub(|hub| {
        let own = known.publishers.iter().filter(|publisher| publisher.session.worker == worker);
        let party = |publisher: &Publisher| {
            hub.report_party(publisher.session.key).map(|party| (party, publisher.last))
        };
        Parties {
            publishers: own.filter_map(party).collect(),
            // one more says that there are more
            subscribers: hub.report_subscribers(topic, &known.groups, PARTIES_MAX + 1),
        }
    })
}

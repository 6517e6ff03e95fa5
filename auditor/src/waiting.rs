//! What every service has still to do.

use std::collections::HashMap;

use contract::mesh::v1::audit_service_client::AuditServiceClient;
use contract::mesh::v1::{ListWaitingRequest, Waiting};
use mesh::{Channel, Status};

/// Every service that has a store.
const SERVICES: [&str; 7] =
    ["users", "catalog", "cart", "orders", "payments", "ledger", "notifications"];
/// How many of them a page has.
const PAGE: i32 = 1000;
/// Tasks that only wait for a time to come, and make nothing right that is wrong until then.
const TIMERS: [&str; 2] = ["expire_order", "expire_reservation"];

/// What every service has still to do.
#[derive(Debug, Default)]
pub(crate) struct Todo {
    all: Vec<(&'static str, Waiting)>,
    by_subject: HashMap<String, Vec<usize>>,
}

impl Todo {
    pub(crate) async fn read(channel: &impl Fn(&'static str) -> Channel) -> Result<Self, Status> {
        let mut todo = Self::default();
        for service in SERVICES {
            let mut audits = AuditServiceClient::new(channel(service));
            let mut page_token = String::new();
            loop {
                let service_name = service.to_owned();
                let request =
                    ListWaitingRequest { service: service_name, page_size: PAGE, page_token };
                let page = audits.list_waiting(request).await?.into_inner();
                page.waiting.into_iter().for_each(|waiting| todo.add(service, waiting));
                page_token = page.next_page_token;
                if page_token.is_empty() {
                    break;
                }
            }
        }
        Ok(todo)
    }

    pub(crate) fn add(&mut self, service: &'static str, waiting: Waiting) {
        let at = self.all.len();
        for subject in &waiting.subject_ids {
            self.by_subject.entry(subject.clone()).or_default().push(at);
        }
        self.all.push((service, waiting));
    }

    pub(crate) fn all(&self) -> &[(&'static str, Waiting)] {
        &self.all
    }

    /// What is to be done about something, and has not failed for good.
    fn about<'t>(&'t self, id: &str) -> impl Iterator<Item = &'t Waiting> + use<'t> {
        let positions = self.by_subject.get(id).map_or(&[][..], Vec::as_slice);
        positions.iter().map(|at| &self.all[*at].1).filter(|waiting| !waiting.dead)
    }

    /// Whether something will still change by itself.
    pub(crate) fn changes(&self, id: &str) -> bool {
        self.about(id).any(|waiting| !TIMERS.contains(&waiting.kind.as_str()))
    }

    /// Whether a task of a kind is to be done about something.
    pub(crate) fn has(&self, kind: &str, id: &str) -> bool {
        self.about(id).any(|waiting| waiting.kind == kind)
    }
}

//! The endpoints behind a target, and which of them take calls.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::uri::Authority;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at, sleep_until};
use tokio_util::task::AbortOnDropHandle;

use super::backoff::Backoff;
use super::connection::{Address, Security};
use super::endpoint::{Endpoint, State, Turn, since};
use super::outlier::{self, Host, Record, Rules};
use super::picker::{Picker, pick};
use super::resolve::Resolver;
use super::subchannel::Subchannel;
use super::target::Target;
use crate::channelz::{self, Channel as Listed};
use crate::metrics::{self, Subchannels};

/// A name is not asked for again sooner than this, however often endpoints are lost.
const LEAST_PAUSE: Duration = Duration::from_secs(1);

/// How endpoints are connected to, and where they are listed.
#[derive(Clone)]
pub(super) struct Dialling {
    pub(super) authority: Authority,
    pub(super) security: Security,
    pub(super) listed: Option<Arc<Listed>>,
    pub(super) counts: Subchannels,
}

/// Chooses an endpoint for each call.
pub(super) struct Balancer {
    shared: Arc<Shared>,
    _task: AbortOnDropHandle<()>,
}

#[derive(Debug)]
struct Shared {
    picker: ArcSwap<Picker>,
    /// Every endpoint, for whoever looks.
    members: ArcSwap<Vec<Arc<Endpoint>>>,
    /// The picker is another one.
    news: Notify,
    begun: Instant,
}

/// What is known of where a target's endpoints are.
type Addresses = Result<Vec<Address>, Arc<str>>;

impl Balancer {
    /// Connects to every endpoint behind a target from now on.
    pub(super) fn start(target: &Target, dialling: Dialling, rules: Rules) -> Self {
        let shared = Arc::new(Shared {
            picker: ArcSwap::from_pointee(Picker::Waiting),
            members: ArcSwap::default(),
            news: Notify::new(),
            begun: Instant::now(),
        });
        let fleet = Fleet {
            shared: Arc::clone(&shared),
            dialling,
            rules,
            members: BTreeMap::new(),
            tasks: JoinSet::new(),
            changed: Arc::default(),
            lost: Arc::default(),
            hurry: Arc::default(),
            was_well: false,
        };
        let task = AbortOnDropHandle::new(tokio::spawn(fleet.run(target.clone())));
        Self { shared, _task: task }
    }

    /// The endpoints, for as long as they are there.
    pub(super) fn fleet(&self) -> Weak<dyn metrics::Fleet> {
        let shared: Arc<dyn metrics::Fleet> = self.shared.clone();
        Arc::downgrade(&shared)
    }

    /// A turn at an endpoint. While nobody is ready it waits; when nobody can be reached, it says why, unless
    /// the call waits for that to pass.
    pub(super) async fn turn(
        &self,
        tried: &[Arc<Endpoint>],
        wait_for_ready: bool,
    ) -> Result<Turn, Arc<str>> {
        // To wait for news takes a lock, and nearly no call has to.
        if let Picker::Ready(ready) = &**self.shared.picker.load()
            && let Some(turn) = self.pick(ready, tried)
        {
            return Ok(turn);
        }
        loop {
            let mut news = std::pin::pin!(self.shared.news.notified());
            news.as_mut().enable();
            match &**self.shared.picker.load() {
                Picker::Ready(ready) => {
                    // None when every connection was closed a moment ago, which will be news.
                    if let Some(turn) = self.pick(ready, tried) {
                        return Ok(turn);
                    }
                }
                Picker::Failing(why) if !wait_for_ready => return Err(Arc::clone(why)),
                Picker::Waiting | Picker::Failing(_) => {}
            }
            news.await;
        }
    }

    fn pick(&self, ready: &[Arc<Endpoint>], tried: &[Arc<Endpoint>]) -> Option<Turn> {
        pick(ready, tried, self.shared.begun, |below| rand::random_range(0..below))
    }
}

impl metrics::Fleet for Shared {
    fn endpoints(&self) -> Vec<metrics::Endpoint> {
        let members = self.members.load();
        let say = |endpoint: &Arc<Endpoint>| metrics::Endpoint {
            address: endpoint.address.to_string(),
            is_ready: endpoint.state() == State::Ready,
            is_ejected: endpoint.is_ejected.load(Ordering::Relaxed),
            is_shut: endpoint.breaker.is_shut(),
        };
        members.iter().map(say).collect()
    }
}

/// The endpoints, each with the task that keeps it connected.
struct Fleet {
    shared: Arc<Shared>,
    dialling: Dialling,
    rules: Rules,
    members: BTreeMap<Address, Member>,
    tasks: JoinSet<()>,
    changed: Arc<Notify>,
    lost: Arc<Notify>,
    /// Ends the waits between dials.
    hurry: Arc<Notify>,
    /// Somebody was well.
    was_well: bool,
}

struct Member {
    endpoint: Arc<Endpoint>,
    task: tokio::task::AbortHandle,
    record: Record,
    was_ready: bool,
}

impl Fleet {
    async fn run(mut self, target: Target) {
        let (tell, mut told) = watch::channel(None);
        self.tasks.spawn(locate(target, tell, Arc::clone(&self.lost)));
        let first = Instant::now() + self.rules.interval;
        let mut compare = interval_at(first, self.rules.interval);
        let mut unknown = None;
        loop {
            tokio::select! {
                Ok(()) = told.changed() => match told.borrow_and_update().clone() {
                    Some(Ok(addresses)) => {
                        unknown = None;
                        self.place(&addresses);
                    }
                    // Where endpoints were is believed until something better is known.
                    Some(Err(why)) => unknown = Some(why),
                    None => {}
                },
                () = self.changed.notified() => {}
                _ = compare.tick() => self.compare(),
            }
            self.publish(unknown.as_ref());
        }
    }

    /// Lets go of endpoints that are no more, and connects to new ones.
    fn place(&mut self, addresses: &[Address]) {
        self.members.retain(|address, member| {
            let stays = addresses.contains(address);
            if !stays {
                member.task.abort();
            }
            stays
        });
        for address in addresses {
            if self.members.contains_key(address) {
                continue;
            }
            let Dialling { authority, security, listed, counts } = self.dialling.clone();
            let listed = listed.map(|listed| listed.subchannel(address.to_string()));
            let endpoint = Endpoint::new(address.clone(), listed, self.shared.begun);
            let endpoint = Arc::new(endpoint);
            let subchannel = Subchannel {
                endpoint: Arc::clone(&endpoint),
                authority,
                security,
                counts,
                changed: Arc::clone(&self.changed),
                lost: Arc::clone(&self.lost),
                hurry: Arc::clone(&self.hurry),
            };
            let task = self.tasks.spawn(subchannel.run());
            let member = Member { endpoint, task, record: Record::default(), was_ready: false };
            self.members.insert(address.clone(), member);
        }
        let members = self.members.values().map(|member| Arc::clone(&member.endpoint)).collect();
        self.shared.members.store(Arc::new(members));
    }

    /// Leaves out who fails more than the others.
    fn compare(&mut self) {
        let taken = |count: &std::sync::atomic::AtomicU32| count.swap(0, Ordering::Relaxed);
        let mut hosts: Vec<_> = self
            .members
            .values()
            .map(|Member { endpoint, record, .. }| Host {
                successes: taken(&endpoint.successes),
                failures: taken(&endpoint.failures),
                record: record.clone(),
            })
            .collect();
        outlier::sweep(&self.rules, &mut hosts, Instant::now());
        for (member, host) in self.members.values_mut().zip(hosts) {
            if member.record.is_out() != host.record.is_out() {
                let endpoint = &member.endpoint.address;
                tracing::info!(%endpoint, out = host.record.is_out(), "an endpoint fails more than others, or no longer");
            }
            member.record = host.record;
            member.endpoint.is_ejected.store(member.record.is_out(), Ordering::Relaxed);
        }
    }

    /// Who takes calls from now on: those that are ready and not left out; those that are ready; those that
    /// say that they do not serve.
    fn publish(&mut self, unknown: Option<&Arc<str>>) {
        self.welcome();
        let (mut well, mut left_out, mut resting, mut failing) = (vec![], vec![], vec![], vec![]);
        for Member { endpoint, record, .. } in self.members.values() {
            match endpoint.state() {
                State::Ready if record.is_out() => left_out.push(Arc::clone(endpoint)),
                State::Ready => well.push(Arc::clone(endpoint)),
                State::Resting => resting.push(Arc::clone(endpoint)),
                State::Failing(why) => failing.push(why),
                State::Connecting => {}
            }
        }
        // The last one that was well is about to end, or has: whoever was restarted before may be back, and a
        // wait that began while it was away would last longer than the other does.
        if std::mem::replace(&mut self.was_well, !well.is_empty()) && well.is_empty() {
            self.hurry.notify_waiters();
        }
        let takers = [well, left_out, resting].into_iter().find(|takers| !takers.is_empty());
        let is_hopeless = failing.len() == self.members.len();
        let picker = match (takers, failing.into_iter().next().or(unknown.cloned())) {
            (Some(takers), _) => Picker::Ready(takers),
            (None, Some(why)) if is_hopeless => Picker::Failing(why),
            (None, _) => Picker::Waiting,
        };
        if let Some(listed) = &self.dialling.listed {
            listed.is(match &picker {
                Picker::Ready(_) => channelz::State::Ready,
                Picker::Waiting => channelz::State::Connecting,
                Picker::Failing(_) => channelz::State::TransientFailure,
            });
        }
        self.shared.picker.store(Arc::new(picker));
        self.shared.news.notify_waiters();
    }

    /// Whoever is ready for the first time, or again, is taken for as fast as the others are.
    fn welcome(&mut self) {
        let now_ms = since(self.shared.begun, Instant::now());
        let known = self.members.values().filter(|member| member.was_ready);
        let known: Vec<_> = known.map(|member| member.endpoint.load.estimate(now_ms)).collect();
        let count = u32::try_from(known.len()).unwrap_or(u32::MAX);
        let mean = known.iter().sum::<Duration>().checked_div(count);
        for member in self.members.values_mut() {
            let is_ready = member.endpoint.state() == State::Ready;
            if is_ready && !member.was_ready {
                member.endpoint.load.begin_anew(mean, now_ms);
                member.endpoint.breaker.begin_anew();
            }
            member.was_ready = is_ready;
        }
    }
}

/// Tells where a target's endpoints are, again as that ages and whenever one is lost.
async fn locate(target: Target, tell: watch::Sender<Option<Addresses>>, lost: Arc<Notify>) {
    let mut resolver = Resolver::new(target);
    let mut backoff = Backoff::default();
    loop {
        let asked = Instant::now();
        let until = match resolver.resolve().await {
            Ok(resolved) => {
                backoff.succeeded();
                tell.send_replace(Some(Ok(resolved.addresses)));
                resolved.until
            }
            Err(error) => {
                tell.send_replace(Some(Err(error.to_string().into())));
                Some(asked + LEAST_PAUSE + backoff.failed(rand::random()))
            }
        };
        // What cannot change is not asked for again.
        let Some(until) = until else { return std::future::pending().await };
        tokio::select! {
            () = sleep_until(until) => {}
            () = lost.notified() => sleep_until((asked + LEAST_PAUSE).min(until)).await,
        }
    }
}

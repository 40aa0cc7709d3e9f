//! One thread that polls who was woken, and lets time pass when nobody was.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use klamm::{Budget, Class, Client, Config, Drive, Driver};
use klamm_broker::{Cluster, ClusterConfig};

use crate::rng::Rng;
use crate::transport::{Shared, SimTransport};
use crate::world::World;

/// So many polls of one task at one moment are a loop that never ends.
const POLLS_MAX: u32 = 10_000;

/// What went wrong in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(pub String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

/// Tasks that were woken, each once.
#[derive(Default)]
struct Ready(Mutex<(VecDeque<usize>, Vec<bool>)>);

impl Ready {
    fn push(&self, task: usize) {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (queue, flags) = &mut *list;
        if flags.len() <= task {
            flags.resize(task + 1, false);
        }
        if !core::mem::replace(&mut flags[task], true) {
            queue.push_back(task);
        }
    }

    /// Takes one of them, whichever.
    fn take(&self, rng: &mut Rng) -> Option<usize> {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (queue, flags) = &mut *list;
        let index = rng.index(queue.len().max(1));
        let task = queue.remove(index)?;
        flags[task] = false;
        Some(task)
    }

    fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.is_empty()
    }
}

struct TaskWaker {
    task: usize,
    ready: Arc<Ready>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.ready.push(self.task);
    }
}

type Body = Pin<Box<dyn Future<Output = ()>>>;

struct Task {
    name: String,
    body: Option<Body>,
    waker: Waker,
    /// It drives a client.
    drives: bool,
    polled_at: u64,
    polls: u32,
}

/// A simulation.
pub struct Sim {
    /// Everything outside of the clients.
    pub world: Shared,
    seed: u64,
    tasks: Vec<Task>,
    ready: Arc<Ready>,
    rng: Rng,
    audit_rng: Rng,
    /// How often, in 10,000, a task that nobody woke is polled when everything is quiet, to see that it has nothing to
    /// do.
    pub audit: u32,
    /// How often, in 10,000, a task that nobody woke is polled for no reason.
    pub spurious: u32,
    budgets: Vec<Arc<Budget>>,
    /// Whether handles may poll a driver in place, as on tokio.
    pub inline: bool,
}

/// A driver behind a lock, so that a handle that finds it idle may poll it where it stands.
struct Inline(Mutex<Option<Driver<SimTransport>>>);

impl Inline {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(driver) = place.as_mut() else { return Poll::Ready(()) };
        if driver.poll(cx).is_pending() {
            return Poll::Pending;
        }
        let ended = place.take();
        drop(place);
        drop(ended);
        Poll::Ready(())
    }
}

impl Drive for Inline {
    fn try_drive(&self, waker: &Waker) -> bool {
        let Ok(mut place) = self.0.try_lock() else { return false };
        let Some(driver) = place.as_mut() else { return true };
        if driver.poll(&mut Context::from_waker(waker)).is_ready() {
            waker.wake_by_ref();
        }
        true
    }
}

impl Sim {
    /// A quiet world with this cluster.
    pub fn new(seed: u64, cluster: ClusterConfig, print: bool) -> Sim {
        let world = World::new(seed, Cluster::new(cluster), print);
        Sim {
            world: Shared::new(world),
            seed,
            tasks: Vec::new(),
            ready: Arc::default(),
            rng: Rng::stream(seed, "schedule"),
            audit_rng: Rng::stream(seed, "audit"),
            audit: 10_000,
            spurious: 0,
            budgets: Vec::new(),
            inline: false,
        }
    }

    /// A new client whose driver is a task.
    ///
    /// # Errors
    /// Those of [`klamm::new`].
    pub fn client(&mut self, mut config: Config) -> Result<Client, klamm::Error> {
        let budget = config.budget.get_or_insert_with(|| Budget::new(config.memory)).clone();
        let client = self.world.lock().add_client();
        let world = self.world.clone();
        let observer = move |event: &klamm::Event<'_>| world.lock().tell(client, event);
        config = config.observer(Arc::new(observer));
        let rng = Rng::stream(self.seed, &format!("entropy {client}"));
        let transport = SimTransport { world: self.world.clone(), client, rng, jobs: Vec::new() };
        let (handle, driver) = klamm::new(config, transport)?;
        if !self.budgets.iter().any(|b| Arc::ptr_eq(b, &budget)) {
            self.budgets.push(budget);
        }
        let body: Body = if self.inline {
            let driver = Arc::new(Inline(Mutex::new(Some(driver))));
            let weak: std::sync::Weak<dyn Drive> = Arc::downgrade(&driver) as std::sync::Weak<dyn Drive>;
            handle.drive_inline(weak);
            Box::pin(async move { core::future::poll_fn(|cx| driver.poll(cx)).await })
        } else {
            Box::pin(driver)
        };
        self.add(format!("driver {client}"), body, true);
        Ok(handle)
    }

    /// Adds a task.
    pub fn spawn(&mut self, name: impl Into<String>, body: impl Future<Output = ()> + 'static) {
        self.add(name.into(), Box::pin(body), false);
    }

    fn add(&mut self, name: String, body: Body, drives: bool) {
        let task = self.tasks.len();
        let waker = Waker::from(Arc::new(TaskWaker { task, ready: Arc::clone(&self.ready) }));
        self.tasks.push(Task { name, body: Some(body), waker, drives, polled_at: 0, polls: 0 });
        self.ready.push(task);
    }

    /// The virtual time since the beginning.
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.world.lock().now())
    }

    /// Runs until `done`, for at most so much virtual time.
    ///
    /// # Errors
    /// When that time is over, when nothing can happen any more, when a task spins, and when a budget is passed.
    pub fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&Sim) -> bool) -> Result<(), Failure> {
        let until = self.world.lock().now().saturating_add(limit.as_nanos() as u64);
        loop {
            while let Some(task) = self.ready.take(&mut self.rng) {
                self.poll(task)?;
            }
            if done(self) {
                return Ok(());
            }
            self.look_for_lost_wake_ups()?;
            if !self.ready.is_empty() {
                continue;
            }
            let next = self.world.lock().next_event();
            match next {
                None => return Err(Failure(format!("stuck, a wake-up was lost: {}", self.open()))),
                Some(at) if at > until => {
                    return Err(Failure(format!("not done after {limit:?} of virtual time: {}", self.open())));
                }
                Some(_) => self.world.lock().step(),
            };
            if self.spurious > 0 && self.audit_rng.chance(self.spurious) {
                let task = self.audit_rng.index(self.tasks.len());
                self.ready.push(task);
            }
        }
    }

    /// Runs until a future is ready and gives what it answers.
    ///
    /// # Panics
    /// When it is not ready within so much virtual time, and as [`Sim::run_until`] fails.
    pub fn block_on<T: 'static>(&mut self, limit: Duration, body: impl Future<Output = T> + 'static) -> T {
        let answer: Rc<Cell<Option<T>>> = Rc::default();
        let place = Rc::clone(&answer);
        self.spawn("main", async move { place.set(Some(body.await)) });
        let task = self.tasks.len() - 1;
        let run = self.run_until(limit, |sim| sim.tasks[task].body.is_none());
        run.unwrap_or_else(|failure| panic!("{failure}"));
        answer.take().expect("a task that has ended has left its answer")
    }

    /// Lets virtual time pass.
    ///
    /// # Panics
    /// As [`Sim::run_until`] fails.
    pub fn pass(&mut self, span: Duration) {
        let world = self.world.clone();
        self.block_on(span * 2, async move { sleep(&world, span).await });
    }

    /// Runs until every task has ended, the drivers too.
    ///
    /// # Errors
    /// Those of [`Sim::run_until`], and memory that was not given back.
    pub fn finish(&mut self, limit: Duration) -> Result<(), Failure> {
        self.run_until(limit, |sim| sim.tasks.iter().all(|t| t.body.is_none()))?;
        for (client, budget) in self.budgets.iter().enumerate() {
            for class in CLASSES {
                let leased = budget.leased(class);
                if leased > 0 {
                    return Err(Failure(format!("client {client} has ended and holds {leased} bytes of {class}")));
                }
            }
        }
        Ok(())
    }

    fn poll(&mut self, task: usize) -> Result<(), Failure> {
        let now = self.world.lock().now();
        let entry = &mut self.tasks[task];
        let Some(body) = entry.body.as_mut() else { return Ok(()) };
        if entry.polled_at != now {
            (entry.polled_at, entry.polls) = (now, 0);
        }
        entry.polls += 1;
        if entry.polls > POLLS_MAX {
            return Err(Failure(format!("{} spins: polled {POLLS_MAX} times without time passing", entry.name)));
        }
        if body.as_mut().poll(&mut Context::from_waker(&entry.waker)).is_ready() {
            let ended = entry.body.take();
            let mut world = self.world.lock();
            world.activity += 1;
            world.trace.note(now, format_args!("{} has ended", entry.name));
            drop(world);
            drop(ended);
        }
        self.check_budgets()
    }

    /// Nobody was woken, and time does not pass: then nobody may have anything to do. One who does was not woken when
    /// its work came.
    fn look_for_lost_wake_ups(&mut self) -> Result<(), Failure> {
        if self.audit == 0 || !self.audit_rng.chance(self.audit) || self.world.lock().has_late_timer() {
            return Ok(());
        }
        let task = self.audit_rng.index(self.tasks.len());
        if self.tasks[task].body.is_none() {
            return Ok(());
        }
        let before = self.world.lock().activity;
        self.tell(format_args!("audit of {}", self.tasks[task].name));
        self.poll(task)?;
        let after = self.world.lock().activity;
        if before != after {
            let name = &self.tasks[task].name;
            return Err(Failure(format!("a wake-up was lost: {name} had work to do, and nobody woke it")));
        }
        Ok(())
    }

    fn tell(&self, what: fmt::Arguments<'_>) {
        let mut world = self.world.lock();
        let now = world.now();
        world.trace.tell(now, what);
    }

    fn check_budgets(&self) -> Result<(), Failure> {
        for (client, budget) in self.budgets.iter().enumerate() {
            for class in CLASSES {
                let (used, limit) = (budget.used(class), budget.limit(class));
                if used > limit {
                    return Err(Failure(format!("client {client} holds {used} bytes of {class}, more than {limit}")));
                }
            }
        }
        Ok(())
    }

    /// The names of tasks that have not ended.
    fn open(&self) -> String {
        let open = self.tasks.iter().filter(|t| t.body.is_some());
        let apps: Vec<&str> = open.clone().filter(|t| !t.drives).map(|t| &*t.name).collect();
        let drivers = open.filter(|t| t.drives).count();
        format!("{} and {drivers} drivers are open", if apps.is_empty() { "no task".into() } else { apps.join(", ") })
    }
}

const CLASSES: [Class; 5] = [Class::Control, Class::Produce, Class::Fetch, Class::Inflate, Class::Tickets];

/// Waits for so much virtual time.
pub async fn sleep(world: &Shared, span: Duration) {
    let until = world.lock().now() + span.as_nanos() as u64;
    let mut armed = false;
    core::future::poll_fn(|cx| world.lock().poll_until(until, &mut armed, cx)).await;
}

/// An operation whose end counts as something that happened, so that a lost wake-up shows.
pub async fn op<T>(world: &Shared, operation: impl Future<Output = T>) -> T {
    let result = operation.await;
    world.lock().acted(format_args!("an operation has ended"));
    result
}

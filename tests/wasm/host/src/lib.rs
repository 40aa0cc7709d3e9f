//! A host for the components: wasmtime, with what it grants chosen by each test.
//!
//! What a test cannot do without is asserted.

mod serve;

pub use serve::{Answer, Server, post, request};

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use wasmtime::{
    Engine, Result, Store,
    component::{Component, InstancePre, Linker, ResourceTable},
};
use wasmtime_wasi::{
    WasiCtx, WasiCtxView, WasiView,
    p2::{bindings::CommandPre, pipe::MemoryOutputPipe},
};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView};

/// What a host may grant.
#[derive(Clone, Copy, Debug)]
pub struct Grants {
    /// TCP sockets.
    pub tcp: bool,
    /// Name look-up.
    pub look_up: bool,
}

/// All of it.
pub const ALL: Grants = Grants { tcp: true, look_up: true };

/// A compiled component.
#[derive(Clone)]
pub struct Guest {
    engine: Engine,
    component: Component,
    linked: InstancePre<State>,
}

/// What one instance has.
pub struct State {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: NoRequests,
    table: ResourceTable,
    memory: Arc<AtomicUsize>,
}

type Sending = Box<dyn Future<Output = Result<(), Error>> + Send>;

/// Components here ask nobody over HTTP.
struct NoRequests;

impl WasiHttpHooks for NoRequests {
    fn send_request(
        &mut self,
        _: http::Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Sending,
    ) -> Box<dyn Future<Output = Result<(http::Response<WasiBody>, Sending), Error>> + Send> {
        Box::new(async { Err(Error::HttpRequestDenied) })
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.hooks }
    }
}

impl wasmtime::ResourceLimiter for State {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        self.memory.fetch_add(desired - current, Ordering::SeqCst);
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, _: usize, _: Option<usize>) -> Result<bool> {
        Ok(true)
    }
}

/// An instance of a command that runs, or has run. Dropped, it is gone in the middle of whatever it does.
pub struct Running {
    task: tokio::task::JoinHandle<Result<(Result<(), ()>, Duration)>>,
    out: MemoryOutputPipe,
    err: MemoryOutputPipe,
    memory: Arc<AtomicUsize>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What became of a command.
#[derive(Debug)]
pub struct Ran {
    /// Whether it says that it succeeded.
    pub ok: bool,
    pub out: String,
    pub err: String,
    /// Its linear memory at the end, which never shrinks.
    pub memory_bytes: usize,
    /// From the beginning of instantiation to the end.
    pub took: Duration,
}

/// Where the components are.
pub fn component(name: &str) -> PathBuf {
    let dir = std::env::var_os("KLAMM_COMPONENTS").expect("KLAMM_COMPONENTS: tests/wasm/run sets it");
    PathBuf::from(dir).join(format!("{name}.wasm"))
}

impl Guest {
    /// Compiles a component by the name of its file.
    pub fn compile(name: &str) -> Guest {
        let engine = Engine::default();
        let file = component(name);
        let component = Component::from_file(&engine, &file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let mut linker: Linker<State> = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).expect("links");
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker).expect("links");
        let linked = linker.instantiate_pre(&component).expect("every import is there");
        Guest { engine, component, linked }
    }

    /// The names of the interfaces that it imports, without their versions.
    pub fn imports(&self) -> Vec<String> {
        let names = self.component.component_type();
        let names = names.imports(&self.engine).map(|(name, _)| name.split('@').next().unwrap_or(name).to_owned());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names.dedup();
        names
    }

    fn store(&self, grants: Grants, arguments: &[&str], env: &[(&str, &str)]) -> (Store<State>, [MemoryOutputPipe; 2]) {
        let pipes = [MemoryOutputPipe::new(64 << 20), MemoryOutputPipe::new(1 << 20)];
        let mut wasi = WasiCtx::builder();
        wasi.arg("guest").args(arguments).envs(env).stdout(pipes[0].clone()).stderr(pipes[1].clone());
        wasi.inherit_network().allow_tcp(grants.tcp).allow_ip_name_lookup(grants.look_up);
        let state = State {
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            hooks: NoRequests,
            table: ResourceTable::new(),
            memory: Arc::default(),
        };
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| state);
        (store, pipes)
    }

    /// Begins to run it as a command.
    pub fn start(&self, grants: Grants, arguments: &[&str], env: &[(&str, &str)]) -> Running {
        let (mut store, [out, err]) = self.store(grants, arguments, env);
        let memory = Arc::clone(&store.data().memory);
        let linked = CommandPre::new(self.linked.clone()).expect("it is a command");
        let task = tokio::spawn(async move {
            let began = Instant::now();
            let command = linked.instantiate_async(&mut store).await?;
            let ran = command.wasi_cli_run().call_run(&mut store).await?;
            Ok((ran, began.elapsed()))
        });
        Running { task, out, err, memory }
    }

    /// Runs it as a command with everything granted.
    pub async fn run(&self, arguments: &[&str]) -> Ran {
        self.start(ALL, arguments, &[]).ended().await
    }
}

impl Running {
    /// What it has printed so far.
    pub fn printed(&self) -> String {
        String::from_utf8_lossy(&self.out.contents()).into_owned()
    }

    pub fn is_finished(&self) -> bool {
        self.task.is_finished()
    }

    /// Waits until it has printed this.
    pub async fn prints(&self, what: &str) {
        let began = Instant::now();
        while !self.printed().contains(what) {
            let said = || String::from_utf8_lossy(&self.err.contents()).into_owned();
            assert!(!self.task.is_finished(), "it has ended: {}{}", self.printed(), said());
            assert!(began.elapsed() < Duration::from_secs(60), "no {what:?} within a minute: {}", self.printed());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Stops it in the middle of whatever it does; what it has printed up to then.
    pub async fn stopped(mut self) -> String {
        self.task.abort();
        let ended = (&mut self.task).await;
        assert!(ended.is_err(), "it had ended by itself: {}", self.printed());
        self.printed()
    }

    /// Waits for its end.
    pub async fn ended(mut self) -> Ran {
        let done = tokio::time::timeout(Duration::from_secs(120), &mut self.task).await;
        let done = done.unwrap_or_else(|_| panic!("it does not end: {}", self.printed()));
        let err = String::from_utf8_lossy(&self.err.contents()).into_owned();
        let (ran, took) = done.expect("it is not stopped").unwrap_or_else(|trap| panic!("{err}{trap:?}"));
        let memory_bytes = self.memory.load(Ordering::SeqCst);
        Ran { ok: ran.is_ok(), out: self.printed(), err, memory_bytes, took }
    }
}

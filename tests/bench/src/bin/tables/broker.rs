//! The cluster, in a process of its own, so that its time is not the client's.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, ExitCode, Stdio},
};

use klamm_broker::ClusterConfig;

/// A running cluster; dropped, it ends.
pub(crate) struct Brokers {
    child: Child,
    pub(crate) bootstrap: String,
}

impl Brokers {
    /// This very program, as brokers.
    pub(crate) fn start(count: usize) -> Brokers {
        let program = std::env::current_exe().expect("this program has a path");
        let mut command = Command::new(program);
        let mut child = command
            .args(["serve", &count.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("no process for the brokers: {error}"));
        let mut bootstrap = String::new();
        let told = BufReader::new(child.stdout.take().expect("piped")).read_line(&mut bootstrap);
        told.unwrap_or_else(|error| panic!("the brokers did not start: {error}"));
        // A list of one is enough to find all.
        let bootstrap = bootstrap.trim().split(',').next().unwrap_or_default().to_owned();
        Brokers { child, bootstrap }
    }
}

impl Drop for Brokers {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The other process: prints its addresses, and ends when nobody holds its standard input any more.
pub(crate) fn serve(brokers: usize) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.unwrap_or_else(|error| panic!("no runtime: {error}"));
    let _inside = runtime.enter();
    let running = klamm_broker::serve(ClusterConfig { brokers, ..ClusterConfig::default() });
    let running = running.unwrap_or_else(|error| panic!("no ports: {error}"));
    println!("{}", running.bootstrap());
    let _ = std::io::stdin().lock().read_line(&mut String::new());
    ExitCode::SUCCESS
}

//! The HTTP server's life: a socket is bound, the latest snapshot is served until it is told to stop.
//! This file never makes a snapshot.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::Outside;
use crate::config::Config;
use crate::publish::snapshot::Snapshot;
use crate::publish::web;

/// The HTTP server; it outlives a reload unless its address changes.
pub(super) struct Server {
    pub(super) snapshots: watch::Sender<Arc<Snapshot>>,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Server {
    pub(super) async fn start(address: SocketAddr, config: &Config, outside: &Outside) -> anyhow::Result<Server> {
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!("cannot listen on {address}; is another daycap running? give another address with http.listen or --listen")
        })?;
        tracing::info!("metrics at http://{}/metrics", listener.local_addr()?);
        let empty = Arc::new(Snapshot::starting(outside.version, &config.host, (outside.wall)()));
        let (snapshots, receiver) = watch::channel(empty);
        let (stop, stopped) = oneshot::channel::<()>();
        // Ends when `stop` is used or dropped: either way the daemon is done with it.
        let shutdown = async { drop(stopped.await) };
        let serving = tokio::spawn(web::serve(listener, web::router(receiver, outside.wall), shutdown));
        Ok(Server { snapshots, stop, serving })
    }

    pub(super) async fn stop(self) -> anyhow::Result<()> {
        drop(self.stop);
        self.serving.await?.context("the HTTP server failed")
    }
}

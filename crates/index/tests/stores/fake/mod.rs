//! A stand-in for a Qdrant server: the calls that the store makes, in memory, and all others
//! refused.
//!
//! It means what Qdrant means by them, and is stricter in one thing: a field must have an index to
//! be filtered or ordered by.

mod calls;
mod filter;
mod points;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use qdrant_client::qdrant::collections_server::CollectionsServer;
use qdrant_client::qdrant::points_server::PointsServer;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use self::points::Collection;

/// All collections by their names.
#[derive(Clone, Default)]
struct State(Arc<Mutex<HashMap<String, Collection>>>);

/// A running server. It ends when it is dropped.
pub(crate) struct Fake {
    state: State,
    address: SocketAddr,
    /// None while it is stopped.
    runtime: Option<Runtime>,
}

impl Fake {
    pub(crate) fn start() -> Self {
        let mut fake = Self {
            state: State::default(),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            runtime: None,
        };
        fake.run();
        fake
    }

    /// Serves, again at the address that it had.
    pub(crate) fn run(&mut self) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind(self.address)).unwrap();
        self.address = listener.local_addr().unwrap();
        let points = PointsServer::new(self.state.clone()).max_decoding_message_size(usize::MAX);
        let serving = Server::builder()
            .add_service(CollectionsServer::new(self.state.clone()))
            .add_service(points)
            .serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true)));
        runtime.spawn(serving);
        self.runtime = Some(runtime);
    }

    /// Breaks off all connections, and keeps what it holds.
    pub(crate) fn stop(&mut self) {
        self.runtime = None;
    }

    /// Lets so many requests write points into a collection, and refuses the one after them.
    pub(crate) fn refuse_after(&self, collection: &str, requests: usize) {
        let mut all = self.state.0.lock().unwrap();
        all.get_mut(collection).unwrap().until_refused = Some(requests);
    }

    /// Where a collection is.
    pub(crate) fn url(&self, collection: &str) -> String {
        format!("qdrant://{}/{collection}", self.address)
    }

    /// Where any client finds it.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

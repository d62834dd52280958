//! Questions to the server, asked from code that waits for their answers.
//!
//! Invariant: a request runs on a thread of this store's own, so that one may ask from anywhere,
//! from within another runtime, too. Every request can be repeated without harm, so one that met no
//! server is.

use std::future::Future;
use std::sync::mpsc;
use std::time::Duration;

use qdrant_client::qdrant::{DeletePointsBuilder, PointId};
use qdrant_client::{Qdrant as Client, QdrantError};
use tokio::runtime::{Builder, Runtime};
use tonic::Code;

use super::address::Address;
use super::fault::{is_absent, reason};
use crate::{Error, Result};

/// Longest time for an answer. A large batch is written within it, with all its indices.
const PATIENCE: Duration = Duration::from_secs(120);

/// Longest time until a server is reached.
const PATIENCE_TO_CONNECT: Duration = Duration::from_secs(10);

/// Pauses before the next tries, while a server starts anew.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(300),
    Duration::from_secs(2),
    Duration::from_secs(10),
];

/// A connection to the server of a collection.
pub(super) struct Wire {
    /// None only while it is dropped.
    runtime: Option<Runtime>,
    client: Client,
    pub(super) address: Address,
    /// Whether the server has answered before, so that it is worth waiting for.
    is_known: bool,
}

impl Wire {
    /// # Errors
    /// [`Error::Server`] for an address that can't be one. Whether a server is there shows with the
    /// first request.
    pub(super) fn new(address: Address) -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("diptych-qdrant")
            .enable_all()
            .build()?;
        let client = Client::from_url(&address.server)
            .api_key(std::env::var("QDRANT_API_KEY"))
            .timeout(PATIENCE)
            .connect_timeout(PATIENCE_TO_CONNECT)
            // It would print, and only calls are used that servers have had since 1.16.
            .skip_compatibility_check()
            .build()
            .map_err(|error| Error::Server {
                url: address.url.clone(),
                reason: reason(&error),
            })?;
        Ok(Self {
            runtime: Some(runtime),
            client,
            address,
            is_known: false,
        })
    }

    /// From now on, a server that does not answer is asked again.
    pub(super) fn known(mut self) -> Self {
        self.is_known = true;
        self
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// [`Error::Server`] with what the server says.
    pub(super) fn ask<R, T, F>(&self, request: R, ask: impl Fn(Client, R) -> F) -> Result<T>
    where
        R: Clone,
        T: Send + 'static,
        F: Future<Output = Result<T, QdrantError>> + Send + 'static,
    {
        self.try_to(request, ask)?
            .map_err(|error| self.error(reason(&error)))
    }

    /// Deletes points of a collection, and waits until they have gone.
    ///
    /// # Errors
    /// As [`Wire::ask`].
    pub(super) fn delete(&self, collection: &str, ids: Vec<PointId>) -> Result<()> {
        let request = DeletePointsBuilder::new(collection).points(ids).wait(true);
        self.ask(request, |client, request| async move {
            client.delete_points(request).await
        })?;
        Ok(())
    }

    /// Asks for something in a collection; none if there is no such collection.
    ///
    /// # Errors
    /// As [`Wire::ask`].
    pub(super) fn ask_if_there<R, T, F>(
        &self,
        request: R,
        ask: impl Fn(Client, R) -> F,
    ) -> Result<Option<T>>
    where
        R: Clone,
        T: Send + 'static,
        F: Future<Output = Result<T, QdrantError>> + Send + 'static,
    {
        match self.try_to(request, ask)? {
            Ok(answer) => Ok(Some(answer)),
            Err(QdrantError::ResponseError { status }) if status.code() == Code::NotFound => {
                Ok(None)
            }
            Err(error) => Err(self.error(reason(&error))),
        }
    }

    fn try_to<R, T, F>(
        &self,
        request: R,
        ask: impl Fn(Client, R) -> F,
    ) -> Result<Result<T, QdrantError>>
    where
        R: Clone,
        T: Send + 'static,
        F: Future<Output = Result<T, QdrantError>> + Send + 'static,
    {
        let mut pauses = PAUSES
            .iter()
            .take(if self.is_known { PAUSES.len() } else { 0 });
        loop {
            let answer = self.wait_for(ask(self.client.clone(), request.clone()))?;
            match (answer, pauses.next()) {
                (Err(error), Some(pause)) if is_absent(&error) => std::thread::sleep(*pause),
                (answer, _) => return Ok(answer),
            }
        }
    }

    fn wait_for<T: Send + 'static>(
        &self,
        answer: impl Future<Output = T> + Send + 'static,
    ) -> Result<T> {
        let broken = || self.error("the request was broken off");
        let runtime = self.runtime.as_ref().ok_or_else(broken)?;
        let (send, receive) = mpsc::channel();
        runtime.spawn(async move {
            // Who asked waits, so somebody receives.
            let _ = send.send(answer.await);
        });
        receive.recv().map_err(|_| broken())
    }

    /// An error of this place.
    pub(super) fn error(&self, reason: impl Into<String>) -> Error {
        Error::Server {
            url: self.address.url.clone(),
            reason: reason.into(),
        }
    }

    /// An error about what is there, and should be something else.
    pub(super) fn damaged(&self, reason: impl Into<String>) -> Error {
        Error::Damaged {
            path: self.address.url.clone().into(),
            reason: reason.into(),
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // To wait for its thread is not allowed everywhere.
            runtime.shutdown_background();
        }
    }
}

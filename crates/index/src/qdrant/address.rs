//! The address of a collection: `qdrant://host:6334/collection`, or `qdrants://` with TLS.

use crate::{Error, Result};

/// The port that Qdrant answers gRPC on, unless told otherwise.
const PORT: u16 = 6334;

/// The address of a collection on a server.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Address {
    /// As it was written.
    pub(super) url: String,
    /// The server, as its client wants it.
    pub(super) server: String,
    /// The collection that has the vectors.
    pub(super) vectors: String,
    /// The collection that has what has no vector: refused files, notes, and the model.
    pub(super) beside: String,
}

impl Address {
    /// # Errors
    /// [`Error::Server`] if this is no such address.
    pub(super) fn parse(url: &str) -> Result<Self> {
        let refused = |url: String, reason: &str| Error::Server {
            url,
            reason: reason.into(),
        };
        if let Some((before, after)) = url.rsplit_once('@') {
            // A password must not be in a message, either.
            let scheme = before.split_once("://").map_or("", |(scheme, _)| scheme);
            let reason = "a key does not belong in the address; QDRANT_API_KEY holds it";
            return Err(refused(format!("{scheme}://…@{after}"), reason));
        }
        split(url).ok_or_else(|| {
            let reason =
                "wanted `qdrant://HOST:PORT/COLLECTION`, or `qdrants://` for a server with TLS";
            refused(url.to_owned(), reason)
        })
    }
}

fn split(url: &str) -> Option<Address> {
    let (scheme, rest) = url.split_once("://")?;
    let scheme = match scheme {
        "qdrant" => "http",
        "qdrants" => "https",
        _ => return None,
    };
    let (server, collection) = rest.split_once('/')?;
    if collection.is_empty() || collection.contains(['/', '?', '#']) {
        return None;
    }
    // An address of version 6 has colons of its own, in brackets.
    let after_host = server.rfind(']').map_or(0, |at| at + 1);
    let (host, port) = match server[after_host..].find(':') {
        Some(at) => {
            let (host, port) = server.split_at(after_host + at);
            (host, port[1..].parse().ok()?)
        }
        None => (server, PORT),
    };
    if host.is_empty() {
        return None;
    }
    Some(Address {
        url: url.to_owned(),
        server: format!("{scheme}://{host}:{port}"),
        vectors: collection.to_owned(),
        beside: format!("{collection}-files"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, want: Option<(&str, &str)>) {
        let address = Address::parse(url).ok();
        let got = address
            .as_ref()
            .map(|p| (p.server.as_str(), p.vectors.as_str()));
        assert_eq!(got, want, "of {url}");
    }

    #[test]
    fn an_address_has_a_server_and_a_collection() {
        check("qdrant://host:1/c", Some(("http://host:1", "c")));
        check("qdrant://host/c", Some(("http://host:6334", "c")));
        check("qdrants://host/c", Some(("https://host:6334", "c")));
        check("qdrant://[::1]:7/c", Some(("http://[::1]:7", "c")));
        check("qdrant://[::1]/c", Some(("http://[::1]:6334", "c")));
        for url in [
            "http://host/c",
            "host/c",
            "qdrant://host",
            "qdrant://host/",
            "qdrant:///c",
            "qdrant://:6334/c",
            "qdrant://host:port/c",
            "qdrant://host:99999/c",
            "qdrant://host/c/d",
            "qdrant://host/c?d",
        ] {
            check(url, None);
        }
    }

    #[test]
    fn a_key_in_the_address_is_refused_and_not_repeated() {
        let error = Address::parse("qdrant://me:secret@host/c").unwrap_err();
        let said = error.to_string();
        assert!(!said.contains("secret"), "{said}");
        assert!(said.contains("QDRANT_API_KEY"), "{said}");
    }
}

//! The hub's protocol: what a repository has, what a file is, and its bytes.
//!
//! Source: `file_download.py` and `hf_api.py` in huggingface_hub 1.x.

use std::io::{Read, Write};
use std::time::Duration;

use serde::Deserialize;
use ureq::Agent;
use ureq::http::{Response, StatusCode, header};
use ureq::typestate::WithoutBody;
use ureq::{Body, RequestBuilder};

use super::environment::Environment;

/// A failure in words, and whether another try could go better.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) reason: String,
    pub(super) passing: bool,
}

type Attempt<T> = Result<T, Failure>;

type Request = RequestBuilder<WithoutBody>;

/// The commit and the files of a repository at a revision.
#[derive(Debug, Deserialize)]
pub(super) struct Listing {
    /// The commit.
    pub(super) sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Debug, Deserialize)]
struct Sibling {
    rfilename: String,
}

impl Listing {
    pub(super) fn files(&self) -> impl Iterator<Item = &str> {
        self.siblings
            .iter()
            .map(|sibling| sibling.rfilename.as_str())
    }
}

/// Hash and size of a file on the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Remote {
    /// Its name among blobs: the SHA-256 of a large file, git's SHA-1 of a small one.
    pub(super) etag: String,
    pub(super) size: u64,
}

/// A hub that can be asked.
pub(super) struct Client<'a> {
    environment: &'a Environment,
    agent: Agent,
}

/// Time after which a server that sends nothing is given up.
const STALLED: Duration = Duration::from_secs(30);

/// Redirections that are followed.
const MAX_REDIRECTS: usize = 5;

/// Bytes of an answer that is no file.
const MAX_ANSWER: u64 = 16 << 20;

impl<'a> Client<'a> {
    pub(super) fn new(environment: &'a Environment) -> Self {
        let config = Agent::config_builder()
            // Followed here, so that the token goes to the hub alone.
            .max_redirects(0)
            .http_status_as_error(false)
            .timeout_resolve(Some(Duration::from_secs(10)))
            .timeout_connect(Some(Duration::from_secs(10)))
            .timeout_recv_response(Some(Duration::from_secs(60)))
            // For each part of a body: a server that stops sending is left.
            .timeout_per_read(Some(STALLED))
            .user_agent(concat!("diptych/", env!("CARGO_PKG_VERSION")))
            .build();
        Self {
            environment,
            agent: config.new_agent(),
        }
    }

    /// Lists the files of `repository` at `revision`.
    pub(super) fn list(&self, repository: &str, revision: &str) -> Attempt<Listing> {
        let path = format!("/api/models/{repository}/revision/{revision}");
        let url = format!("{}{path}", self.environment.endpoint);
        let response = self.redirected(&url, |url| self.agent.get(url), |_| true)?;
        let reader = response.into_body().into_reader().take(MAX_ANSWER);
        serde_json::from_reader(reader).map_err(|e| Failure {
            reason: format!("{url} answered with something else than a list of files: {e}"),
            passing: true,
        })
    }

    /// Bytes of the file at `url`.
    pub(super) fn size(&self, url: &str) -> Attempt<u64> {
        let response = self.redirected(url, |url| self.agent.head(url), |_| true)?;
        let size = response.headers().get(header::CONTENT_LENGTH);
        let size = size.and_then(|size| size.to_str().ok()?.parse().ok());
        size.ok_or_else(|| Failure {
            reason: format!("{url} does not say how large it is"),
            passing: false,
        })
    }

    /// Asks for the hash and the size of the file at `url`.
    pub(super) fn remote(&self, url: &str) -> Attempt<Remote> {
        // The answer is the hub's own, or points to where large files lie: both say what it is.
        let response = self.redirected(url, |url| self.agent.head(url), |to| self.is_hub(to))?;
        let text = |name: &str| {
            let value = response.headers().get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        let etag = text("x-linked-etag").or_else(|| text("etag"));
        let etag = etag.map(|etag| etag.trim_start_matches("W/").trim_matches('"').to_owned());
        let is_hash = |etag: &String| {
            [40, 64].contains(&etag.len()) && etag.bytes().all(|b| b.is_ascii_hexdigit())
        };
        // That of a redirection is its own length.
        let length = || text("content-length").filter(|_| response.status().is_success());
        let size = text("x-linked-size").or_else(length);
        match (
            etag.filter(is_hash),
            size.and_then(|size| size.parse().ok()),
        ) {
            (Some(etag), Some(size)) => Ok(Remote { etag, size }),
            _ => Err(Failure {
                reason: format!("{url} does not say how large it is and what its hash is"),
                passing: false,
            }),
        }
    }

    /// Downloads the file at `url` from byte `from` on. `out` returns the writer for the byte at
    /// which the answer begins: `from`, or 0 from a server that sends all of it. After each part
    /// `tell` gets the number of bytes so far, and may break off with a reason.
    pub(super) fn download(
        &self,
        url: &str,
        from: u64,
        out: &mut dyn FnMut(u64) -> std::io::Result<Box<dyn Write>>,
        tell: &mut dyn FnMut(u64) -> Result<(), String>,
    ) -> Attempt<()> {
        let request = |url: &str| match from {
            0 => self.agent.get(url),
            from => self
                .agent
                .get(url)
                .header(header::RANGE, format!("bytes={from}-")),
        };
        let response = self.redirected(url, request, |_| true)?;
        // A server that does not know ranges sends all of it.
        let mut done = match response.status() {
            StatusCode::PARTIAL_CONTENT => from,
            _ => 0,
        };
        let local = |e: std::io::Error| Failure {
            reason: e.to_string(),
            passing: false,
        };
        let mut out = out(done).map_err(local)?;
        let mut reader = response.into_body().into_reader();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let n = reader.read(&mut buffer).map_err(|e| Failure {
                reason: format!("{url} was cut off after {done} bytes: {e}"),
                passing: true,
            })?;
            if n == 0 {
                return out.flush().map_err(local);
            }
            out.write_all(&buffer[..n]).map_err(local)?;
            done += n as u64;
            tell(done).map_err(|reason| Failure {
                reason,
                passing: false,
            })?;
        }
    }

    /// Where a file of a repository is.
    pub(super) fn url(&self, repository: &str, commit: &str, file: &str) -> String {
        format!(
            "{}/{repository}/resolve/{commit}/{file}",
            self.environment.endpoint
        )
    }

    /// The answer at the end of the redirections that `goes_on` follows.
    fn redirected(
        &self,
        url: &str,
        request: impl Fn(&str) -> Request,
        goes_on: impl Fn(&str) -> bool,
    ) -> Attempt<Response<Body>> {
        let mut at = url.to_owned();
        for _ in 0..=MAX_REDIRECTS {
            let mut request = request(&at);
            if let Some(token) = self.environment.token.as_ref().filter(|_| self.is_hub(&at)) {
                request = request.header(header::AUTHORIZATION, token.bearer());
            }
            let response = request.call().map_err(|e| Failure {
                reason: format!("{at} can't be reached: {e}"),
                passing: true,
            })?;
            let status = response.status();
            let to = response.headers().get(header::LOCATION);
            match to.and_then(|to| to.to_str().ok()) {
                Some(to) if status.is_redirection() => {
                    let to = joined(&at, to).ok_or_else(|| Failure {
                        reason: format!("{at} redirects to `{to}`, which is not followed"),
                        passing: false,
                    })?;
                    if !goes_on(&to) {
                        return Ok(response);
                    }
                    at = to;
                }
                _ if status.is_success() => return Ok(response),
                _ => return Err(refusal(&at, status)),
            }
        }
        Err(Failure {
            reason: format!("{url} redirects more than {MAX_REDIRECTS} times"),
            passing: false,
        })
    }

    fn is_hub(&self, url: &str) -> bool {
        let rest = url.strip_prefix(&self.environment.endpoint);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// Where a redirection from `at` leads: to another address, or to a path on the same server. Never
/// from https to less.
fn joined(at: &str, to: &str) -> Option<String> {
    let (scheme, rest) = at.split_once("://")?;
    let server = rest.split('/').next()?;
    let to = match to {
        _ if to.starts_with("//") => format!("{scheme}:{to}"),
        _ if to.starts_with('/') => format!("{scheme}://{server}{to}"),
        _ => to.to_owned(),
    };
    let is_safe = to.starts_with("https://") || scheme == "http" && to.starts_with("http://");
    is_safe.then_some(to)
}

/// The failure that an HTTP status stands for.
fn refusal(url: &str, status: StatusCode) -> Failure {
    let meaning = match status.as_u16() {
        // The hub answers alike for what is missing and for what may not be seen.
        401 => "there is no such repository, or it is private: then HF_TOKEN has to be set",
        403 => "it is gated: HF_TOKEN has to be that of somebody who was let in",
        404 => "there is no such file or repository",
        429 => "too many requests",
        500.. => "the server failed",
        _ => "it was refused",
    };
    Failure {
        reason: format!("{url} answered {status}: {meaning}"),
        passing: status.as_u16() == 429 || status.is_server_error(),
    }
}

#[cfg(test)]
mod tests {
    use super::joined;

    #[test]
    fn redirections_are_joined_where_they_were_met_and_lose_no_safety() {
        let at = "https://cdn.example/a/b?c=/d";
        let to = |to: &str| joined(at, to);
        assert_eq!(to("/x/y").unwrap(), "https://cdn.example/x/y");
        assert_eq!(to("//other.example/x").unwrap(), "https://other.example/x");
        assert_eq!(
            to("https://other.example/x").unwrap(),
            "https://other.example/x"
        );
        for refused in ["http://cdn.example/x", "ftp://cdn.example/x", "x", "../x"] {
            assert_eq!(to(refused), None, "{refused}");
        }
        let plain = joined("http://127.0.0.1:1/a", "http://localhost:1/b");
        assert_eq!(plain.unwrap(), "http://localhost:1/b");
    }
}

//! A server on this machine that speaks the hub's protocol, with manners of its own.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use sha1::Sha1;
use sha2::{Digest, Sha256};

/// Faults of a hub.
#[derive(Clone, Copy, Default)]
pub struct Manners {
    /// Bytes after which it cuts a connection.
    pub cut: Option<usize>,
    /// Whether it sends other bytes than it says.
    pub lies: bool,
    /// Bytes it says a file has more than it has.
    pub inflates: usize,
    /// Whether it ignores ranges.
    pub no_ranges: bool,
}

/// A hub of one repository, `us/tiny`.
pub struct Hub {
    pub address: String,
    /// Requests, a line each: method, path, range, authorisation.
    pub seen: Arc<Mutex<Vec<String>>>,
}

pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

impl Hub {
    /// Serves these files, those named in `large` from another place, as the hub does.
    pub fn start(
        files: Vec<(String, Vec<u8>)>,
        large: &'static [&'static str],
        manners: Manners,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let files: Arc<HashMap<String, Vec<u8>>> = Arc::new(files.into_iter().collect());
        let (log, home) = (seen.clone(), address.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (files, log, home) = (files.clone(), log.clone(), home.clone());
                std::thread::spawn(move || {
                    let _ = answer(&stream.unwrap(), &files, large, manners, &log, &home);
                });
            }
        });
        Self { address, seen }
    }

    pub fn requests(&self, of: &str) -> usize {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|line| line.contains(of)).count()
    }
}

/// A digest as the hub writes it.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Answers one request, and closes.
fn answer(
    stream: &TcpStream,
    files: &HashMap<String, Vec<u8>>,
    large: &[&str],
    manners: Manners,
    log: &Mutex<Vec<String>>,
    home: &str,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().unwrap()?;
    let mut headers = HashMap::new();
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(": ") else {
            break;
        };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let [method, path] = [0, 1].map(|i| request.split(' ').nth(i).unwrap().to_owned());
    let range = headers.get("range").cloned().unwrap_or_default();
    let token = headers.get("authorization").cloned().unwrap_or_default();
    log.lock()
        .unwrap()
        .push(format!("{method} {path} {range} {token}"));
    let mut out = stream;
    if path == "/api/models/us/tiny/revision/main" {
        let names = files
            .keys()
            .map(|name| serde_json::json!({"rfilename": name}));
        let json = serde_json::json!({"sha": COMMIT, "siblings": names.collect::<Vec<_>>()});
        let json = json.to_string();
        return write!(
            out,
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{json}",
            json.len()
        );
    }
    let resolve = format!("/us/tiny/resolve/{COMMIT}/");
    let (name, elsewhere) = match path.strip_prefix(&resolve) {
        Some(name) => (name, false),
        None => (path.strip_prefix("/elsewhere/").unwrap_or_default(), true),
    };
    let Some(bytes) = files.get(name) else {
        return write!(
            out,
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
    };
    let size = bytes.len() + manners.inflates;
    let etag = if large.contains(&name) {
        hex(&Sha256::digest(bytes))
    } else {
        hex(&Sha1::digest(
            [format!("blob {}\0", bytes.len()).as_bytes(), bytes].concat(),
        ))
    };
    if large.contains(&name) && !elsewhere {
        return write!(
            out,
            "HTTP/1.1 302 Found\r\nLocation: {}/elsewhere/{name}\r\nX-Linked-Etag: \"{etag}\"\r\n\
             X-Linked-Size: {size}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            home.replace("127.0.0.1", "localhost")
        );
    }
    let from = range
        .strip_prefix("bytes=")
        .and_then(|r| r.strip_suffix('-')?.parse().ok());
    let from: usize = from.filter(|_| !manners.no_ranges).unwrap_or(0);
    let mut body = bytes[from.min(bytes.len())..].to_vec();
    if manners.lies && method == "GET" {
        body.iter_mut().for_each(|byte| *byte ^= 1);
    }
    let status = if from > 0 {
        "206 Partial Content"
    } else {
        "200 OK"
    };
    let len = body.len() + manners.inflates;
    write!(
        out,
        "HTTP/1.1 {status}\r\nETag: \"{etag}\"\r\nContent-Length: {len}\r\nConnection: close\r\n\r\n"
    )?;
    if method == "GET" {
        let end = manners.cut.unwrap_or(body.len()).min(body.len());
        out.write_all(&body[..end])?;
    }
    Ok(())
}

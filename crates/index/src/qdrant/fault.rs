//! Reasons why a request failed, in words of people who run a server.

use qdrant_client::QdrantError;
use tonic::Code;

/// Beginning of the client's message if a connection could not be made.
const UNCONNECTED: &str = "Failed to connect";

/// Whether nobody answered, so that it may help to ask again.
pub(super) fn is_absent(error: &QdrantError) -> bool {
    let QdrantError::ResponseError { status } = error else {
        return false;
    };
    let said = status.message();
    match status.code() {
        Code::Unavailable => true,
        Code::Internal => said.starts_with(UNCONNECTED) && !said.contains("InvalidData"),
        // A connection that broke while it was used.
        Code::Unknown => said.contains("transport error"),
        _ => false,
    }
}

/// The reason that an error gives.
pub(super) fn reason(error: &QdrantError) -> String {
    let QdrantError::ResponseError { status } = error else {
        return error.to_string();
    };
    let said = cause(status.message());
    match status.code() {
        Code::Unauthenticated | Code::PermissionDenied => {
            format!("the server wants a key, and another than `QDRANT_API_KEY` has ({said})")
        }
        Code::DeadlineExceeded | Code::Cancelled => {
            format!("the server did not answer in time ({said})")
        }
        _ if said.contains("InvalidCertificate") => {
            format!("the server's certificate is not trusted here ({said})")
        }
        _ if said.contains("InvalidContentType") => {
            format!(
                "the server does not speak TLS at this port; with `qdrant://` it is asked without ({said})"
            )
        }
        _ if said.contains("h2 protocol error") => {
            format!(
                "what answers is not Qdrant's port for gRPC, which is 6334 unless it was set, or it wants TLS, with `qdrants://` ({said})"
            )
        }
        Code::Unknown if is_absent(error) => {
            format!(
                "the connection breaks; Qdrant's port for gRPC is 6334 unless it was set ({said})"
            )
        }
        _ if is_absent(error) => format!("no server answers there ({said})"),
        _ => said.to_owned(),
    }
}

/// The innermost cause where a message is a structure printed for programmers, as that of a failed
/// connection is.
fn cause(message: &str) -> &str {
    if !message.starts_with(UNCONNECTED) {
        return message;
    }
    let quoted = ["message: \"", "error: \""].iter().find_map(|before| {
        let (_, rest) = message.rsplit_once(before)?;
        Some(rest.split_once('"')?.0)
    });
    let plain = || Some(message.rsplit_once("error: ")?.1.split_once(" }")?.0);
    quoted.or_else(plain).unwrap_or(message)
}

#[cfg(test)]
mod tests {
    use tonic::Status;

    use super::*;

    fn check(code: Code, message: &str, want: &str, is_worth_waiting: bool) {
        let error = QdrantError::from(Status::new(code, message));
        assert_eq!(reason(&error), want);
        assert_eq!(is_absent(&error), is_worth_waiting, "{message}");
    }

    // As qdrant-client 1.20 with tonic 0.14 says them.
    #[test]
    fn a_reason_is_in_words() {
        check(
            Code::Internal,
            "Failed to connect to http://h:1/: tonic::transport::Error(Transport, ConnectError(ConnectError(\"tcp connect error\", \
             127.0.0.1:1, Os { code: 111, kind: ConnectionRefused, message: \"Connection refused\" })))",
            "no server answers there (Connection refused)",
            true,
        );
        check(
            Code::Internal,
            "Failed to connect to http://h:1/: tonic::transport::Error(Transport, ConnectError(ConnectError(\"dns error\", \
             Custom { kind: Uncategorized, error: \"failed to lookup address information: Name or service not known\" })))",
            "no server answers there (failed to lookup address information: Name or service not known)",
            true,
        );
        check(
            Code::Internal,
            "Failed to connect to https://h:1/: tonic::transport::Error(Transport, ConnectError(Custom { kind: InvalidData, \
             error: InvalidCertificate(UnknownIssuer) }))",
            "the server's certificate is not trusted here (InvalidCertificate(UnknownIssuer))",
            false,
        );
        check(
            Code::Unknown,
            "transport error",
            "the connection breaks; Qdrant's port for gRPC is 6334 unless it was set (transport error)",
            true,
        );
        check(
            Code::Unauthenticated,
            "Invalid API key or JWT",
            "the server wants a key, and another than `QDRANT_API_KEY` has (Invalid API key or JWT)",
            false,
        );
        check(
            Code::InvalidArgument,
            "Wrong input: vector",
            "Wrong input: vector",
            false,
        );
    }
}

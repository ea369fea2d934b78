//! What a store's errors mean, in words that name no secret.

use std::{error::Error, io};

use tidemill_model::text;

use crate::storage::{Advice, StorageError};

/// How much of what a store says is repeated.
const SAID_CHARS_MAX: usize = 300;

/// What a store refused, with what to do about it.
pub(super) fn failed(action: &'static str, place: String, error: &object_store::Error) -> StorageError {
    let told = all_of(error);
    let advice = advice(action, error, &told);
    let said = match (code(&told), between(&told, "<Message>", "</Message>").unwrap_or_default()) {
        ("", _) => innermost(error),
        (code, "") => code.to_owned(),
        (code, message) => format!("{code}: {message}"),
    };
    StorageError::System { action, place, advice, source: io::Error::other(shortened(&said)) }
}

/// The thread that talks to the store has ended, which only happens at the end of the process.
pub(super) fn stopped(action: &'static str, place: String) -> StorageError {
    StorageError::system(action, place, io::Error::other("the program ends"))
}

/// What the codes of stores mean. Those that do not stand here, and connections that break, may pass.
const CODES: [(&str, Advice); 18] = [
    ("NoSuchBucket", Advice::NoBucket),
    ("AuthorizationHeaderMalformed", Advice::WrongRegion),
    ("PermanentRedirect", Advice::WrongRegion),
    ("IllegalLocationConstraintException", Advice::WrongRegion),
    ("InvalidAccessKeyId", Advice::NoCredentials),
    ("SignatureDoesNotMatch", Advice::NoCredentials),
    ("ExpiredToken", Advice::NoCredentials),
    ("InvalidToken", Advice::NoCredentials),
    ("RequestTimeTooSkewed", Advice::WrongClock),
    ("AccessDenied", Advice::Denied),
    ("NotImplemented", Advice::Lacking),
    ("NotSupported", Advice::Lacking),
    ("MethodNotAllowed", Advice::Lacking),
    ("InvalidArgument", Advice::Lacking),
    ("InvalidRequest", Advice::Lacking),
    ("InvalidHeader", Advice::Lacking),
    ("BadRequest", Advice::Lacking),
    ("UnsupportedOperation", Advice::Lacking),
];

/// How a store says without a code that it does not know a request.
const UNKNOWN: [&str; 3] = ["400 Bad Request", "405 Method Not Allowed", "501 Not Implemented"];

/// What is done with PUTs, all of which have a condition.
const PUTS: [&str; 3] = ["create", "write", "append to"];

/// Whether a call that failed so may be made once more with another end. What a store refuses it refuses again.
pub(super) fn may_pass(error: &object_store::Error) -> bool {
    use object_store::Error as E;
    let may_pass = |advice| matches!(advice, Advice::StoreFailed | Advice::Unreachable);
    match error {
        E::Generic { .. } => may_pass(meaning(error, &all_of(error))),
        _ => false,
    }
}

fn advice(action: &str, error: &object_store::Error, told: &str) -> Advice {
    match meaning(error, told) {
        Advice::Lacking if PUTS.contains(&action) => Advice::NoConditionalWrites,
        advice => advice,
    }
}

fn meaning(error: &object_store::Error, told: &str) -> Advice {
    use object_store::Error as E;
    let code = code(told);
    if let Some((_, advice)) = CODES.iter().find(|(known, _)| *known == code) {
        return *advice;
    }
    match error {
        E::NotImplemented { .. } | E::NotSupported { .. } => Advice::Lacking,
        E::PermissionDenied { .. } => Advice::Denied,
        E::Unauthenticated { .. } => Advice::NoCredentials,
        E::NotFound { .. } => Advice::NoBucket,
        _ if told.contains("incorrectly configured region") => Advice::WrongRegion,
        _ if !code.is_empty() => Advice::StoreFailed,
        _ if told.to_lowercase().contains("certificate") => Advice::Certificate,
        _ if UNKNOWN.iter().any(|status| told.contains(status)) => Advice::Lacking,
        _ if told.contains("HTTP error") => Advice::Unreachable,
        _ => Advice::StoreFailed,
    }
}

fn code(told: &str) -> &str {
    between(told, "<Code>", "</Code>").unwrap_or_default()
}

/// The messages of an error and of what caused it.
fn all_of(error: &dyn Error) -> String {
    let mut told = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        told.push_str(&format!(" / {cause}"));
        source = cause.source();
    }
    told
}

/// The cause of all, which says it without addresses and numbers of tries.
fn innermost(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.split_once(before)?.1.split_once(after).map(|(found, _)| found)
}

fn shortened(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).take(SAID_CHARS_MAX).collect();
    text::shown(line.trim()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(said: &str) -> object_store::Error {
        object_store::Error::Generic { store: "S3", source: said.to_owned().into() }
    }

    #[test]
    fn what_a_store_says_leads_to_what_to_do() {
        let check = |error: object_store::Error, expect: Advice, said: &str| {
            let failed = failed("read", "s3://b/p".to_owned(), &error);
            let StorageError::System { advice, source, .. } = failed else { unreachable!("a refusal") };
            assert_eq!((advice, source.to_string().as_str()), (expect, said));
        };
        let xml = |code: &str| format!("403: <Error><Code>{code}</Code><Message>No.</Message><Key>x</Key></Error>");
        check(generic(&xml("NoSuchBucket")), Advice::NoBucket, "NoSuchBucket: No.");
        check(generic(&xml("SignatureDoesNotMatch")), Advice::NoCredentials, "SignatureDoesNotMatch: No.");
        check(generic(&xml("SlowDown")), Advice::StoreFailed, "SlowDown: No.");
        check(generic("HTTP error: connection refused"), Advice::Unreachable, "HTTP error: connection refused");
        check(
            generic("HTTP error: invalid peer certificate: Expired"),
            Advice::Certificate,
            "HTTP error: invalid peer certificate: Expired",
        );
        let denied = |said: &str| object_store::Error::PermissionDenied { path: String::new(), source: said.into() };
        check(denied("<Code>AccessDenied</Code>"), Advice::Denied, "AccessDenied");
        check(denied("a\u{1b}\u{202e}b"), Advice::Denied, r"a\u{1b}\u{202e}b");
        check(denied("a\nb"), Advice::Denied, "a b");
    }

    /// A store that does not know a request will not know it a second later: it is asked once, and it is said what it lacks.
    #[test]
    fn what_a_store_lacks_is_told_from_what_may_pass() {
        let xml = |code: &str| format!("Server returned: <Error><Code>{code}</Code></Error>");
        let check = |said: &str, passes: bool, of_put: Advice, of_others: Advice| {
            let error = generic(said);
            assert_eq!(may_pass(&error), passes, "{said}");
            for (action, expect) in [("create", of_put), ("write", of_put), ("read", of_others), ("list", of_others)] {
                let StorageError::System { advice, .. } = failed(action, String::new(), &error) else {
                    unreachable!("a refusal")
                };
                assert_eq!(advice, expect, "{action}: {said}");
            }
        };
        for code in ["NotImplemented", "InvalidArgument", "InvalidRequest", "MethodNotAllowed"] {
            check(&xml(code), false, Advice::NoConditionalWrites, Advice::Lacking);
        }
        for status in ["400 Bad Request", "405 Method Not Allowed", "501 Not Implemented"] {
            let said = format!("Server returned non-2xx status code: {status}: ");
            check(&said, false, Advice::NoConditionalWrites, Advice::Lacking);
        }
        for code in ["SlowDown", "InternalError", "RequestTimeout", "ServiceUnavailable", "OperationAborted", "Other"] {
            check(&xml(code), true, Advice::StoreFailed, Advice::StoreFailed);
        }
        check("HTTP error: connection reset", true, Advice::Unreachable, Advice::Unreachable);
        check("the answer is no list", true, Advice::StoreFailed, Advice::StoreFailed);
        check(&xml("ExpiredToken"), false, Advice::NoCredentials, Advice::NoCredentials);
        check("HTTP error: invalid peer certificate", false, Advice::Certificate, Advice::Certificate);
    }
}

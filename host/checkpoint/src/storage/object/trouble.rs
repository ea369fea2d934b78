//! What a store's errors mean, in words that name no secret.

use std::{error::Error, io};

use tidemill_model::text;

use crate::storage::{Advice, StorageError};

/// How much of what a store says is repeated.
const SAID_CHARS_MAX: usize = 300;

/// What a store refused, with what to do about it.
pub(super) fn failed(action: &'static str, place: String, error: &object_store::Error) -> StorageError {
    let told = all_of(error);
    let code = between(&told, "<Code>", "</Code>").unwrap_or_default();
    let advice = advice(error, code, &told);
    let said = match (code, between(&told, "<Message>", "</Message>").unwrap_or_default()) {
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

fn advice(error: &object_store::Error, code: &str, told: &str) -> Advice {
    use object_store::Error as E;
    match (error, code) {
        (_, "NoSuchBucket") => Advice::NoBucket,
        (_, "AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException") => {
            Advice::WrongRegion
        }
        (_, "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "ExpiredToken" | "InvalidToken") => Advice::NoCredentials,
        (_, "RequestTimeTooSkewed") => Advice::WrongClock,
        (_, "NotImplemented" | "MethodNotAllowed") => Advice::NoConditionalWrites,
        (E::NotImplemented { .. } | E::NotSupported { .. }, _) => Advice::NoConditionalWrites,
        (_, "AccessDenied") | (E::PermissionDenied { .. }, _) => Advice::Denied,
        (E::Unauthenticated { .. }, _) => Advice::NoCredentials,
        (E::NotFound { .. }, _) => Advice::NoBucket,
        _ if told.contains("incorrectly configured region") => Advice::WrongRegion,
        _ if code.is_empty() && told.to_lowercase().contains("certificate") => Advice::Certificate,
        _ if code.is_empty() && told.contains("HTTP error") => Advice::Unreachable,
        _ => Advice::StoreFailed,
    }
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
}

//! The place of something in an object store, as people write it: `s3://bucket/prefix`.

use std::fmt;

/// How it is written.
pub const EXAMPLE: &str = "s3://bucket/prefix";

/// The one scheme that there is.
const SCHEME: &str = "s3";
/// More than any store allows.
const BUCKET_BYTES_MAX: usize = 255;
/// What is below a prefix has short names, and S3 allows 1,024 bytes for a whole one.
const PREFIX_BYTES_MAX: usize = 800;
/// What a prefix may have beside letters and digits: what stores recommend, so that names mean the same everywhere.
const PREFIX_CHARS: &str = "/-_.!'()=+,@ ";

/// A bucket, and what the names of its objects begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectUrl {
    bucket: String,
    prefix: String,
}

/// Why a text is no [`ObjectUrl`]. None of the messages repeats a part that could be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectUrlError {
    /// It does not begin with `s3://`.
    #[error("`{scheme}` is no kind of store that is known; write {EXAMPLE}")]
    Scheme {
        /// What it begins with.
        scheme: String,
    },
    /// There is a name or password in it.
    #[error("a store's URL has no credentials in it; they come from the environment (AWS_ACCESS_KEY_ID and the like)")]
    Credentials,
    /// There is no bucket.
    #[error("the bucket is missing; write {EXAMPLE}")]
    NoBucket,
    /// That is no name of a bucket.
    #[error("`{bucket}` is no name of a bucket: that is made of letters, digits, `-`, `_` and `.`")]
    Bucket {
        /// The name.
        bucket: String,
    },
    /// A part of the prefix cannot be.
    #[error("the prefix has a part that is empty, `.` or `..`")]
    Part,
    /// The prefix has a character that means something to some store.
    #[error("the prefix has {character:?}; it is made of letters, digits and {PREFIX_CHARS}")]
    Character {
        /// The first of them.
        character: char,
    },
    /// The prefix is too long.
    #[error("the prefix is too long: {PREFIX_BYTES_MAX} bytes at most")]
    Long,
}

impl ObjectUrl {
    /// Whether a text is meant to be a URL, and not a folder: it has a scheme.
    pub fn is_meant(text: &str) -> bool {
        let scheme = text.split_once("://").map(|(scheme, _)| scheme);
        scheme.is_some_and(|scheme| {
            !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
        })
    }

    /// Reads `s3://bucket/prefix`; the prefix may be missing.
    pub fn parse(text: &str) -> Result<ObjectUrl, ObjectUrlError> {
        let (scheme, rest) = text.split_once("://").unwrap_or((text, ""));
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.contains('@') {
            return Err(ObjectUrlError::Credentials);
        }
        if scheme != SCHEME {
            let scheme = scheme.chars().take(BUCKET_BYTES_MAX).collect();
            return Err(ObjectUrlError::Scheme { scheme });
        }
        if bucket.is_empty() {
            return Err(ObjectUrlError::NoBucket);
        }
        let is_good = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if bucket.len() > BUCKET_BYTES_MAX || !bucket.chars().all(is_good) {
            return Err(ObjectUrlError::Bucket { bucket: bucket.chars().take(BUCKET_BYTES_MAX).collect() });
        }
        let prefix = prefix.trim_end_matches('/');
        check_prefix(prefix)?;
        Ok(ObjectUrl { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }

    /// The bucket's name.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// What names begin with, without a `/` at either end; empty: the whole bucket.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

fn check_prefix(prefix: &str) -> Result<(), ObjectUrlError> {
    let is_bad = |c: &char| !c.is_ascii_alphanumeric() && !PREFIX_CHARS.contains(*c);
    if let Some(character) = prefix.chars().find(is_bad) {
        return Err(ObjectUrlError::Character { character });
    }
    if !prefix.is_empty() && prefix.split('/').any(|part| ["", ".", ".."].contains(&part)) {
        return Err(ObjectUrlError::Part);
    }
    if prefix.len() > PREFIX_BYTES_MAX { Err(ObjectUrlError::Long) } else { Ok(()) }
}

impl fmt::Display for ObjectUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}://{}", self.bucket)?;
        if self.prefix.is_empty() { Ok(()) } else { write!(f, "/{}", self.prefix) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read() {
        let check = |text: &str, bucket: &str, prefix: &str, shown: &str| {
            let url = ObjectUrl::parse(text).expect(text);
            assert_eq!((url.bucket(), url.prefix(), url.to_string().as_str()), (bucket, prefix, shown), "{text}");
        };
        check("s3://b", "b", "", "s3://b");
        check("s3://b/", "b", "", "s3://b");
        check("s3://my-bucket.x/a/b c/", "my-bucket.x", "a/b c", "s3://my-bucket.x/a/b c");
    }

    #[test]
    fn what_is_wrong_is_said_without_secrets() {
        let check = |text: &str, expect: &str| {
            let error = ObjectUrl::parse(text).expect_err(text).to_string();
            assert!(error.contains(expect) && !error.contains("hunter2"), "{text}: {error}");
        };
        check("gs://bucket/a", "`gs` is no kind of store");
        check("S3://bucket/a", "`S3` is no kind of store");
        check("s3://name:hunter2@bucket/a", "no credentials");
        check("https://name:hunter2@host/a", "no credentials");
        check("s3://", "the bucket is missing");
        check("s3:///a", "the bucket is missing");
        check("s3://a b/c", "`a b` is no name of a bucket");
        check("s3://bucket:9000/c", "`bucket:9000` is no name of a bucket");
        check("s3://b//a", "a part that is empty");
        check("s3://b/a/../c", "a part that is empty, `.` or `..`");
        check("s3://b/a?versionId=1", "the prefix has '?'");
        check("s3://b/\u{e9}", "the prefix has '\u{e9}'");
        check(&format!("s3://b/{}", "a".repeat(801)), "too long");
    }

    #[test]
    fn folders_are_no_urls() {
        let check = |text: &str, expect: bool| assert_eq!(ObjectUrl::is_meant(text), expect, "{text}");
        check("checkpoint/words", false);
        check("a b://c", false);
        check("://c", false);
        check("s3:/bucket", false);
        check("s3://bucket", true);
        check("gs://", true);
    }
}

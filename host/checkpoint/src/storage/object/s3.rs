//! Stores that speak S3, with the settings that their users have in the environment.

use std::{io, sync::Arc, time::Duration};

use object_store::{
    BackoffConfig, ClientOptions, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut},
};
use tidemill_model::{object_url::ObjectUrl, ports::Spawn};

use super::{ObjectStorage, client::Connector, runtime::Runtime, started, trouble};
use crate::storage::{Advice, StorageError};

/// What settings begin with.
const PREFIX: &str = "AWS_";
/// The longest that it takes to connect, and until a request is answered.
const CONNECT_MAX: Duration = Duration::from_secs(5);
const REQUEST_MAX: Duration = Duration::from_secs(30);
/// How long a request is made again and again when the store has trouble that may pass: a run has patience,
const RETRIES_FOR: Duration = Duration::from_secs(45);
/// and whoever looks at a checkpoint has less, so many times.
const RETRIES_MAX: usize = 60;
const RETRIES_TO_LOOK_MAX: usize = 8;
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// The longest that credentials are waited for before anything is asked of the store.
const CREDENTIALS_MAX: Duration = Duration::from_secs(15);
/// Settings that say where the store is.
const ENDPOINTS: [&str; 3] = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"];
/// Settings that say whose a request is. Without one of them the machine is asked whose it is.
const CREDENTIALS: [&str; 6] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_SKIP_SIGNATURE",
];

impl ObjectStorage {
    /// A place in a store that speaks S3, for a run. `settings` are names and values of environment variables, of which
    /// those that begin with `AWS_` count; `writer` is a number that no other process has.
    pub fn open_s3(
        url: &ObjectUrl,
        settings: &[(String, String)],
        writer: u64,
        spawn: &dyn Spawn,
    ) -> Result<ObjectStorage, StorageError> {
        let (store, runtime) = connected(url, settings, RETRIES_MAX, spawn)?;
        ObjectStorage::new(store, url.prefix(), &url.to_string(), writer, runtime).made_ready()
    }

    /// The same for looking at a checkpoint that must be there already: nothing is written.
    pub fn existing_s3(
        url: &ObjectUrl,
        settings: &[(String, String)],
        spawn: &dyn Spawn,
    ) -> Result<ObjectStorage, StorageError> {
        let (store, runtime) = connected(url, settings, RETRIES_TO_LOOK_MAX, spawn)?;
        ObjectStorage::new(store, url.prefix(), &url.to_string(), 0, runtime).with_checkpoint()
    }
}

fn connected(
    url: &ObjectUrl,
    settings: &[(String, String)],
    retries_max: usize,
    spawn: &dyn Spawn,
) -> Result<(Arc<AmazonS3>, Arc<Runtime>), StorageError> {
    let place = url.to_string();
    let settings = Settings(settings);
    settings.check(&place)?;
    let store = settings.builder(url, retries_max).build();
    let store = Arc::new(store.map_err(|error| trouble::failed("open", place.clone(), &error))?);
    let runtime = started(spawn, &place)?;
    if !settings.is_on("AWS_SKIP_SIGNATURE") {
        check_credentials(&store, &runtime, &place)?;
    }
    Ok((store, runtime))
}

/// Without this a lack of credentials would look like one of the network.
fn check_credentials(store: &AmazonS3, runtime: &Runtime, place: &str) -> Result<(), StorageError> {
    let credentials = store.credentials().clone();
    let answer =
        runtime.start(async move { tokio::time::timeout(CREDENTIALS_MAX, credentials.get_credential()).await });
    match answer.wait() {
        Some(Ok(Ok(_))) => Ok(()),
        Some(Ok(Err(error))) => {
            let StorageError::System { action, place, source, .. } = trouble::failed("open", place.to_owned(), &error)
            else {
                return Err(no_credentials(place, "there are none"));
            };
            Err(StorageError::System { action, place, advice: Advice::NoCredentials, source })
        }
        Some(Err(_)) => Err(no_credentials(place, "nobody answers who gives them")),
        None => Err(trouble::stopped("open", place.to_owned())),
    }
}

fn no_credentials(place: &str, what: &str) -> StorageError {
    refused(place, Advice::NoCredentials, what)
}

fn refused(place: &str, advice: Advice, what: &str) -> StorageError {
    StorageError::System { action: "open", place: place.to_owned(), advice, source: io::Error::other(what.to_owned()) }
}

/// What the environment says.
struct Settings<'a>(&'a [(String, String)]);

impl Settings<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
        found.filter(|value| !value.is_empty())
    }

    fn is_on(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| ["1", "true", "on", "yes", "y"].contains(&value.to_lowercase().as_str()))
    }

    /// Mistakes that would only show as failures of the network, or in a text that has a secret in it.
    fn check(&self, place: &str) -> Result<(), StorageError> {
        for (name, endpoint) in ENDPOINTS.iter().filter_map(|name| Some((name, self.get(name)?))) {
            if endpoint.contains('@') {
                let what = format!("{name} has credentials in it; give them as AWS_ACCESS_KEY_ID and the like");
                return Err(refused(place, Advice::Settings, &what));
            }
            if !endpoint.starts_with("http://") && !endpoint.starts_with("https://") {
                return Err(refused(place, Advice::Settings, &format!("{name} is no http:// or https:// address")));
            }
            if endpoint.starts_with("http://") && !self.is_on("AWS_ALLOW_HTTP") {
                let what = format!("{name} is not encrypted; if that is meant, set AWS_ALLOW_HTTP=true");
                return Err(refused(place, Advice::Settings, &what));
            }
        }
        let pair = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
        let (given, missing): (Vec<&str>, Vec<&str>) = pair.iter().partition(|name| self.get(name).is_some());
        if let ([given], [missing]) = (&given[..], &missing[..]) {
            return Err(no_credentials(place, &format!("{given} is set and {missing} is not")));
        }
        let has_none = CREDENTIALS.iter().all(|name| self.get(name).is_none());
        if has_none && self.is_on("AWS_EC2_METADATA_DISABLED") {
            return Err(no_credentials(place, "there are none, and the machine is not to be asked for any"));
        }
        Ok(())
    }

    /// Whether nothing is encrypted: then a machine without root certificates will do.
    fn needs_no_certificates(&self) -> bool {
        let is_plain = ENDPOINTS.iter().filter_map(|name| self.get(name)).all(|address| address.starts_with("http://"));
        let has_endpoint = ENDPOINTS.iter().any(|name| self.get(name).is_some());
        has_endpoint && is_plain && (self.get("AWS_ACCESS_KEY_ID").is_some() || self.is_on("AWS_SKIP_SIGNATURE"))
    }

    fn builder(&self, url: &ObjectUrl, max_retries: usize) -> AmazonS3Builder {
        let backoff = BackoffConfig { init_backoff: PAUSE_MIN, max_backoff: PAUSE_MAX, base: 2.0 };
        let mut options = ClientOptions::new().with_connect_timeout(CONNECT_MAX).with_timeout(REQUEST_MAX);
        if self.needs_no_certificates() {
            options = options.with_no_system_certificates(true);
        }
        let mut builder = AmazonS3Builder::new()
            .with_client_options(options)
            .with_http_connector(Connector)
            .with_retry(RetryConfig { backoff, max_retries, retry_timeout: RETRIES_FOR })
            // DELETE of one object is what every store has.
            .with_disable_bulk_delete(true);
        for (name, value) in self.0.iter().filter(|(name, value)| name.starts_with(PREFIX) && !value.is_empty()) {
            // Those that this store's client does not know are for other programs.
            if let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() {
                builder = builder.with_config(key, value);
            }
        }
        builder.with_bucket_name(url.bucket()).with_conditional_put(S3ConditionalPut::ETagMatch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct NoThreads;

    impl Spawn for NoThreads {
        fn spawn(&self, _: String, _: Box<dyn FnOnce() + Send>) {}
    }

    #[test]
    fn a_storage_shows_no_secret_of_itself() {
        let url = ObjectUrl::parse("s3://bucket/prefix").expect("a URL");
        let settings = [("AWS_ACCESS_KEY_ID", "AKID"), ("AWS_SECRET_ACCESS_KEY", "hunter2")];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let store = Settings(&settings).builder(&url, 1).build().expect("settings that fit");
        let runtime = started(&NoThreads, "s3://bucket/prefix").expect("a runtime");
        let storage = ObjectStorage::new(Arc::new(store), url.prefix(), &url.to_string(), 1, runtime);
        let shown = format!("{storage:?}");
        assert!(
            shown.contains("s3://bucket/prefix") && !shown.contains("hunter2") && !shown.contains("AKID"),
            "{shown}"
        );
    }

    fn owned(settings: &[(&str, &str)]) -> Vec<(String, String)> {
        settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// What the environment says reaches the client, whatever is empty or for other programs does not.
    #[test]
    fn settings_reach_the_client() {
        let url = ObjectUrl::parse("s3://bucket/prefix").expect("a URL");
        let settings = owned(&[
            ("AWS_ACCESS_KEY_ID", "AKID"),
            ("AWS_REGION", ""),
            ("AWS_ENDPOINT_URL", "https://a:9000"),
            ("AWS_PAGER", "less"),
            ("aws_session_token", "no"),
            ("MY_AWS_REGION", "mars"),
        ]);
        let builder = Settings(&settings).builder(&url, 1);
        let value = |key| builder.get_config_value(&key);
        assert_eq!(value(AmazonS3ConfigKey::AccessKeyId).as_deref(), Some("AKID"));
        assert_eq!(value(AmazonS3ConfigKey::Endpoint).as_deref(), Some("https://a:9000"));
        assert_eq!(value(AmazonS3ConfigKey::Bucket).as_deref(), Some("bucket"));
        assert_eq!((value(AmazonS3ConfigKey::Region), value(AmazonS3ConfigKey::Token)), (None, None));
        let set = owned(&[("AWS_REGION", "eu-west-1")]);
        let builder = Settings(&set).builder(&url, 1);
        assert_eq!(builder.get_config_value(&AmazonS3ConfigKey::Region).as_deref(), Some("eu-west-1"));
    }

    #[test]
    fn certificates_are_needed_where_anything_is_encrypted() {
        let check = |settings: &[(&str, &str)], expect: bool| {
            assert_eq!(!Settings(&owned(settings)).needs_no_certificates(), expect, "{settings:?}");
        };
        let (plain, safe) = (("AWS_ENDPOINT_URL", "http://a:9000"), ("AWS_ENDPOINT", "https://a:9000"));
        let (key, unsigned) = (("AWS_ACCESS_KEY_ID", "AKID"), ("AWS_SKIP_SIGNATURE", "true"));
        check(&[], true);
        check(&[key], true);
        check(&[plain], true);
        check(&[plain, key], false);
        check(&[plain, unsigned], false);
        check(&[plain, key, unsigned], false);
        check(&[plain, ("AWS_ACCESS_KEY_ID", "")], true);
        check(&[plain, ("AWS_SKIP_SIGNATURE", "0")], true);
        check(&[safe, key], true);
        check(&[plain, safe, key], true);
        check(&[("AWS_ENDPOINT_URL", ""), key], true);
    }

    #[test]
    fn settings_that_cannot_be_are_refused_without_being_repeated() {
        let check = |settings: &[(&str, &str)], expect: &str| {
            let settings: Vec<(String, String)> =
                settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let said = match Settings(&settings).check("s3://b") {
                Ok(()) => String::new(),
                Err(StorageError::System { advice, source, .. }) => format!("{source}; {advice}"),
                Err(other) => other.to_string(),
            };
            assert!(said.contains(expect) && said.is_empty() == expect.is_empty(), "{settings:?}: {said}");
            assert!(!said.contains("hunter2"), "{said}");
        };
        check(&[], "");
        check(&[("AWS_ENDPOINT_URL", "https://a:9000")], "");
        check(&[("AWS_ENDPOINT", "http://a:9000"), ("AWS_ALLOW_HTTP", "true")], "");
        check(&[("AWS_ENDPOINT", "http://a:9000")], "AWS_ENDPOINT is not encrypted; if that is meant");
        check(&[("AWS_ENDPOINT_URL", "a:9000")], "no http:// or https:// address");
        check(&[("AWS_ENDPOINT_URL", "https://n:hunter2@a")], "has credentials in it");
        check(&[("AWS_EC2_METADATA_DISABLED", "true")], "there are none");
        check(&[("AWS_EC2_METADATA_DISABLED", "true"), ("AWS_SKIP_SIGNATURE", "1")], "");
        check(&[("AWS_SECRET_ACCESS_KEY", "hunter2")], "AWS_SECRET_ACCESS_KEY is set and AWS_ACCESS_KEY_ID is not");
    }
}

//! How requests reach a store: by the client of the crate, but for one status.

use async_trait::async_trait;
use object_store::{
    ClientOptions, Result,
    client::{HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService, ReqwestConnector},
};

/// What a store answers that has not implemented a request. The crate takes it for trouble that passes, as it does with all from 500
/// on, and would make the request for 45 s.
const NOT_IMPLEMENTED: u16 = 501;
/// What it has the same meaning as, and is not tried again.
const METHOD_NOT_ALLOWED: u16 = 405;

/// Connects as usual.
#[derive(Debug)]
pub(super) struct Connector;

#[derive(Debug)]
struct Client(HttpClient);

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> Result<HttpClient> {
        Ok(HttpClient::new(Client(ReqwestConnector::default().connect(options)?)))
    }
}

#[async_trait]
impl HttpService for Client {
    async fn call(&self, request: HttpRequest) -> std::result::Result<HttpResponse, HttpError> {
        let mut response = self.0.execute(request).await?;
        let status = response.status_mut();
        if *status == NOT_IMPLEMENTED
            && let Ok(instead) = METHOD_NOT_ALLOWED.try_into()
        {
            *status = instead;
        }
        Ok(response)
    }
}

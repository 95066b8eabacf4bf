//! The admin API from the outside: what any user's tools could do, and nothing more.
//!
//! Every answer is waited for with a limit, since the very purpose is to talk to services that are in trouble. No proxy
//! is asked: admin servers are on this machine or near it, and a proxy would be told the token.

use std::time::Duration;

use faults::Settings;
use pollscope::finding::Finding;
use pollscope::stall::Stall;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::admin_address::AdminAddress;
use crate::ending::{Failure, chain};
use crate::sse;

/// Longest wait for a connection; both ends are near.
const CONNECT_PATIENCE: Duration = Duration::from_secs(2);

/// Longest wait for an answer that is made at once.
const ANSWER_PATIENCE: Duration = Duration::from_secs(5);

/// Time for drawing and sending a profile after it was recorded: symbols are read at the first one.
const PROFILE_PATIENCE: Duration = Duration::from_secs(30);

/// One admin server.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    address: AdminAddress,
}

/// A fault as `/faults` shows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct FaultState {
    /// Name it is switched by.
    pub(crate) name: String,
    /// Whether it is on.
    pub(crate) on: bool,
    /// Settings it was last switched on with.
    pub(crate) settings: Settings,
    /// Visits of its place while it was on.
    pub(crate) visits: u64,
    /// How often it acted.
    pub(crate) fired: u64,
    /// How often it should have acted but could not.
    pub(crate) failed: u64,
    /// Begin of the last firing, in milliseconds since the Unix epoch.
    pub(crate) last_fired_at: Option<u64>,
    /// How long the last finished firing lasted, in milliseconds.
    pub(crate) last_blocked_ms: Option<f64>,
    /// Why it last could not act.
    pub(crate) last_error: Option<String>,
    /// What it has made and that is still there.
    pub(crate) leaked: u64,
}

/// The body of every refusal.
#[derive(Debug, Deserialize)]
struct Refusal {
    error: String,
}

impl Client {
    /// A client of the admin server at `address`; connects at the first request.
    ///
    /// # Errors
    ///
    /// When the token cannot stand in a header.
    pub(crate) fn new(address: AdminAddress, token: Option<&str>) -> Result<Self, Failure> {
        let mut headers = HeaderMap::new();
        if let Some(token) = token {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| {
                Failure::Usage(
                    "the token cannot stand in a header, expected printable ASCII".to_owned(),
                )
            })?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let http = reqwest::Client::builder()
            .no_proxy()
            .connect_timeout(CONNECT_PATIENCE)
            .default_headers(headers)
            .build()
            .map_err(|error| Failure::unable("the HTTP client cannot be set up", &error))?;
        Ok(Self { http, address })
    }

    /// Where it talks to.
    pub(crate) fn address(&self) -> &AdminAddress {
        &self.address
    }

    /// The kept stall events, newest last.
    pub(crate) async fn stalls(&self) -> Result<Vec<Stall>, Failure> {
        self.json(self.request(Method::GET, "/stalls")).await
    }

    /// The kept findings, newest last.
    pub(crate) async fn findings(&self) -> Result<Vec<Finding>, Failure> {
        self.json(self.request(Method::GET, "/findings")).await
    }

    /// Every stall event from now on; subscribed when this returns.
    pub(crate) async fn follow(&self) -> Result<Follow, Failure> {
        let request = self.http.get(self.url("/stalls/stream"));
        let response = tokio::time::timeout(ANSWER_PATIENCE, self.send(request))
            .await
            .map_err(|_| self.silent())??;
        Ok(Follow {
            response,
            parser: sse::Parser::default(),
            pending: Vec::new().into_iter(),
        })
    }

    /// Every metric, in the text format of Prometheus.
    pub(crate) async fn metrics(&self) -> Result<String, Failure> {
        let response = self.send(self.request(Method::GET, "/metrics")).await?;
        response.text().await.map_err(|error| self.broken(&error))
    }

    /// The sum of a metric's series.
    ///
    /// # Errors
    ///
    /// When the page has no such metric, or with values that are no counts.
    pub(crate) async fn metric(&self, name: &str) -> Result<u64, Failure> {
        let page = self.metrics().await?;
        let series = page
            .lines()
            .filter_map(|line| line.strip_prefix(name)?.rsplit_once(' '))
            .filter(|(labels, _)| labels.is_empty() || labels.starts_with('{'));
        let values: Vec<u64> = series
            .map(|(_, value)| value.parse())
            .collect::<Result<_, _>>()
            .map_err(|_| self.unexpected(&format!("whole numbers as values of {name}")))?;
        if values.is_empty() {
            return Err(self.unexpected(&format!("the metric {name}")));
        }
        Ok(values.iter().sum())
    }

    /// Every fault of the service, and what it has done.
    pub(crate) async fn faults(&self) -> Result<Vec<FaultState>, Failure> {
        self.json(self.request(Method::GET, "/faults")).await
    }

    /// Switches a fault on.
    pub(crate) async fn switch_on(
        &self,
        name: &str,
        settings: Settings,
    ) -> Result<FaultState, Failure> {
        let request = self.request(Method::PUT, &format!("/faults/{name}"));
        self.json(request.json(&settings)).await
    }

    /// Switches a fault off.
    pub(crate) async fn switch_off(&self, name: &str) -> Result<FaultState, Failure> {
        self.json(self.request(Method::DELETE, &format!("/faults/{name}")))
            .await
    }

    /// A CPU profile of the next `seconds`, in the admin server's format of this name.
    pub(crate) async fn profile(
        &self,
        seconds: u32,
        hz: u32,
        format: &str,
    ) -> Result<Vec<u8>, Failure> {
        let path = format!("/debug/pprof/profile?seconds={seconds}&hz={hz}&format={format}");
        let patience = Duration::from_secs(seconds.into()) + PROFILE_PATIENCE;
        let response = self
            .send(self.http.get(self.url(&path)).timeout(patience))
            .await?;
        let body = response
            .bytes()
            .await
            .map_err(|error| self.broken(&error))?;
        Ok(body.to_vec())
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address.url)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, self.url(path))
            .timeout(ANSWER_PATIENCE)
    }

    async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Failure> {
        let response = self.send(request).await?;
        response.json().await.map_err(|error| self.broken(&error))
    }

    /// Sends, and turns what is no success into a failure that says what was expected.
    async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let response = request
            .send()
            .await
            .map_err(|error| self.unreached(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let text = response.text().await.unwrap_or_default();
        let reason = serde_json::from_str::<Refusal>(&text)
            .map_or_else(|_| status.to_string(), |refusal| refusal.error);
        Err(match status {
            StatusCode::UNAUTHORIZED => Failure::Usage(format!(
                "{} asks for a token, expected it in --token or POLLSCOPE_ADMIN_TOKEN",
                self.address
            )),
            StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::UNPROCESSABLE_ENTITY => {
                Failure::Usage(format!("{}: {reason}", self.address))
            }
            _ => Failure::Unable(format!("{}: {reason}", self.address)),
        })
    }

    fn unreached(&self, error: &reqwest::Error) -> Failure {
        if error.is_connect() {
            return Failure::Unable(format!(
                "nobody answers for {}; {}",
                self.address,
                self.address.remedy()
            ));
        }
        if error.is_timeout() {
            return self.silent();
        }
        Failure::Unable(format!("{}: {}", self.address, chain(error)))
    }

    fn silent(&self) -> Failure {
        Failure::Unable(format!(
            "{} took the connection but gave no answer in time, expected a pollscope admin server",
            self.address
        ))
    }

    fn unexpected(&self, wanted: &str) -> Failure {
        Failure::Unable(format!(
            "{} gave a page without what was expected, {wanted}",
            self.address
        ))
    }

    fn broken(&self, error: &reqwest::Error) -> Failure {
        Failure::Unable(format!(
            "{} gave an answer that cannot be used, expected a pollscope admin server: {}",
            self.address,
            chain(error)
        ))
    }
}

/// What comes over a stream of stalls.
#[derive(Debug, Clone)]
pub(crate) enum Followed {
    /// A stall event.
    Stall(Box<Stall>),
    /// So many events were lost, because we read too slowly.
    Missed(u64),
}

/// A stream of stall events.
#[derive(Debug)]
pub(crate) struct Follow {
    response: Response,
    parser: sse::Parser,
    pending: std::vec::IntoIter<sse::Event>,
}

impl Follow {
    /// The next event; `None` when the service has ended the stream. May be dropped and called again.
    pub(crate) async fn next(&mut self) -> Option<Followed> {
        loop {
            for event in self.pending.by_ref() {
                if let Some(followed) = followed(&event) {
                    return Some(followed);
                }
            }
            // A broken connection ends the stream like a closed one: what came before stands.
            let bytes = self.response.chunk().await.ok()??;
            self.pending = self.parser.feed(&bytes).into_iter();
        }
    }
}

/// The meaning of an event; nothing for kinds that a later server may send.
fn followed(event: &sse::Event) -> Option<Followed> {
    #[derive(Deserialize)]
    struct Lagged {
        missed: u64,
    }
    match event.name.as_str() {
        "stall" => serde_json::from_str(&event.data)
            .ok()
            .map(|stall| Followed::Stall(Box::new(stall))),
        "lagged" => serde_json::from_str::<Lagged>(&event.data)
            .ok()
            .map(|lagged| Followed::Missed(lagged.missed)),
        _ => None,
    }
}

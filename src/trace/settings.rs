//! The `OTEL_*` variables, as values; PURE over a lookup function.
//!
//! The SDK reads most of them itself, but falls back in silence on what it does not know, and leaves out the switches
//! that turn export off. What is read here is handed to the SDK's builders, so both see the same. By the specification an
//! empty variable is an unset one (<https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>).

use std::time::Duration;

use crate::Error;

/// Spans that may wait; the specification's default.
const QUEUE_LEN: usize = 2048;

/// Spans sent at a time; the specification's default.
const BATCH_LEN: usize = 512;

/// Time between exports; the specification's default.
const DELAY: Duration = Duration::from_secs(5);

/// Longest export of one batch with all retries; the specification's default.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Most spans that a variable may make wait: at about 1 KiB a span, a GiB.
const QUEUE_LEN_MAX: u64 = 1 << 20;

/// Longest time that a variable may ask for.
const TIME_MAX: Duration = Duration::from_secs(3600);

/// Where values come from.
type Get<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What is to be exported where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) protocol: Protocol,
    /// Whole URL for HTTP, base for gRPC.
    pub(super) endpoint: String,
    /// `None` when `OTEL_RESOURCE_ATTRIBUTES`, which the SDK reads, has the name.
    pub(super) service: Option<String>,
    pub(super) timeout: Duration,
    pub(super) queue_len: usize,
    pub(super) batch_len: usize,
    pub(super) delay: Duration,
}

/// How OTLP is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Grpc,
    HttpProtobuf,
}

impl Settings {
    /// The settings, or nothing when the variables ask for no export.
    pub(super) fn read(
        service: &str,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, Error> {
        let get: Get<'_> = &|name| {
            lookup(name)
                .map(|value| value.trim().to_owned())
                .filter(|value| !value.is_empty())
        };
        let disabled =
            get("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let own = get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
        let shared = get("OTEL_EXPORTER_OTLP_ENDPOINT");
        if disabled || !exporter(get("OTEL_TRACES_EXPORTER").as_deref())? {
            return Ok(None);
        }
        if own.is_none() && shared.is_none() {
            return Ok(None);
        }
        let protocol = protocol(get)?;
        let queue_len = count(get, "OTEL_BSP_MAX_QUEUE_SIZE", QUEUE_LEN)?;
        Ok(Some(Self {
            protocol,
            endpoint: endpoint(protocol, own, shared)?,
            service: service_name(service, get),
            timeout: match get("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT") {
                Some(_) => time(get, "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", TIMEOUT)?,
                None => time(get, "OTEL_EXPORTER_OTLP_TIMEOUT", TIMEOUT)?,
            },
            queue_len,
            // A batch cannot be larger than the queue; the SDK would clip it too.
            batch_len: count(get, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", BATCH_LEN)?.min(queue_len),
            delay: time(get, "OTEL_BSP_SCHEDULE_DELAY", DELAY)?,
        }))
    }
}

/// Whether traces go to a collector at all.
fn exporter(value: Option<&str>) -> Result<bool, Error> {
    match value {
        None | Some("otlp") => Ok(true),
        Some("none") => Ok(false),
        Some(other) => Err(Error::configuration(format!(
            "OTEL_TRACES_EXPORTER={other:?} is not an exporter of this build, expected otlp or none"
        ))),
    }
}

fn protocol(get: Get<'_>) -> Result<Protocol, Error> {
    let names = [
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
        "OTEL_EXPORTER_OTLP_PROTOCOL",
    ];
    for name in names {
        return match get(name).as_deref() {
            None => continue,
            Some("grpc") => Ok(Protocol::Grpc),
            Some("http/protobuf") => Ok(Protocol::HttpProtobuf),
            Some(other) => Err(Error::configuration(format!(
                "{name}={other:?} is not a protocol of this build, expected grpc or http/protobuf"
            ))),
        };
    }
    Ok(Protocol::HttpProtobuf)
}

/// The variable for traces is taken as it is; the one for all signals is a base, which HTTP extends by the signal's path.
fn endpoint(
    protocol: Protocol,
    own: Option<String>,
    shared: Option<String>,
) -> Result<String, Error> {
    let (name, value) = match own {
        Some(value) => ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", value),
        None => ("OTEL_EXPORTER_OTLP_ENDPOINT", shared.unwrap_or_default()),
    };
    let has_scheme = value.starts_with("http://") || value.starts_with("https://");
    match protocol {
        Protocol::Grpc => Ok(value),
        Protocol::HttpProtobuf if !has_scheme => Err(Error::configuration(format!(
            "{name}={value:?} is not an endpoint, expected a URL such as http://127.0.0.1:4318"
        ))),
        Protocol::HttpProtobuf if name == "OTEL_EXPORTER_OTLP_ENDPOINT" => {
            Ok(format!("{}/v1/traces", value.trim_end_matches('/')))
        }
        Protocol::HttpProtobuf => Ok(value),
    }
}

fn service_name(given: &str, get: Get<'_>) -> Option<String> {
    if let Some(name) = get("OTEL_SERVICE_NAME") {
        return Some(name);
    }
    let attributes = get("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
    let named = attributes
        .split(',')
        .filter_map(|pair| pair.split_once('='))
        .any(|(key, value)| key.trim() == "service.name" && !value.trim().is_empty());
    (!named).then(|| given.to_owned())
}

fn count(get: Get<'_>, name: &str, default: usize) -> Result<usize, Error> {
    let Some(value) = get(name) else {
        return Ok(default);
    };
    value
        .parse()
        .ok()
        .filter(|number| (1..=QUEUE_LEN_MAX).contains(number))
        .and_then(|number| usize::try_from(number).ok())
        .ok_or_else(|| {
            Error::configuration(format!(
                "{name}={value:?} is not a number of spans, expected 1 to {QUEUE_LEN_MAX}, such as {default}"
            ))
        })
}

fn time(get: Get<'_>, name: &str, default: Duration) -> Result<Duration, Error> {
    let Some(value) = get(name) else {
        return Ok(default);
    };
    value
        .parse()
        .ok()
        .map(Duration::from_millis)
        .filter(|time| !time.is_zero() && *time <= TIME_MAX)
        .ok_or_else(|| {
            Error::configuration(format!(
                "{name}={value:?} is not a time, expected whole milliseconds from 1 to {}, such as {}",
                TIME_MAX.as_millis(),
                default.as_millis()
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Option<Settings>, Error> {
        Settings::read("orders", |name| {
            pairs
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    const BASE: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318/");
    const OWN: (&str, &str) = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://t:9/x");

    /// Without an endpoint, or switched off, there is nothing, whatever else is set.
    #[test]
    fn is_off_unless_asked_for() {
        for pairs in [
            &[][..],
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", "  ")],
            &[("OTEL_EXPORTER_OTLP_PROTOCOL", "carrier-pigeon")],
            &[BASE, ("OTEL_SDK_DISABLED", "TRUE")],
            &[BASE, OWN, ("OTEL_TRACES_EXPORTER", "none")],
        ] {
            assert_eq!(read(pairs).unwrap(), None, "{pairs:?}");
        }
    }

    /// The variables for traces win over those for all signals, and only the latter are extended by a path.
    #[test]
    fn own_variables_win() {
        let grpc = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
        let own_grpc = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc");
        let http = ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");
        for (pairs, protocol, endpoint) in [
            (
                &[BASE][..],
                Protocol::HttpProtobuf,
                "http://c:4318/v1/traces",
            ),
            (&[OWN], Protocol::HttpProtobuf, "http://t:9/x"),
            (&[BASE, OWN], Protocol::HttpProtobuf, "http://t:9/x"),
            (&[BASE, grpc], Protocol::Grpc, "http://c:4318/"),
            (&[BASE, http, own_grpc], Protocol::Grpc, "http://c:4318/"),
            (
                &[
                    BASE,
                    ("OTEL_SDK_DISABLED", "no"),
                    ("OTEL_TRACES_EXPORTER", "otlp"),
                ],
                Protocol::HttpProtobuf,
                "http://c:4318/v1/traces",
            ),
        ] {
            let settings = read(pairs).unwrap().unwrap();
            assert_eq!(
                (settings.protocol, &*settings.endpoint),
                (protocol, endpoint),
                "{pairs:?}"
            );
        }
    }

    /// The user's environment names the service before the program does.
    #[test]
    fn names_the_service() {
        for (pairs, name) in [
            (&[BASE][..], Some("orders")),
            (&[BASE, ("OTEL_SERVICE_NAME", "env")], Some("env")),
            (
                &[BASE, ("OTEL_RESOURCE_ATTRIBUTES", "a=b, service.name=x")],
                None,
            ),
            (
                &[BASE, ("OTEL_RESOURCE_ATTRIBUTES", "a=b,service.name=")],
                Some("orders"),
            ),
            (
                &[
                    BASE,
                    ("OTEL_RESOURCE_ATTRIBUTES", "service.name=x"),
                    ("OTEL_SERVICE_NAME", "env"),
                ],
                Some("env"),
            ),
        ] {
            let settings = read(pairs).unwrap().unwrap();
            assert_eq!(settings.service.as_deref(), name, "{pairs:?}");
        }
    }

    /// Numbers reach their fields, and a batch is never larger than the queue.
    #[test]
    fn reads_the_numbers() {
        let settings = read(&[
            BASE,
            ("OTEL_BSP_MAX_QUEUE_SIZE", "100"),
            ("OTEL_BSP_SCHEDULE_DELAY", "250"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "3000"),
        ])
        .unwrap()
        .unwrap();
        assert_eq!((settings.queue_len, settings.batch_len), (100, 100));
        assert_eq!(settings.delay, Duration::from_millis(250));
        assert_eq!(settings.timeout, Duration::from_secs(3));
    }

    /// What cannot be used is refused, naming variable, value and form.
    #[test]
    fn refuses_what_it_cannot_use() {
        for (name, value, expected) in [
            (
                "OTEL_EXPORTER_OTLP_PROTOCOL",
                "http/json",
                "grpc or http/protobuf",
            ),
            (
                "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
                "udp",
                "grpc or http/protobuf",
            ),
            ("OTEL_TRACES_EXPORTER", "zipkin", "otlp or none"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "c:4318", "http://"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "0", "1 to 1048576"),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "many", "1 to 1048576"),
            ("OTEL_BSP_SCHEDULE_DELAY", "5s", "whole milliseconds"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "-1", "whole milliseconds"),
        ] {
            let error = read(&[BASE, (name, value)]).unwrap_err();
            let text = error.to_string();
            assert!(
                error.is_configuration()
                    && text.contains(name)
                    && text.contains(value)
                    && text.contains(expected),
                "{text}"
            );
        }
    }
}

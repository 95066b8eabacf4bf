//! Configuration: a struct with documented defaults, and the environment that overrides it.
//!
//! Parsing is pure: it asks a lookup function, so it is tested without touching the process environment. A value
//! that does not parse is refused, naming variable, value and form; nothing falls back in silence.

use std::net::SocketAddr;
use std::time::Duration;

use crate::Error;
use crate::finding::Thresholds;

/// Shortest recording threshold: the watchdog looks twice in it, and at 10 ms takes half a percent of a core or, where wake-ups
/// are dear, one.
pub const RECORD_MIN: Duration = Duration::from_millis(4);

/// Longest threshold: beyond ten minutes a stall is an outage that other alarms have found.
pub const THRESHOLD_MAX: Duration = Duration::from_secs(600);

/// How pollscope watches this process.
///
/// # Example
///
/// ```
/// use std::time::Duration;
///
/// let config = pollscope::Config { record: Duration::from_millis(20), ..pollscope::Config::default() };
/// assert_eq!(config.warn, Duration::from_millis(100));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Name of the service in events; `POLLSCOPE_SERVICE`, else `OTEL_SERVICE_NAME`, else the executable's name.
    pub service: String,
    /// A poll at least this long becomes a stall event; `POLLSCOPE_RECORD_MS`, default 10, from 4 to 600,000.
    ///
    /// Ten milliseconds is where a request's user starts to share the cost with everybody else on the worker.
    pub record: Duration,
    /// A stall at least this long is logged as a warning, shorter ones as debug; `POLLSCOPE_WARN_MS`, default 100.
    ///
    /// A human notices a tenth of a second; anything shorter would fill logs on a crowded machine.
    pub warn: Duration,
    /// A stall at least this long counts as stuck and `/readyz` fails; `POLLSCOPE_STUCK_MS`, default 1000.
    pub stuck: Duration,
    /// Where the admin server listens; `POLLSCOPE_ADMIN` as `ip:port` or `off`, default off.
    ///
    /// Anything but a loopback address needs [`Config::admin_token`].
    pub admin: Option<SocketAddr>,
    /// Bearer token the admin server asks for; `POLLSCOPE_ADMIN_TOKEN`, default none.
    pub admin_token: Option<String>,
    /// Whether a thread may be sent a signal for its stack; `POLLSCOPE_SIGNAL` as `auto`, `never` or `always`, default auto.
    pub signal: SignalPolicy,
    /// Whether the debug mode is on from the start; `POLLSCOPE_DEBUG` as `1` or `0`, default off.
    ///
    /// For development: polls of 1 ms are told, each with its stack, and mistakes that stall nobody yet are looked for.
    pub debug: bool,
    /// Path or function prefixes that count as the user's own code, comma-separated in `POLLSCOPE_IN_APP`.
    ///
    /// Empty (the default) means everything outside the toolchain, the registry's crates and pollscope.
    pub in_app: Vec<String>,
    /// When conditions that are no stalls become findings; `POLLSCOPE_FINDING_*`.
    pub findings: Thresholds,
}

/// Whether capture may use a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum SignalPolicy {
    /// One signal to a thread that is on a CPU and stalled; none to one that is parked. A thread in a system call is read
    /// from outside, and sent one only if that gave no whole stack and the kernel restarts the call by itself.
    #[default]
    Auto,
    /// Never; stalls on a CPU are reported without a stack.
    Never,
    /// As `Auto`, and also to a stalled thread in any system call that could not be read from outside.
    ///
    /// The price: `read`, `write`, `connect`, `nanosleep`, `poll` and others then may fail with EINTR (signal(7)) where
    /// they never did. The standard library's loops go on; code that calls the C library must expect it.
    /// [`Scope::interrupted_calls`](crate::Scope::interrupted_calls) counts.
    Always,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            service: executable_name(),
            record: Duration::from_millis(10),
            warn: Duration::from_millis(100),
            stuck: Duration::from_secs(1),
            admin: None,
            admin_token: None,
            signal: SignalPolicy::Auto,
            debug: false,
            in_app: Vec::new(),
            findings: Thresholds::default(),
        }
    }
}

impl Config {
    /// The defaults, overridden by the `POLLSCOPE_*` variables of this process.
    ///
    /// # Errors
    ///
    /// When a variable does not parse: the error names variable, value and expected form.
    pub fn from_env() -> Result<Self, Error> {
        Self::from_lookup(|name| {
            std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
        })
    }

    /// [`Config::from_env`] over any source of variables.
    ///
    /// # Errors
    ///
    /// As [`Config::from_env`].
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let mut config = Self {
            findings: Thresholds::from_lookup(&lookup)?,
            ..Self::default()
        };
        if let Some(name) = lookup("POLLSCOPE_SERVICE").or_else(|| lookup("OTEL_SERVICE_NAME")) {
            config.service = name;
        }
        for (name, field) in [
            ("POLLSCOPE_RECORD_MS", &mut config.record),
            ("POLLSCOPE_WARN_MS", &mut config.warn),
            ("POLLSCOPE_STUCK_MS", &mut config.stuck),
        ] {
            if let Some(value) = lookup(name) {
                *field = milliseconds(name, &value)?;
            }
        }
        if let Some(value) = lookup("POLLSCOPE_ADMIN") {
            config.admin = admin_address(&value)?;
        }
        config.admin_token = lookup("POLLSCOPE_ADMIN_TOKEN").filter(|token| !token.is_empty());
        if let Some(value) = lookup("POLLSCOPE_SIGNAL") {
            config.signal = signal_policy(&value)?;
        }
        if let Some(value) = lookup("POLLSCOPE_DEBUG") {
            config.debug = switch("POLLSCOPE_DEBUG", &value)?;
        }
        if let Some(value) = lookup("POLLSCOPE_IN_APP") {
            config.in_app = value
                .split(',')
                .map(str::trim)
                .filter(|prefix| !prefix.is_empty())
                .map(str::to_owned)
                .collect();
        }
        config.check()?;
        Ok(config)
    }

    /// Refuses combinations that cannot work.
    ///
    /// # Errors
    ///
    /// When a threshold is outside its range, or the admin address is not loopback and there is no token.
    pub fn check(&self) -> Result<(), Error> {
        for (name, value) in [
            ("record", self.record),
            ("warn", self.warn),
            ("stuck", self.stuck),
        ] {
            if value < RECORD_MIN || value > THRESHOLD_MAX {
                return Err(Error::configuration(format!(
                    "threshold `{name}` is {} ms, expected {} to {} ms",
                    value.as_millis(),
                    RECORD_MIN.as_millis(),
                    THRESHOLD_MAX.as_millis()
                )));
            }
        }
        self.findings.check()?;
        match self.admin {
            Some(address) if !address.ip().is_loopback() && self.admin_token.is_none() => {
                Err(Error::configuration(format!(
                    "admin address {address} is not loopback, expected a token in POLLSCOPE_ADMIN_TOKEN before it is opened to others"
                )))
            }
            _ => Ok(()),
        }
    }
}

fn milliseconds(name: &str, value: &str) -> Result<Duration, Error> {
    let in_range = |ms: &u64| {
        *ms >= u64::try_from(RECORD_MIN.as_millis()).unwrap_or(0)
            && Duration::from_millis(*ms) <= THRESHOLD_MAX
    };
    value.trim().parse::<u64>().ok().filter(in_range).map(Duration::from_millis).ok_or_else(|| {
        Error::configuration(format!("{name}={value:?} is not a threshold, expected whole milliseconds from 4 to 600000, such as 10"))
    })
}

fn admin_address(value: &str) -> Result<Option<SocketAddr>, Error> {
    if value.eq_ignore_ascii_case("off") {
        return Ok(None);
    }
    value.parse().map(Some).map_err(|source| {
        Error::configuration(format!("POLLSCOPE_ADMIN={value:?} is not an address, expected ip:port such as 127.0.0.1:7667, or off"))
            .because(source)
    })
}

fn switch(name: &str, value: &str) -> Result<bool, Error> {
    match value.trim() {
        "1" => Ok(true),
        "0" | "" => Ok(false),
        _ => Err(Error::configuration(format!(
            "{name}={value:?} is not a switch, expected 1 or 0"
        ))),
    }
}

fn signal_policy(value: &str) -> Result<SignalPolicy, Error> {
    match value {
        "auto" => Ok(SignalPolicy::Auto),
        "never" => Ok(SignalPolicy::Never),
        "always" => Ok(SignalPolicy::Always),
        _ => Err(Error::configuration(format!(
            "POLLSCOPE_SIGNAL={value:?} is not a policy, expected auto, never or always"
        ))),
    }
}

fn executable_name() -> String {
    std::env::current_exe()
        .ok()
        .and_then(|path| {
            path.file_stem()
                .map(|stem| stem.to_string_lossy().into_owned())
        })
        .unwrap_or_else(|| "unknown".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> Result<Config, Error> {
        Config::from_lookup(|name| {
            pairs
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    /// Every variable reaches its field.
    #[test]
    fn reads_every_variable() {
        let config = parse(&[
            ("POLLSCOPE_SERVICE", "orders"),
            ("POLLSCOPE_RECORD_MS", "20"),
            ("POLLSCOPE_WARN_MS", "50"),
            ("POLLSCOPE_STUCK_MS", "2000"),
            ("POLLSCOPE_ADMIN", "127.0.0.1:9000"),
            ("POLLSCOPE_SIGNAL", "never"),
            ("POLLSCOPE_DEBUG", "1"),
            ("POLLSCOPE_IN_APP", "orders, ledger::"),
        ])
        .unwrap();
        assert_eq!(config.service, "orders");
        assert_eq!(config.record, Duration::from_millis(20));
        assert_eq!(config.warn, Duration::from_millis(50));
        assert_eq!(config.stuck, Duration::from_secs(2));
        assert_eq!(config.admin, Some("127.0.0.1:9000".parse().unwrap()));
        assert_eq!(config.signal, SignalPolicy::Never);
        assert!(config.debug);
        assert_eq!(config.in_app, ["orders", "ledger::"]);
    }

    /// Every policy by its name.
    #[test]
    fn reads_policies() {
        for (value, policy) in [
            ("auto", SignalPolicy::Auto),
            ("never", SignalPolicy::Never),
            ("always", SignalPolicy::Always),
        ] {
            assert_eq!(
                parse(&[("POLLSCOPE_SIGNAL", value)]).unwrap().signal,
                policy
            );
        }
    }

    /// Bad values name the variable, the value and the form.
    #[test]
    fn refuses_what_does_not_parse() {
        for (name, value, expected) in [
            ("POLLSCOPE_RECORD_MS", "soon", "whole milliseconds"),
            ("POLLSCOPE_RECORD_MS", "1", "from 4 to 600000"),
            ("POLLSCOPE_WARN_MS", "-5", "whole milliseconds"),
            ("POLLSCOPE_ADMIN", "localhost", "ip:port"),
            ("POLLSCOPE_SIGNAL", "always!", "auto, never or always"),
            ("POLLSCOPE_DEBUG", "yes please", "1 or 0"),
        ] {
            let message = parse(&[(name, value)]).unwrap_err().to_string();
            assert!(
                message.contains(name) && message.contains(value) && message.contains(expected),
                "{message}"
            );
        }
    }

    /// An address that others can reach needs a token.
    #[test]
    fn open_admin_needs_a_token() {
        let error = parse(&[("POLLSCOPE_ADMIN", "0.0.0.0:7667")]).unwrap_err();
        assert!(
            error.is_configuration() && error.to_string().contains("POLLSCOPE_ADMIN_TOKEN"),
            "{error}"
        );
        assert!(
            parse(&[
                ("POLLSCOPE_ADMIN", "0.0.0.0:7667"),
                ("POLLSCOPE_ADMIN_TOKEN", "secret")
            ])
            .is_ok()
        );
    }
}

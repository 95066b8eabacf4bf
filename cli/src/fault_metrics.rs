//! The metrics of the faults, so that a dashboard shows what was broken on purpose beside what was found.

use std::sync::Arc;

use faults::Plan;
use pollscope::metrics::{Metric, Registry, Table};

/// Whether a fault is on.
static ON: Metric = Metric::gauge(
    "pollscope_fault_on",
    &["fault"],
    "Whether a fault is switched on: 1 or 0.",
    "Somebody switched a fault on; stalls of this service are made on purpose.",
);

/// How often a fault acted.
static FIRED: Metric = Metric::counter(
    "pollscope_fault_fired_total",
    &["fault"],
    "How often a fault has acted.",
    "The fault is on and its place in the service is visited.",
);

/// Every metric of the faults.
pub static FAULTS: Table = &[&ON, &FIRED];

/// Adds the table, read from the plan at each scrape.
///
/// # Errors
///
/// When one of the names is taken.
pub(crate) fn register(registry: &Registry, plan: &Arc<Plan>) -> Result<(), pollscope::Error> {
    registry.register(FAULTS)?;
    let plan = Arc::clone(plan);
    registry.sample(move |samples| {
        for status in plan.status() {
            let fault = status.fault.name;
            samples.set(&ON, &[fault], f64::from(u8::from(status.on)));
            samples.set(&FIRED, &[fault], count(status.fired));
        }
    });
    Ok(())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "beyond 2^53 firings the last digit does not matter"
)]
fn count(fired: u64) -> f64 {
    fired as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use faults::{Point, Settings};

    /// Goal: the exposition shows what the plan says, for every fault of the service.
    #[test]
    fn shows_the_plan() {
        let (registry, plan) = (
            Registry::new(),
            Arc::new(Plan::new("chat", &[Point::Handler])),
        );
        register(&registry, &plan).unwrap();
        let settings = Settings {
            duration_ms: Some(1),
            ..Settings::default()
        };
        plan.on("block-sleep", settings).unwrap();
        plan.handler();
        let text = registry.render();
        for line in [
            "pollscope_fault_on{fault=\"block-sleep\"} 1",
            "pollscope_fault_on{fault=\"std-mutex\"} 0",
            "pollscope_fault_fired_total{fault=\"block-sleep\"} 1",
        ] {
            assert!(
                text.lines().any(|have| have == line),
                "{line} is not in {text}"
            );
        }
    }
}

//! Dashboards, held against the tables of metrics in the code and against what a reader needs.
//!
//! Nothing is run: files are read and compared, so that a renamed metric or a counter without a rate fails `cargo test`
//! and not somebody's evening.

use std::collections::BTreeSet;

use crate::files::{dashboards, list, panels, text};
use crate::promql::{Uses, queries};
use crate::series::known_series;

/// Series that Prometheus makes itself.
const PROMETHEUS_OWN: [&str; 1] = ["up"];

/// Functions that make a counter's value meaningful: it survives restarts and does not depend on the uptime.
const COUNTER_FUNCTIONS: [&str; 3] = ["rate", "increase", "irate"];

/// Every expression parses, every metric in it exists, and every label it selects or groups by is one of the metric's.
#[test]
fn metrics_exist() {
    let known = known_series();
    for query in queries() {
        let uses = Uses::of(&query);
        assert!(!uses.uses.is_empty(), "{}: no metric in it", query.place);
        let mut labels = BTreeSet::from(["job", "instance"]);
        for used in &uses.uses {
            let name = used.metric.as_str();
            if PROMETHEUS_OWN.contains(&name) {
                continue;
            }
            let series = known
                .get(name)
                .unwrap_or_else(|| panic!("{}: no metric `{name}` in the tables", query.place));
            let own: BTreeSet<&str> = series.labels().chain(["job", "instance"]).collect();
            for matcher in &used.matchers.matchers {
                assert!(
                    own.contains(matcher.name.as_str()),
                    "{}: `{name}` has no label `{}`, only {own:?}",
                    query.place,
                    matcher.name
                );
            }
            labels.extend(own);
        }
        for label in &uses.grouped_by {
            assert!(
                labels.contains(label.as_str()),
                "{}: groups by `{label}`, expected one of {labels:?}",
                query.place
            );
        }
    }
}

/// A counter is never shown as it stands, and no gauge is taken for a counter.
#[test]
fn counters_stand_under_rate() {
    let known = known_series();
    for query in queries() {
        for used in Uses::of(&query).uses {
            let name = &used.metric;
            let is_rated = used
                .function
                .is_some_and(|function| COUNTER_FUNCTIONS.contains(&function));
            let counts = known.get(name).is_some_and(|series| series.counts);
            assert_eq!(
                counts,
                is_rated,
                "{}: `{name}` {}",
                query.place,
                if counts {
                    "is a counter, expected rate(…) around it"
                } else {
                    "is no counter, expected no rate(…) around it"
                }
            );
        }
    }
}

/// A panel follows the choice of job and instance, and the resolution of the screen.
#[test]
fn panels_follow_the_variables() {
    for query in queries().iter().filter(|query| query.is_panel) {
        let place = &query.place;
        for used in Uses::of(query).uses {
            for variable in ["job", "instance"] {
                assert!(
                    query
                        .promql
                        .contains(&format!("{variable}=~\"${variable}\""))
                        && used
                            .matchers
                            .matchers
                            .iter()
                            .any(|matcher| matcher.name == variable),
                    "{place}: `{}` lacks {variable}=~\"${variable}\"",
                    used.metric
                );
            }
        }
        let fixed = query.promql.contains('[') && !query.promql.contains("[$__rate_interval]");
        assert!(
            !fixed,
            "{place}: a fixed range, expected [$__rate_interval]"
        );
    }
}

/// A panel says what it shows, in which unit, and what to think of it.
#[test]
fn panels_explain_themselves() {
    for (file, dashboard) in dashboards() {
        let mut ids = BTreeSet::new();
        for panel in panels(&dashboard) {
            let place = format!("{file}: panel {}", panel["title"]);
            assert!(!text(&panel["title"]).is_empty(), "{place}: no title");
            assert!(
                text(&panel["description"]).len() > 20,
                "{place}: no description"
            );
            assert!(
                !text(&panel["fieldConfig"]["defaults"]["unit"]).is_empty(),
                "{place}: no unit"
            );
            assert_eq!(
                text(&panel["datasource"]["uid"]),
                "${datasource}",
                "{place}"
            );
            assert!(list(&panel["targets"]).count() > 0, "{place}: no query");
            assert!(
                ids.insert(panel["id"].as_u64().unwrap()),
                "{place}: id used twice"
            );
        }
    }
}

/// A dashboard can be linked to (a fixed uid, no database id), and nobody edits it in the browser and loses the work.
#[test]
fn dashboards_are_files_first() {
    let mut uids = BTreeSet::new();
    for (file, dashboard) in dashboards() {
        assert!(dashboard["id"].is_null(), "{file}: id is set by Grafana");
        assert_eq!(dashboard["editable"], false, "{file}");
        assert!(
            (39..=42).contains(&dashboard["schemaVersion"].as_u64().unwrap()),
            "{file}"
        );
        let uid = text(&dashboard["uid"]).to_owned();
        assert!(
            uid.starts_with("pollscope-") && uids.insert(uid),
            "{file}: uid"
        );
        let variables: Vec<_> = list(&dashboard["templating"]["list"])
            .map(|variable| text(&variable["name"]))
            .collect();
        assert_eq!(variables, ["datasource", "job", "instance"], "{file}");
    }
}

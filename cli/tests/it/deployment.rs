//! What runs around the services: compose, images, scraping, data sources and alerts fit each other and the repository.
//!
//! Checked as text, because a test must not need a container engine. That the alerts fire is `promtool`'s to show, in
//! `.ci/run`.

use std::collections::BTreeSet;

use serde_json::Value as Json;
use serde_norway::Value as Yaml;

use crate::files::{alerts, dashboards, read, read_yaml, repository};

/// Every path that a container mounts or an image is built from exists.
#[test]
fn mounted_paths_exist() {
    let compose = read_yaml("docker-compose.yml");
    let volumes = compose["volumes"].as_mapping().unwrap();
    let mut mounted = 0;
    for (name, service) in compose["services"].as_mapping().unwrap() {
        for volume in service["volumes"].as_sequence().into_iter().flatten() {
            let volume = volume.as_str().unwrap();
            let source = volume.split(':').next().unwrap();
            if source.starts_with('.') {
                assert!(
                    repository(source).exists(),
                    "{name:?}: {volume} is not there"
                );
                mounted += 1;
            } else {
                assert!(
                    volumes.contains_key(source),
                    "{name:?}: volume {source} is not declared"
                );
            }
        }
        if let Some(folder) = service["build"].as_str() {
            assert!(repository(folder).join("Dockerfile").exists(), "{name:?}");
        }
    }
    assert!(mounted >= 5, "only {mounted} mounts found");
}

/// What was tried is what is run: no image floats, and no port is open to the network.
#[test]
fn images_are_pinned_and_ports_are_local() {
    let compose = read_yaml("docker-compose.yml");
    let services = compose["services"].as_mapping().unwrap();
    for (name, service) in services {
        let image = service["image"].as_str().unwrap();
        assert_pinned(image);
        for port in service["ports"].as_sequence().into_iter().flatten() {
            let port = port.as_str().unwrap();
            assert!(
                port.starts_with("127.0.0.1:"),
                "{name:?}: port {port}, expected 127.0.0.1:…"
            );
        }
    }
    let dockerfile = read("Dockerfile");
    let bases: Vec<&str> = dockerfile
        .lines()
        .filter_map(|line| line.strip_prefix("FROM "))
        .collect();
    assert_eq!(bases.len(), 2, "expected a build stage and a small one");
    for base in bases {
        assert_pinned(base.split(' ').next().unwrap());
    }
}

fn assert_pinned(image: &str) {
    let tag = image.rsplit_once(':').map_or("", |(_, tag)| tag);
    assert!(
        !tag.is_empty() && tag != "latest",
        "image {image}, expected a pinned tag"
    );
}

/// Prometheus scrapes the two admin servers where compose starts them, with the token that compose gives them.
#[test]
fn prometheus_scrapes_what_compose_starts() {
    let compose = read_yaml("docker-compose.yml");
    let prometheus = read_yaml("dashboards/prometheus/prometheus.yml");
    let jobs = prometheus["scrape_configs"].as_sequence().unwrap();
    assert_eq!(jobs.len(), 2);
    for job in jobs {
        let name = job["job_name"].as_str().unwrap();
        let service = &compose["services"][name];
        let target = job["static_configs"][0]["targets"][0].as_str().unwrap();
        let (host, port) = target.split_once(':').unwrap();
        assert_eq!(host, name);
        let command: Vec<_> = service["command"]
            .as_sequence()
            .unwrap()
            .iter()
            .filter_map(Yaml::as_str)
            .collect();
        let admin = format!("0.0.0.0:{port}");
        assert!(
            command
                .windows(2)
                .any(|pair| pair == ["--admin", admin.as_str()]),
            "{name}: {command:?}"
        );
        assert_eq!(
            service["environment"]["OTEL_SERVICE_NAME"].as_str(),
            Some(name)
        );
        let token = service["environment"]["POLLSCOPE_ADMIN_TOKEN"].as_str();
        assert!(token.is_some());
        assert_eq!(
            job["authorization"]["credentials"].as_str(),
            token,
            "{name}"
        );
    }
}

/// Every data source that is named by uid is provisioned.
#[test]
fn datasources_are_provisioned() {
    let provisioned = read_yaml("dashboards/provisioning/datasources/datasources.yml");
    let sources = provisioned["datasources"].as_sequence().unwrap();
    let uids: BTreeSet<&str> = sources
        .iter()
        .filter_map(|source| source["uid"].as_str())
        .collect();
    assert_eq!(
        uids.len(),
        sources.len(),
        "a data source without uid, or two with the same"
    );

    let mut named = BTreeSet::new();
    for source in sources {
        uids_in_yaml(source, &mut named);
    }
    for (_, dashboard) in dashboards() {
        uids_in_json(&dashboard, &mut named);
    }
    // A variable, and Grafana's own source of annotations.
    named.retain(|uid| !uid.starts_with('$') && uid != "-- Grafana --" && uid != "grafana");
    let unknown: Vec<_> = named
        .iter()
        .filter(|uid| !uids.contains(uid.as_str()))
        .collect();
    assert!(
        unknown.is_empty(),
        "data sources {unknown:?} are not among {uids:?}"
    );
}

fn uids_in_yaml(yaml: &Yaml, uids: &mut BTreeSet<String>) {
    match yaml {
        Yaml::Mapping(map) => {
            for (key, value) in map {
                if key.as_str() == Some("datasourceUid") {
                    uids.extend(value.as_str().map(str::to_owned));
                }
                uids_in_yaml(value, uids);
            }
        }
        Yaml::Sequence(items) => items.iter().for_each(|item| uids_in_yaml(item, uids)),
        _ => {}
    }
}

fn uids_in_json(json: &Json, uids: &mut BTreeSet<String>) {
    match json {
        Json::Object(map) => {
            uids.extend(
                map.get("datasource")
                    .and_then(|source| source["uid"].as_str())
                    .map(str::to_owned),
            );
            map.values().for_each(|value| uids_in_json(value, uids));
        }
        Json::Array(items) => items.iter().for_each(|item| uids_in_json(item, uids)),
        _ => {}
    }
}

/// Whoever is woken finds out what happened and what to do, and every alert is proven to fire.
#[test]
fn alerts_have_runbooks_and_tests() {
    let tests = read("dashboards/prometheus/alerts_test.yml");
    let alerts = alerts();
    assert_eq!(alerts.len(), 3);
    for rule in &alerts {
        let name = rule["alert"].as_str().unwrap();
        let annotation = |key: &str| {
            rule["annotations"][key]
                .as_str()
                .unwrap_or_else(|| panic!("{name}: no {key}"))
        };
        assert!(annotation("summary").len() > 20, "{name}");
        assert!(annotation("description").len() > 40, "{name}");
        assert!(
            rule["labels"]["severity"].is_string(),
            "{name}: no severity"
        );
        let (_, page) = annotation("runbook_url")
            .split_once("/docs/runbooks/")
            .unwrap();
        let runbook = read(&format!("docs/runbooks/{page}"));
        assert!(
            runbook.starts_with(&format!("# {name}\n")),
            "{page}: expected the heading `# {name}`"
        );
        // One case in which it fires and one in which it is silent.
        let cases = tests.matches(&format!("alertname: {name}\n")).count();
        assert!(cases >= 2, "{name}: {cases} cases in alerts_test.yml");
    }
}

//! The files that the checks read, from the repository's root.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use serde_norway::Value as Yaml;

pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test without a runtime: nobody waits for this thread"
)]
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub(crate) fn read_yaml(path: &str) -> Yaml {
    let mut yaml: Yaml =
        serde_norway::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    yaml.apply_merge()
        .unwrap_or_else(|error| panic!("{path}: {error}"));
    yaml
}

/// Every dashboard: file name and model.
pub(crate) fn dashboards() -> Vec<(String, Json)> {
    let folder = fs::read_dir(repository("dashboards")).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let found: Vec<_> = names
        .filter(|name| name.ends_with(".json"))
        .map(|name| {
            let model = serde_json::from_str(&read(&format!("dashboards/{name}"))).unwrap();
            (name, model)
        })
        .collect();
    assert!(!found.is_empty(), "no dashboards");
    found
}

/// The panels of a dashboard that show data, those in collapsed rows included.
pub(crate) fn panels(dashboard: &Json) -> Vec<&Json> {
    let (rows, mut panels): (Vec<_>, Vec<_>) =
        list(&dashboard["panels"]).partition(|panel| panel["type"] == "row");
    panels.extend(rows.into_iter().flat_map(|row| list(&row["panels"])));
    panels
}

pub(crate) fn list(json: &Json) -> impl Iterator<Item = &Json> {
    json.as_array().into_iter().flatten()
}

pub(crate) fn text(json: &Json) -> &str {
    json.as_str().unwrap_or_default()
}

pub(crate) fn alerts() -> Vec<Yaml> {
    let file = read_yaml("dashboards/prometheus/alerts.yml");
    let groups = file["groups"].as_sequence().unwrap();
    groups
        .iter()
        .flat_map(|group| group["rules"].as_sequence().unwrap().clone())
        .collect()
}

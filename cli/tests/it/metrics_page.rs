//! `docs/metrics.md` is made from the tables in the code.

use std::fmt::Write as _;

use pollscope::metrics::document;

use crate::files::{read, repository};
use crate::series::tables;

const PATH: &str = "docs/metrics.md";

/// The page says what the code says. `UPDATE=1 cargo test -p pollscope-cli metrics_page` writes it anew.
#[test]
fn page_is_current() {
    let mut page = String::from(
        "# Metrics\n\nEvery metric that pollscope and the reference services export, made from the tables in the code. Units \
         are seconds and bytes, counters end in `_total`. `process_*` names are those of the Prometheus client libraries.\n",
    );
    for (title, table) in tables() {
        write!(page, "\n{}", document(title, table)).unwrap();
    }
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(repository(PATH), &page).unwrap();
    }
    assert!(
        read(PATH) == page,
        "{PATH} is not what the tables say, expected: UPDATE=1 cargo test -p pollscope-cli metrics_page"
    );
}

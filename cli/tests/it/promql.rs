//! PromQL: every expression in the files, and which metrics and labels it uses.

use std::collections::BTreeSet;
use std::convert::Infallible;

use promql_parser::label::Matchers;
use promql_parser::parser::{self, Expr, LabelModifier, VectorSelector};
use promql_parser::util::{ExprVisitor, walk_expr};

use crate::files::{alerts, dashboards, list, panels, text};

/// What Grafana fills in, and a value it could have.
const GRAFANA_VARIABLES: [(&str, &str); 5] = [
    ("$__rate_interval", "1m"),
    ("$__interval", "15s"),
    ("$__range", "1h"),
    ("$job", ".+"),
    ("$instance", ".+"),
];

/// One PromQL expression and where it stands.
pub(crate) struct Query {
    pub(crate) place: String,
    pub(crate) promql: String,
    /// Whether Grafana narrows it to the chosen job and instance.
    pub(crate) is_panel: bool,
}

/// Every expression of panels, annotations, variables and alerts.
pub(crate) fn queries() -> Vec<Query> {
    let mut found = alert_queries();
    for (file, dashboard) in dashboards() {
        for panel in panels(&dashboard) {
            let place = format!("{file}: panel {}", panel["title"]);
            found.extend(list(&panel["targets"]).map(|target| Query {
                place: place.clone(),
                promql: text(&target["expr"]).to_owned(),
                is_panel: true,
            }));
        }
        found.extend(
            list(&dashboard["annotations"]["list"])
                .filter(|annotation| annotation["expr"].is_string())
                .map(|annotation| Query {
                    place: format!("{file}: annotation {}", annotation["name"]),
                    promql: text(&annotation["expr"]).to_owned(),
                    is_panel: true,
                }),
        );
        found.extend(
            list(&dashboard["templating"]["list"])
                .filter(|variable| variable["type"] == "query")
                .map(|variable| Query {
                    place: format!("{file}: variable {}", variable["name"]),
                    promql: label_values_selector(text(&variable["query"]["query"])),
                    is_panel: false,
                }),
        );
    }
    found
}

/// `tokio_workers{…}` of `label_values(tokio_workers{…}, instance)`.
fn label_values_selector(query: &str) -> String {
    let inner = query
        .strip_prefix("label_values(")
        .and_then(|rest| rest.strip_suffix(')'));
    let (selector, _label) = inner
        .and_then(|inner| inner.rsplit_once(','))
        .unwrap_or_else(|| panic!("{query}: expected label_values(selector, label)"));
    selector.to_owned()
}

fn alert_queries() -> Vec<Query> {
    alerts()
        .iter()
        .map(|rule| Query {
            place: format!("alerts.yml: {}", rule["alert"].as_str().unwrap()),
            promql: rule["expr"].as_str().unwrap().to_owned(),
            is_panel: false,
        })
        .collect()
}

fn parse(query: &Query) -> Expr {
    let mut promql = query.promql.clone();
    for (variable, value) in GRAFANA_VARIABLES {
        promql = promql.replace(variable, value);
    }
    parser::parse(&promql).unwrap_or_else(|error| panic!("{}: {error} in {promql}", query.place))
}

/// A use of a metric in an expression.
pub(crate) struct Use {
    pub(crate) metric: String,
    pub(crate) matchers: Matchers,
    /// The function whose range it is, as in `rate(x[1m])`.
    pub(crate) function: Option<&'static str>,
}

/// All metrics of an expression, and the labels it groups by.
#[derive(Default)]
pub(crate) struct Uses {
    pub(crate) uses: Vec<Use>,
    pub(crate) grouped_by: BTreeSet<String>,
}

impl Uses {
    pub(crate) fn of(query: &Query) -> Self {
        let mut uses = Self::default();
        let Ok(_) = walk_expr(&mut uses, &parse(query));
        uses
    }

    fn add(&mut self, selector: &VectorSelector, function: Option<&'static str>) {
        self.uses.push(Use {
            metric: selector.name.clone().unwrap_or_default(),
            matchers: selector.matchers.clone(),
            function,
        });
    }
}

impl ExprVisitor for Uses {
    type Error = Infallible;

    fn pre_visit(&mut self, expr: &Expr) -> Result<bool, Self::Error> {
        match expr {
            Expr::Call(call) => {
                // A range is read here, where its function is known.
                for argument in &call.args.args {
                    if let Expr::MatrixSelector(matrix) = argument.as_ref() {
                        self.add(&matrix.vs, Some(call.func.name));
                    }
                }
            }
            Expr::VectorSelector(selector) => self.add(selector, None),
            Expr::Aggregate(aggregate) => {
                if let Some(LabelModifier::Include(labels)) = &aggregate.modifier {
                    self.grouped_by.extend(labels.labels.iter().cloned());
                }
            }
            _ => {}
        }
        Ok(true)
    }
}

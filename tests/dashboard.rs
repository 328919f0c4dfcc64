//! Every expression of the alert rules and of the dashboard parses, and names only what daycap exports. What it
//! exports is read from the expected text of /metrics, so the three cannot drift apart.

use std::collections::{BTreeMap, BTreeSet};

use daycap::publish::alert::Rules;
use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::{self, Expr, LabelModifier, VectorSelector};
use serde_json::Value;

const METRICS: &str = include_str!("expected/metrics.txt");
const RULES: &str = include_str!("../prometheus/rules.yml");
const DASHBOARD: &str = include_str!("../grafana/daycap.json");

/// What Prometheus itself puts on every series that it scrapes.
const TARGET_LABELS: [&str; 2] = ["job", "instance"];

/// The dashboard's variables, as an expression might have them once Grafana has filled them in.
const VARIABLES: [(&str, &str); 5] =
    [("$__rate_interval", "5m"), ("$__range", "1d"), ("$job", "daycap"), ("$instance", "app-1"), ("$quota", "prod")];

/// The one range that is not `$__rate_interval` on purpose: a sum over what the dashboard shows.
const OTHER_RANGES: [&str; 1] = ["$__range"];

#[test]
fn every_rule_names_only_what_is_exported() {
    let exported = Exported::parse(METRICS);
    let expressions = rule_expressions(RULES);
    assert_eq!(expressions.len(), RULES.matches("- alert: ").count());
    let problems: Vec<_> = expressions.iter().filter_map(|expression| exported.check(expression).err()).collect();
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn every_annotation_names_only_labels_that_exist() {
    let exported = Exported::parse(METRICS);
    let labels = exported.labels();
    let named = RULES.split("$labels.").skip(1).map(leading_name);
    let unknown: Vec<_> = named.filter(|name| !labels.contains(name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn every_panel_names_only_what_is_exported() {
    let exported = Exported::parse(METRICS);
    let labels = exported.labels();
    let mut problems = Vec::new();
    for panel in panels() {
        for target in targets(&panel) {
            problems.extend(exported.check(&filled_in(text(target, "expr"))).err());
            let named = text(target, "legendFormat").split("{{").skip(1).map(leading_name);
            problems.extend(
                named.filter(|name| !labels.contains(name)).map(|name| format!("no label {name} for a legend")),
            );
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn every_variable_asks_for_labels_that_exist() {
    let exported = Exported::parse(METRICS);
    for variable in variables().iter().filter(|variable| variable["type"] == "query") {
        let query = text(&variable["query"], "query");
        let arguments = query
            .strip_prefix("label_values(")
            .and_then(|rest| rest.strip_suffix(')'))
            .expect("label_values(series, label)");
        let (series, label) = arguments.rsplit_once(", ").expect("label_values(series, label)");
        assert_eq!(exported.check(&filled_in(series)), Ok(()));
        assert!(exported.labels().contains(label), "{query}");
    }
}

/// The check must be able to fail, or the tests above show nothing.
#[test]
fn what_is_not_exported_is_found() {
    let exported = Exported::parse(METRICS);
    let wrong = [
        ("daycap_quota_usage", "no metric daycap_quota_usage"),
        ("rate(daycap_request_total[5m])", "no metric daycap_request_total"),
        ("daycap_quota_used{name=\"prod\"}", "daycap_quota_used has no label name"),
        ("daycap_log_lines_total{result=\"unparsed\"}", "daycap_log_lines_total has no result unparsed"),
        ("daycap_quota_forecast{quantile=\"0.95\"}", "daycap_quota_forecast has no quantile 0.95"),
        ("sum by (operation) (daycap_quota_used)", "nothing under it has the label operation"),
        ("daycap_quota_used / on (source) daycap_quota_limit", "nothing under it has the label source"),
        ("1 + max_over_time(daycap_quota_usage[1d:1m])", "no metric daycap_quota_usage"),
        ("sum(", "does not parse"),
    ];
    for (expression, problem) in wrong {
        let error = exported.check(expression).expect_err(expression);
        assert!(error.contains(problem), "{error}");
    }
}

/// The rules of Grafana's own dashboard linter, so far as they can be read from the file alone.
#[test]
fn the_dashboard_keeps_the_rules_of_its_trade() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
    assert_eq!(dashboard["editable"], false);
    let sources: Vec<_> = variables().into_iter().filter(|variable| variable["type"] == "datasource").collect();
    assert_eq!(sources.len(), 1);
    assert_eq!((&sources[0]["name"], &sources[0]["label"]), (&"datasource".into(), &"Data Source".into()));
    for name in ["job", "instance", "quota"] {
        let variable = variables().into_iter().find(|variable| variable["name"] == name).expect(name);
        let settings = (&variable["multi"], &variable["allValue"], &variable["refresh"]);
        assert_eq!(settings, (&true.into(), &".+".into(), &2.into()), "{name}");
    }
    for panel in panels() {
        let title = text(&panel, "title");
        assert!(!title.is_empty() && text(&panel, "description").ends_with('.'), "{title}");
        assert!(!text(&panel["fieldConfig"]["defaults"], "unit").is_empty(), "{title}");
        assert!(!targets(&panel).is_empty(), "{title}");
        for target in targets(&panel) {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
            check_query(text(target, "expr"));
        }
    }
}

fn check_query(expression: &str) {
    for matcher in ["job=~\"$job\"", "instance=~\"$instance\""] {
        assert_eq!(
            expression.matches(matcher).count(),
            expression.matches("daycap_").count(),
            "{expression}: a query without {matcher}"
        );
    }
    let exported = Exported::parse(METRICS);
    let parsed = parser::parse(&filled_in(expression)).expect(expression);
    for (selector, function) in selectors(&parsed, None) {
        let is_counter = exported.counters.contains(name_of(selector));
        assert!(
            !is_counter || matches!(function, Some("rate" | "increase")),
            "{expression}: a counter that is not rated"
        );
    }
    for call in ["rate(", "increase("] {
        for rest in expression.split(call).skip(1) {
            let (_, range) = rest.split_once('[').expect(expression);
            let (range, _) = range.split_once(']').expect(expression);
            assert!(range == "$__rate_interval" || OTHER_RANGES.contains(&range), "{expression}: range {range}");
        }
    }
}

#[test]
fn panels_do_not_lie_on_each_other() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
    let mut cells = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().expect("panels") {
        let at = |side: &str| panel["gridPos"][side].as_u64().expect("a number of cells");
        assert!(at("x") + at("w") <= 24);
        assert!(ids.insert(panel["id"].as_u64()));
        for cell in (at("x")..at("x") + at("w")).flat_map(|x| (at("y")..at("y") + at("h")).map(move |y| (x, y))) {
            assert_eq!(cells.insert(cell, text(panel, "title")), None, "at {cell:?}");
        }
    }
}

/// Each metric with its labels, and the values that each had in the expected text.
struct Exported {
    metrics: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
    counters: BTreeSet<String>,
}

impl Exported {
    fn parse(text: &str) -> Exported {
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        let counters = types.clone().filter(|(_, kind)| *kind == "counter").map(|(name, _)| name.to_string()).collect();
        // `up` is Prometheus' own.
        let names = types.map(|(name, _)| name).chain(["up"]);
        let mut metrics: BTreeMap<_, _> = names.map(|name| (name.to_string(), BTreeMap::new())).collect();
        for sample in text.lines().filter(|line| !line.starts_with('#')) {
            let (series, _) = sample.rsplit_once(' ').expect("a sample has a value");
            // A series in the text format is a selector of that series.
            let Ok(Expr::VectorSelector(selector)) = parser::parse(series) else { panic!("{series}") };
            let labels: &mut BTreeMap<String, BTreeSet<String>> =
                metrics.get_mut(name_of(&selector)).expect("a sample follows its TYPE");
            for matcher in selector.matchers.matchers {
                labels.entry(matcher.name).or_default().insert(matcher.value);
            }
        }
        // One expected text cannot have every level fire.
        let levels = Rules::default().levels().into_iter().map(|level| level.to_string());
        metrics
            .get_mut("daycap_alert_firing")
            .expect("it is exported")
            .entry("level".into())
            .or_default()
            .extend(levels);
        Exported { metrics, counters }
    }

    /// Every label that any metric has.
    fn labels(&self) -> BTreeSet<&str> {
        self.metrics.values().flat_map(|labels| labels.keys()).map(String::as_str).chain(TARGET_LABELS).collect()
    }

    fn check(&self, expression: &str) -> Result<(), String> {
        let parsed = parser::parse(expression).map_err(|error| format!("{expression}: does not parse: {error}"))?;
        self.check_expr(&parsed).map_err(|problem| format!("{expression}: {problem}"))
    }

    fn check_expr(&self, expression: &Expr) -> Result<(), String> {
        for (selector, _) in selectors(expression, None) {
            self.check_selector(selector)?;
        }
        let known: BTreeSet<_> = selectors(expression, None)
            .into_iter()
            .flat_map(|(selector, _)| self.metrics[name_of(selector)].keys())
            .collect();
        for label in grouping(expression) {
            if !known.contains(&label) && !TARGET_LABELS.contains(&label.as_str()) {
                return Err(format!("nothing under it has the label {label}"));
            }
        }
        children(expression).into_iter().try_for_each(|child| self.check_expr(child))
    }

    fn check_selector(&self, selector: &VectorSelector) -> Result<(), String> {
        let name = name_of(selector);
        let labels = self.metrics.get(name).ok_or_else(|| format!("no metric {name}"))?;
        for Matcher { op, name: label, value } in &selector.matchers.matchers {
            if TARGET_LABELS.contains(&label.as_str()) {
                continue;
            }
            let values = labels.get(label).ok_or_else(|| format!("{name} has no label {label}"))?;
            if matches!(op, MatchOp::Equal) && !values.contains(value) {
                return Err(format!("{name} has no {label} {value}"));
            }
        }
        Ok(())
    }
}

fn name_of(selector: &VectorSelector) -> &str {
    selector.name.as_deref().expect("a selector by name")
}

/// Every selector under an expression, with the function that it is directly an argument of.
fn selectors<'a>(expression: &'a Expr, function: Option<&'a str>) -> Vec<(&'a VectorSelector, Option<&'a str>)> {
    match expression {
        Expr::VectorSelector(selector) => vec![(selector, function)],
        Expr::MatrixSelector(selector) => vec![(&selector.vs, function)],
        Expr::Call(call) => {
            call.args.args.iter().flat_map(|argument| selectors(argument, Some(call.func.name))).collect()
        }
        other => children(other).into_iter().flat_map(|child| selectors(child, None)).collect(),
    }
}

fn children(expression: &Expr) -> Vec<&Expr> {
    match expression {
        Expr::Aggregate(aggregate) => std::iter::once(&*aggregate.expr).chain(aggregate.param.as_deref()).collect(),
        Expr::Unary(unary) => vec![&unary.expr],
        Expr::Binary(binary) => vec![&binary.lhs, &binary.rhs],
        Expr::Paren(paren) => vec![&paren.expr],
        Expr::Subquery(subquery) => vec![&subquery.expr],
        Expr::Call(call) => call.args.args.iter().map(|argument| &**argument).collect(),
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::VectorSelector(_) | Expr::MatrixSelector(_) => vec![],
        Expr::Extension(_) => panic!("not PromQL"),
    }
}

/// The labels of `by`, `without`, `on` and `ignoring`.
fn grouping(expression: &Expr) -> Vec<String> {
    let modifier = match expression {
        Expr::Aggregate(aggregate) => aggregate.modifier.as_ref(),
        Expr::Binary(binary) => binary.modifier.as_ref().and_then(|modifier| modifier.matching.as_ref()),
        _ => None,
    };
    match modifier {
        Some(LabelModifier::Include(labels) | LabelModifier::Exclude(labels)) => labels.labels.clone(),
        None => vec![],
    }
}

/// The `expr` of every rule: on its own line, or in the block that `|` opens. Not a YAML reader; that all were
/// found is asserted by their number.
fn rule_expressions(rules: &str) -> Vec<String> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let lines: Vec<_> = rules.lines().collect();
    let mut expressions = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        match line.trim_start().strip_prefix("expr: ") {
            Some("|") => {
                let block = lines[index + 1..].iter().take_while(|below| indent(below) > indent(line));
                expressions.push(block.copied().collect::<Vec<_>>().join("\n"));
            }
            Some(expression) => expressions.push(expression.to_string()),
            None => {}
        }
    }
    expressions
}

fn filled_in(expression: &str) -> String {
    let filled = VARIABLES.iter().fold(expression.to_string(), |text, (variable, value)| text.replace(variable, value));
    assert!(!filled.contains('$'), "{expression}: a variable that the dashboard does not have");
    filled
}

/// All panels but the rows' headings.
fn panels() -> Vec<Value> {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    panels.iter().filter(|panel| panel["type"] != "row").cloned().collect()
}

fn targets(panel: &Value) -> &[Value] {
    panel["targets"].as_array().expect("targets")
}

fn variables() -> Vec<Value> {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
    dashboard["templating"]["list"].as_array().expect("variables").clone()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} is missing in {value}"))
}

fn leading_name(text: &str) -> &str {
    let end = text.find(|character: char| !character.is_ascii_alphanumeric() && character != '_').unwrap_or(text.len());
    &text[..end]
}

//! A report becomes a table, CSV, JSON or Markdown.
//! This file never groups, sorts or sums; the report comes finished. CSV has no place for words: who prints it
//! tells the notes elsewhere.

use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::text::{milliseconds, printable, thousands};
use crate::count::ledger::Completeness;
use crate::count::query::{By, Report, Row};

/// What `report --format` may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputFormat {
    Table,
    Csv,
    Json,
    Markdown,
}

/// What marks a row whose sums are lower bounds.
const AT_LEAST: &str = "≥";
/// The sums of a row, as CSV and JSON name them.
const SUMS: [&str; 6] = ["requests", "errors", "units", "bytes", "duration_ms_p50", "duration_ms_p95"];

/// The report as text that ends in a line feed.
pub fn render(report: &Report, format: OutputFormat) -> String {
    match format {
        OutputFormat::Table => table(report),
        OutputFormat::Csv => csv(report),
        OutputFormat::Json => json(report),
        OutputFormat::Markdown => markdown(report),
    }
}

/// The column's name in headers: also what `--by` calls it.
fn name(by: By) -> &'static str {
    match by {
        By::Hour => "hour",
        By::Day => "day",
        By::Week => "week",
        By::Month => "month",
        By::Label(column) => column.name(),
    }
}

fn table(report: &Report) -> String {
    if report.rows.is_empty() {
        return format!("no requests\n{}", notes(report));
    }
    let style = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));
    let mut grid = grid(report, style, printable);
    for column in grid.column_iter_mut() {
        column.set_padding((0, 1));
    }
    let mut lines: Vec<_> = grid.lines().map(|line| line.trim_end().to_string()).collect();
    if has_total(report) {
        // The total is the last line; the rule under the header is the second.
        lines.insert(lines.len() - 1, lines[1].clone());
    }
    lines.join("\n") + "\n" + &notes(report)
}

fn markdown(report: &Report) -> String {
    let table = grid(report, ASCII_MARKDOWN, markdown_text).to_string();
    let mut lines = table.lines().map(str::to_string).collect::<Vec<_>>();
    lines[1] = right_aligned(&lines[1], report.by.len());
    let notes: String = notes(report).lines().map(|line| format!("\n{}\n", markdown_text(line))).collect();
    lines.join("\n") + "\n" + &notes
}

/// The rule under a Markdown header, with the colon that aligns numbers right.
fn right_aligned(rule: &str, text_columns: usize) -> String {
    let columns = rule.trim_matches('|').split('|').enumerate();
    let columns =
        columns.map(|(index, dashes)| if index < text_columns { dashes.into() } else { dashes[1..].to_string() + ":" });
    format!("|{}|", columns.collect::<Vec<_>>().join("|"))
}

/// Rows for people: numbers right, thousands set apart, the total last.
fn grid(report: &Report, style: TableStyle, text: fn(&str) -> String) -> Table {
    let mut table = Table::new();
    table.load_style(style);
    let sums = ["requests", "errors", "units", "bytes", "p50 ms", "p95 ms"];
    table.set_header(report.by.iter().map(|by| name(*by)).chain(sums));
    for row in &report.rows {
        table.add_row(row.group.iter().map(|label| text(label)).chain(figures(row)));
    }
    if has_total(report) {
        let blanks = std::iter::repeat_n(String::new(), report.by.len() - 1);
        table.add_row(std::iter::once("total".to_string()).chain(blanks).chain(figures(&report.total)));
    }
    for column in table.column_iter_mut().skip(report.by.len()) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Without a column to group by, the one row is the total already.
fn has_total(report: &Report) -> bool {
    !report.by.is_empty() && !report.rows.is_empty()
}

fn figures(row: &Row) -> [String; 6] {
    let [requests, errors, units, bytes] = [row.requests, row.errors, row.units, row.bytes].map(thousands);
    let requests = if row.at_least { format!("{AT_LEAST}{requests}") } else { requests };
    let [p50, p95] = [row.duration_ms_p50, row.duration_ms_p95].map(|ms| ms.map_or("-".into(), milliseconds));
    [requests, errors, units, bytes, p50, p95]
}

/// What a reader must know of the numbers, a line a reason; empty when they are exact.
pub fn notes(report: &Report) -> String {
    let told = report.completeness.reasons().iter().map(|reason| printable(&reason.to_string()));
    told.map(|reason| format!("{AT_LEAST} at least this many: {reason}\n")).collect()
}

/// Text as a Markdown table cell shows it: what Markdown or HTML would read as markup is escaped.
fn markdown_text(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in printable(text).chars() {
        if matches!(character, '\\' | '|' | '`' | '*' | '_' | '<' | '>' | '[' | ']' | '&') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

fn csv(report: &Report) -> String {
    let mut text = csv_line(report.by.iter().map(|by| name(*by)).chain(SUMS).map(str::to_string));
    for row in &report.rows {
        let sums = [row.requests, row.errors, row.units, row.bytes].map(|sum| sum.to_string());
        let durations =
            [row.duration_ms_p50, row.duration_ms_p95].map(|ms| ms.map_or(String::new(), |ms| rounded(ms).to_string()));
        text += &csv_line(row.group.iter().cloned().chain(sums).chain(durations));
    }
    text
}

/// RFC 4180, but for the line end: LF, which every reader takes and every Unix tool expects.
pub(crate) fn csv_line(fields: impl Iterator<Item = String>) -> String {
    let fields: Vec<_> = fields.map(|field| csv_field(&field)).collect();
    fields.join(",") + "\n"
}

fn csv_field(field: &str) -> String {
    if field.contains(['"', ',', '\n', '\r']) {
        return format!("\"{}\"", field.replace('"', "\"\""));
    }
    field.into()
}

/// Percentiles come from buckets 41 % apart: microseconds are more digits than they have.
fn rounded(ms: f64) -> f64 {
    (ms * 1_000.0).round() / 1_000.0
}

fn json(report: &Report) -> String {
    let by: Vec<_> = report.by.iter().map(|by| name(*by)).collect();
    let document = JsonReport {
        rows: report.rows.iter().map(|row| JsonRow { by: &by, row }).collect(),
        total: JsonRow { by: &[], row: &report.total },
        completeness: &report.completeness,
        by: &by,
    };
    serde_json::to_string_pretty(&document).expect("maps with text keys always serialise") + "\n"
}

#[derive(Serialize)]
struct JsonReport<'a> {
    by: &'a [&'static str],
    rows: Vec<JsonRow<'a>>,
    total: JsonRow<'a>,
    completeness: &'a Completeness,
}

/// A row as one flat object: the group's columns, then the sums, in the order of the CSV.
struct JsonRow<'a> {
    by: &'a [&'static str],
    row: &'a Row,
}

impl Serialize for JsonRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let row = self.row;
        let mut map = serializer.serialize_map(Some(self.by.len() + SUMS.len() + 1))?;
        for (column, label) in self.by.iter().zip(&row.group) {
            map.serialize_entry(column, label)?;
        }
        let [requests, errors, units, bytes, p50, p95] = SUMS;
        for (name, sum) in [(requests, row.requests), (errors, row.errors), (units, row.units), (bytes, row.bytes)] {
            map.serialize_entry(name, &sum)?;
        }
        map.serialize_entry(p50, &row.duration_ms_p50.map(rounded))?;
        map.serialize_entry(p95, &row.duration_ms_p95.map(rounded))?;
        map.serialize_entry("at_least", &row.at_least)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::count::ledger::{Completeness, Reason};
    use crate::quota::Column;

    fn row(group: &[&str], requests: u64, durations: Option<(f64, f64)>) -> Row {
        Row {
            group: group.iter().map(|label| label.to_string()).collect(),
            requests,
            errors: requests / 100,
            units: requests,
            bytes: requests * 1_500,
            duration_ms_p50: durations.map(|(p50, _)| p50),
            duration_ms_p95: durations.map(|(_, p95)| p95),
            at_least: false,
        }
    }

    fn example() -> Report {
        let what = ["app.log was truncated", "crm.log.2.gz is damaged"];
        let day = "2026-11-21".parse().expect("a day");
        let reasons = what.map(|what| Reason::of_day(day, what.to_owned())).to_vec();
        Report {
            by: vec![By::Day, By::Label(Column::Operation)],
            rows: vec![
                Row { at_least: true, ..row(&["2026-11-21", "jobSearch"], 38_412, Some((41.25, 1_312.000_4))) },
                row(&["2026-11-22", "say \"hi\", <b>|x|</b>\n"], 7, None),
            ],
            total: Row { at_least: true, ..row(&[], 38_419, Some((41.25, 1_312.0))) },
            completeness: Completeness::AtLeast { reasons },
        }
    }

    fn empty() -> Report {
        Report { rows: vec![], total: row(&[], 0, None), completeness: Completeness::Exact, ..example() }
    }

    fn check(report: &Report, format: OutputFormat, expected: Expect) {
        expected.assert_eq(&render(report, format));
    }

    #[test]
    fn a_table_aligns_numbers_and_ends_with_the_total_and_what_is_missing() {
        check(
            &example(),
            OutputFormat::Table,
            expect![[r#"
                day         operation               requests  errors   units       bytes  p50 ms  p95 ms
                ─────────────────────────────────────────────────────────────────────────────────────────
                2026-11-21  jobSearch                ≥38,412     384  38,412  57,618,000    41.2   1,312
                2026-11-22  say "hi", <b>|x|</b>\n         7       0       7      10,500       -       -
                ─────────────────────────────────────────────────────────────────────────────────────────
                total                                ≥38,419     384  38,419  57,628,500    41.2   1,312
                ≥ at least this many: app.log was truncated (on 2026-11-21)
                ≥ at least this many: crm.log.2.gz is damaged (on 2026-11-21)
            "#]],
        );
    }

    #[test]
    fn csv_quotes_what_would_break_it_and_has_no_total() {
        check(
            &example(),
            OutputFormat::Csv,
            expect![[r#"
                day,operation,requests,errors,units,bytes,duration_ms_p50,duration_ms_p95
                2026-11-21,jobSearch,38412,384,38412,57618000,41.25,1312
                2026-11-22,"say ""hi"", <b>|x|</b>
                ",7,0,7,10500,,
            "#]],
        );
    }

    #[test]
    fn json_rows_are_flat_and_keep_the_column_order() {
        check(
            &example(),
            OutputFormat::Json,
            expect![[r#"
                {
                  "by": [
                    "day",
                    "operation"
                  ],
                  "rows": [
                    {
                      "day": "2026-11-21",
                      "operation": "jobSearch",
                      "requests": 38412,
                      "errors": 384,
                      "units": 38412,
                      "bytes": 57618000,
                      "duration_ms_p50": 41.25,
                      "duration_ms_p95": 1312.0,
                      "at_least": true
                    },
                    {
                      "day": "2026-11-22",
                      "operation": "say \"hi\", <b>|x|</b>\n",
                      "requests": 7,
                      "errors": 0,
                      "units": 7,
                      "bytes": 10500,
                      "duration_ms_p50": null,
                      "duration_ms_p95": null,
                      "at_least": false
                    }
                  ],
                  "total": {
                    "requests": 38419,
                    "errors": 384,
                    "units": 38419,
                    "bytes": 57628500,
                    "duration_ms_p50": 41.25,
                    "duration_ms_p95": 1312.0,
                    "at_least": true
                  },
                  "completeness": {
                    "kind": "at_least",
                    "reasons": [
                      {
                        "since": "2026-11-21T00:00:00Z",
                        "until": "2026-11-21T23:59:00Z",
                        "what": "app.log was truncated"
                      },
                      {
                        "since": "2026-11-21T00:00:00Z",
                        "until": "2026-11-21T23:59:00Z",
                        "what": "crm.log.2.gz is damaged"
                      }
                    ]
                  }
                }
            "#]],
        );
    }

    #[test]
    fn markdown_escapes_labels_and_aligns_numbers() {
        check(
            &example(),
            OutputFormat::Markdown,
            expect![[r#"
                | day        | operation                     | requests | errors |  units |      bytes | p50 ms | p95 ms |
                |------------|-------------------------------|---------:|-------:|-------:|-----------:|-------:|-------:|
                | 2026-11-21 | jobSearch                     |  ≥38,412 |    384 | 38,412 | 57,618,000 |   41.2 |  1,312 |
                | 2026-11-22 | say "hi", \<b\>\|x\|\</b\>\\n |        7 |      0 |      7 |     10,500 |      - |      - |
                | total      |                               |  ≥38,419 |    384 | 38,419 | 57,628,500 |   41.2 |  1,312 |

                ≥ at least this many: app.log was truncated (on 2026-11-21)

                ≥ at least this many: crm.log.2.gz is damaged (on 2026-11-21)
            "#]],
        );
    }

    #[test]
    fn an_empty_report_has_its_header_or_says_so() {
        check(
            &empty(),
            OutputFormat::Table,
            expect![[r#"
            no requests
        "#]],
        );
        check(
            &empty(),
            OutputFormat::Csv,
            expect![[r#"
            day,operation,requests,errors,units,bytes,duration_ms_p50,duration_ms_p95
        "#]],
        );
        check(
            &empty(),
            OutputFormat::Json,
            expect![[r#"
                {
                  "by": [
                    "day",
                    "operation"
                  ],
                  "rows": [],
                  "total": {
                    "requests": 0,
                    "errors": 0,
                    "units": 0,
                    "bytes": 0,
                    "duration_ms_p50": null,
                    "duration_ms_p95": null,
                    "at_least": false
                  },
                  "completeness": {
                    "kind": "exact"
                  }
                }
            "#]],
        );
        check(
            &empty(),
            OutputFormat::Markdown,
            expect![[r#"
            | day | operation | requests | errors | units | bytes | p50 ms | p95 ms |
            |-----|-----------|---------:|-------:|------:|------:|-------:|-------:|
        "#]],
        );
    }

    #[test]
    fn a_report_by_nothing_is_one_row_without_a_total() {
        let report = Report {
            by: vec![],
            rows: vec![row(&[], 5, None)],
            total: row(&[], 5, None),
            completeness: Completeness::Exact,
        };
        check(
            &report,
            OutputFormat::Table,
            expect![[r#"
                requests  errors  units  bytes  p50 ms  p95 ms
                ───────────────────────────────────────────────
                       5       0      5  7,500       -       -
            "#]],
        );
        check(
            &report,
            OutputFormat::Csv,
            expect![[r#"
            requests,errors,units,bytes,duration_ms_p50,duration_ms_p95
            5,0,5,7500,,
        "#]],
        );
    }
}

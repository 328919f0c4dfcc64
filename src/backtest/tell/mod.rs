//! Figures become text: a table for people, JSON and CSV for programs.
//! Nothing here computes a figure.

mod csv;
mod fired;
mod json;
mod table;

pub use csv::csv;
pub use fired::{fired_csv, fired_json, fired_table};
pub use json::json;
pub use table::table;

use std::ops::Range;

use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};

/// Rows below a header; the columns of numbers are right.
fn grid(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>, numbers: Range<usize>) -> String {
    let mut table = Table::new();
    table.load_style(TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─')));
    table.set_header(header);
    rows.into_iter().for_each(|row| {
        table.add_row(row);
    });
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    for column in table.column_iter_mut().take(numbers.end).skip(numbers.start) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// To one place; what is undefined is a dash.
fn tenths(figure: Option<f64>) -> String {
    figure.map_or("-".to_owned(), |figure| format!("{figure:.1}"))
}

/// A fraction in percent.
fn percent(fraction: Option<f64>) -> String {
    tenths(fraction.map(|fraction| fraction * 100.0))
}

fn whole(figure: Option<f64>) -> String {
    figure.map_or("-".to_owned(), |figure| crate::publish::text::thousands(figure.max(0.0).round() as u64))
}

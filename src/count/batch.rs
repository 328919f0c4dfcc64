//! The one schema; decoded columns become a DataFrame grouped by minute and series.

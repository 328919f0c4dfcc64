//! One finished day becomes its summary: the ledger is asked, the forecasts of that day are replayed, the
//! two files are written. This file never counts logs, and reads no clock.

use std::collections::BTreeMap;

use chrono_tz::Tz;

use crate::config::Config;
use crate::count::ledger::Ledger;
use crate::count::query::{self, By, Query, Report, Row};
use crate::day::{Day, Minute};
use crate::publish::summary;
use crate::quota::{Column, Match};
use crate::usage::history_span;

//! What a response said of its quota, where the source maps it: `quota_used`, `quota_remaining`, `quota_limit`,
//! `quota_reset`. What cannot be meant is left out, and the line counts as it would without.
//! This file never keeps a text of the line.

use chrono::{DateTime, TimeDelta, Utc};

use super::field::{Field, Rank, Unit};
use super::mapping::Mapping;
use super::value::{self, Scalar};
use crate::collect::observed::Observation;
use crate::collect::request::{Decoded, unpack};
use crate::day::Minute;

/// More units than these no quota has: it is a stamp, or nonsense.
const UNITS_MAX: u64 = value::UNITS_MAX;
/// No window is longer than a month of 31 days and its zone's hours; a number up to this counts seconds until the reset.
const UNTIL_SECONDS_MAX: i64 = 32 * 86_400;
/// From here on a number counts seconds since 1970 (2001), and from the second on milliseconds (5138 in seconds).
const EPOCH_SECONDS_MIN: u64 = 1_000_000_000;
const EPOCH_MILLIS_MIN: u64 = 100_000_000_000;

/// Listens to lines of a source that maps what servers say. Where none is mapped there is no observer, and lines cost
/// nothing for it.
#[derive(Default)]
pub struct Observer {
    line: Said,
}

/// Of each field, the first usable value.
#[derive(Clone, Copy, Default)]
struct Said {
    used: Option<u64>,
    remaining: Option<u64>,
    limit: Option<u64>,
    /// The limit that stands behind what is used: `10018/100000`.
    limit_beside: Option<u64>,
    reset: Option<Reset>,
}

/// When the window ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Reset {
    At(DateTime<Utc>),
    InSeconds(i64),
}

impl Observer {
    pub fn of(mapping: Option<&Mapping>) -> Option<Observer> {
        mapping.filter(|mapping| mapping.observes()).map(|_| Observer::default())
    }

    /// Hear the measures of a line, in order of preference.
    pub fn hear<'a>(&mut self, values: impl Iterator<Item = (Rank, Scalar<'a>)>) {
        let mut said = Said::default();
        values.for_each(|(rank, value)| said.take(rank.field, value));
        self.line = said;
    }

    /// The line at hand is accounted for: it is a request if there are more rows now than `before`.
    pub fn note(&mut self, before: usize, decoded: &mut Decoded) {
        let said = std::mem::take(&mut self.line);
        if decoded.rows.len() <= before {
            return;
        }
        let Some((minute, series)) = decoded.rows.key.last().map(|key| unpack(*key)) else { return };
        if let Some(observation) = said.at(minute) {
            decoded.heard.note(series, observation);
        }
    }
}

impl Said {
    fn take(&mut self, field: Field, value: Scalar<'_>) {
        match field {
            Field::QuotaUsed if self.used.is_none() => match used_of_limit(value) {
                Some((used, limit)) => (self.used, self.limit_beside) = (units(used), units(limit)),
                None => self.used = count(value),
            },
            Field::QuotaRemaining => self.remaining = self.remaining.or_else(|| count(value)),
            Field::QuotaLimit => self.limit = self.limit.or_else(|| count(value)),
            Field::QuotaReset => self.reset = self.reset.or_else(|| reset(value)),
            _ => {}
        }
    }

    /// `None` where nothing was said.
    fn at(&self, minute: Minute) -> Option<Observation> {
        let limit = self.limit.or(self.limit_beside).filter(|limit| *limit > 0);
        let resets_at = self.reset.and_then(|reset| resets_at(reset, minute));
        let Said { used, remaining, .. } = *self;
        let says = used.or(remaining).or(limit).is_some() || resets_at.is_some();
        says.then_some(Observation { minute, used, remaining, limit, resets_at })
    }
}

fn count(value: Scalar<'_>) -> Option<u64> {
    match value {
        Scalar::Text(text) => units(value::count(Scalar::Text(text.trim_ascii()))?),
        Scalar::Whole(_) | Scalar::Number(_) => units(value::count(value)?),
    }
}

fn units(count: u64) -> Option<u64> {
    (count <= UNITS_MAX).then_some(count)
}

/// `10018/100000`, `api-usage=10018/100000`, and the first of several in a row.
fn used_of_limit(value: Scalar<'_>) -> Option<(u64, u64)> {
    let Scalar::Text(text) = value else { return None };
    let slash = memchr::memchr(b'/', text)?;
    let (before, behind) = (&text[..slash], &text[slash + 1..]);
    let start = before.iter().rposition(|byte| !byte.is_ascii_digit()).map_or(0, |at| at + 1);
    let end = behind.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(behind.len());
    let stands_alone = matches!(before[..start].last(), None | Some(b'=' | b' '))
        && matches!(behind.get(end), None | Some(b';' | b',' | b' '));
    let number = |digits| value::count(Scalar::Text(digits));
    stands_alone.then_some(())?;
    Some((number(&before[start..])?, number(&behind[..end])?))
}

/// By its size and shape: seconds until the reset, seconds or milliseconds since 1970, RFC 3339, or a duration as `6m0s`.
fn reset(value: Scalar<'_>) -> Option<Reset> {
    let number = match value {
        Scalar::Whole(number) => number,
        // Seconds with a fraction end within the second; `as` holds what is negative or no number at 0.
        Scalar::Number(number) if number >= 0.0 => number.ceil() as u64,
        Scalar::Number(_) => return None,
        Scalar::Text(text) => return written_reset(std::str::from_utf8(text).ok()?.trim()),
    };
    numbered_reset(number)
}

fn numbered_reset(number: u64) -> Option<Reset> {
    let whole = i64::try_from(number).ok()?;
    match number {
        0..EPOCH_SECONDS_MIN => (whole <= UNTIL_SECONDS_MAX).then_some(Reset::InSeconds(whole)),
        EPOCH_SECONDS_MIN..EPOCH_MILLIS_MIN => DateTime::from_timestamp(whole, 0).map(Reset::At),
        EPOCH_MILLIS_MIN.. => DateTime::from_timestamp_millis(whole).map(Reset::At),
    }
}

fn written_reset(text: &str) -> Option<Reset> {
    if let Ok(number) = text.parse::<f64>() {
        return reset(Scalar::Number(number));
    }
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Some(Reset::At(instant.to_utc()));
    }
    let seconds = value::written_duration(text, Unit::Seconds)? / 1e3;
    numbered_reset(seconds.ceil() as u64).filter(|reset| matches!(reset, Reset::InSeconds(_)))
}

/// The instant, if it can be the end of a window that this minute lies in.
fn resets_at(reset: Reset, minute: Minute) -> Option<DateTime<Utc>> {
    let start = minute.start();
    let at = match reset {
        Reset::At(at) => at,
        // Of the stamp only its minute is kept: resets are at whole minutes, so the next one is meant.
        Reset::InSeconds(seconds) => Minute::at(start + TimeDelta::seconds(seconds + 59)).start(),
    };
    let ahead = (at - start).num_seconds();
    // A clock may go wrong by some minutes, and then the window has just ended.
    (-3_600..=UNTIL_SECONDS_MAX).contains(&ahead).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::super::Decoder;
    use super::super::tests::from_zero;
    use super::*;
    use crate::collect::observed::Observed;
    use crate::collect::{Format, Reading};

    fn reading(format: &str, fields: &[(&str, &str)], pattern: Option<&str>) -> Reading {
        let fields = fields.iter().map(|(name, place)| ((*name).to_owned(), (*place).to_owned())).collect();
        let mapping = Mapping { fields, pattern: pattern.map(ToOwned::to_owned), ..Mapping::default() };
        let format: Format = format.parse().expect("a format");
        let mapping = mapping.checked(Some(format)).expect("a mapping");
        Reading { format: Some(format), mapping, ..Reading::unsettled(chrono_tz::Tz::UTC) }
    }

    const ALL: [(&str, &str); 4] = [
        ("quota_used", "/h/x-used"),
        ("quota_remaining", "/h/x-remaining"),
        ("quota_limit", "/h/x-limit"),
        ("quota_reset", "/h/x-reset"),
    ];

    /// What is heard of these lines, and how many of them count; read by templates and without, which must agree.
    fn heard(reading: &Reading, text: &str) -> (Vec<Observation>, u64) {
        let [templates, parser] = [true, false].map(|learns| {
            let mut decoder = Decoder::reading(reading, "stem", learns);
            let mut decoded = Decoded::default();
            decoder.decode(text.as_bytes(), &from_zero(text.as_bytes()), &mut decoded);
            let mut observed = Observed::default();
            observed.take_from(&mut decoded.heard, &decoded.series);
            (observed.iter().map(|(_, observation)| observation).collect::<Vec<_>>(), decoded.lines.counted)
        });
        assert_eq!(templates, parser, "{text}");
        templates
    }

    fn line(at: &str, headers: &str) -> String {
        format!("{{\"time\":\"2026-11-22T{at}Z\",\"method\":\"GET\",\"path\":\"/a\",\"status\":200,\"h\":{headers}}}\n")
    }

    /// `used remaining limit reset`, of the last minute heard.
    fn told(headers: &str) -> String {
        let (heard, counted) = heard(&reading("json", &ALL, None), &line("14:03:20", headers));
        assert_eq!(counted, 1, "{headers}");
        let Some(Observation { minute, used, remaining, limit, resets_at }) = heard.first().copied() else {
            return "nothing".to_owned();
        };
        assert_eq!(minute.start().to_rfc3339(), "2026-11-22T14:03:00+00:00");
        let number = |of: Option<u64>| of.map_or("-".to_owned(), |of| of.to_string());
        let reset = resets_at.map_or("-".to_owned(), |at| at.format("%d %H:%M:%S").to_string());
        format!("{} {} {} {reset}", number(used), number(remaining), number(limit))
    }

    #[test]
    fn numbers_and_texts_say_the_same() {
        for (headers, expected) in [
            (r#"{"x-used":10018,"x-remaining":89982,"x-limit":100000}"#, "10018 89982 100000 -"),
            (r#"{"x-used":"10018","x-remaining":" 89982","x-limit":"100000"}"#, "10018 89982 100000 -"),
            (r#"{"X_Used":5}"#, "5 - - -"),
            (r#"{"x-used":"10018/100000"}"#, "10018 - 100000 -"),
            (r#"{"x-used":"api-usage=10018/100000"}"#, "10018 - 100000 -"),
            (r#"{"x-used":"api-usage=25/5000; per-app-api-usage=17/250(appName=sample)"}"#, "25 - 5000 -"),
            (r#"{"x-used":"25/5000","x-limit":4000}"#, "25 - 4000 -"),
            (r#"{"x-used":0}"#, "0 - - -"),
        ] {
            assert_eq!(told(headers), expected, "{headers}");
        }
    }

    #[test]
    fn a_reset_is_told_by_its_size_and_shape() {
        for (reset, expected) in [
            // 2026-11-23T00:00:00Z
            ("1795392000", "23 00:00:00"),
            ("\"1795392000\"", "23 00:00:00"),
            ("1795392000000", "23 00:00:00"),
            ("1795392000.0", "23 00:00:00"),
            ("\"2026-11-23T00:00:00+00:00\"", "23 00:00:00"),
            ("\"2026-11-22T16:00:00-08:00\"", "23 00:00:00"),
            // 35,800 seconds after 14:03:20
            ("35800", "23 00:00:00"),
            ("\"35800\"", "23 00:00:00"),
            ("\"9h56m40s\"", "23 00:00:00"),
            ("35799.5", "23 00:00:00"),
            // A window cannot end then.
            ("99999999", "-"),
            ("1000000000", "-"),
            ("1895392000", "-"),
            ("99999999999999999", "-"),
            ("-5", "-"),
            ("1e300", "-"),
            ("\"NaN\"", "-"),
            ("\"inf\"", "-"),
            ("\"soon\"", "-"),
            ("\"\"", "-"),
            ("null", "-"),
            ("true", "-"),
        ] {
            assert_eq!(told(&format!("{{\"x-used\":1,\"x-reset\":{reset}}}")), format!("1 - - {expected}"), "{reset}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_left_out_and_the_line_counts() {
        for value in [
            "2e999",
            "-1",
            "1.5",
            "\"NaN\"",
            "\"-3\"",
            "1e40",
            "9999999999999999",
            "\"many\"",
            "\"\"",
            "null",
            "true",
            "[7]",
            "{\"x-used\":7}",
            "\"1/\"",
            "\"/2\"",
            "\"2026/11/22\"",
            "\"a1/2\"",
            "\"1/2b\"",
            "\"99999999999999999999999/5\"",
        ] {
            assert_eq!(told(&format!("{{\"x-used\":{value}}}")), "nothing", "{value}");
        }
        assert_eq!(told(r#"{"x-limit":0}"#), "nothing");
    }

    #[test]
    fn of_a_minute_the_most_that_was_used_is_heard_and_of_minutes_the_last() {
        let json = reading("json", &ALL, None);
        // So many that templates are learned.
        let used = |second: u64| {
            line(
                &format!("14:{:02}:{:02}", second / 60, second % 60),
                &format!("{{\"x-used\":{second},\"x-remaining\":{}}}", 500 - second),
            )
        };
        let text: String = (0..150).map(used).collect::<String>() + &used(147) + &used(80);
        let (heard, counted) = heard(&json, &text);
        assert_eq!(counted, 152);
        let last = heard.first().expect("heard");
        assert_eq!(
            (last.minute.start().to_rfc3339().as_str(), last.used, last.remaining),
            ("2026-11-22T14:02:00+00:00", Some(149), Some(351))
        );
    }

    #[test]
    fn logfmt_and_patterns_hear_it_too() {
        let logfmt = reading("logfmt", &[("quota_remaining", "/ratelimit_remaining")], None);
        let text = "time=2026-11-22T14:03:00Z method=GET path=/a status=200 ratelimit_remaining=7\n";
        assert_eq!(heard(&logfmt, text).0.first().and_then(|of| of.remaining), Some(7));
        let pattern = r"^(?<time>\S+) (?<method>[A-Z]+) (?<url>\S+) (?<status>\d+) left=(?<quota_remaining>\S+)";
        let regex = reading("regex", &[], Some(pattern));
        let (heard, counted) =
            heard(&regex, "2026-11-22T14:03:00Z GET /a 200 left=7\n2026-11-22T14:03:00Z GET /a 200 left=lots\n");
        assert_eq!((heard.first().and_then(|of| of.remaining), counted), (Some(7), 2));
    }

    proptest::proptest! {
        /// Whatever stands in a mapped place, the request counts as it does without.
        #[test]
        fn no_value_changes_what_is_counted(used in ANY, reset in ANY) {
            let text = line("14:03:20", &format!("{{\"x-used\":{used},\"x-reset\":{reset}}}"));
            let unmapped = Reading { mapping: None, ..reading("json", &ALL, None) };
            let [one, other] = [reading("json", &ALL, None), unmapped].map(|reading| rows(&reading, &text));
            proptest::prop_assert_eq!(one, other);
        }
    }

    const ANY: &str = "-?[0-9]{1,25}(\\.[0-9]{1,4})?(e[0-9]{1,3})?|\"[0-9a-zA-Z:/=;. +-]{0,24}\"|\"[0-9]{1,12}/[0-9]{1,12}\"|null|true|\\[1\\]|\\{\\}";

    fn rows(reading: &Reading, text: &str) -> String {
        super::super::tests::one(&super::super::tests::decode(reading, text))
    }

    #[test]
    fn a_line_that_is_no_request_says_nothing_of_a_quota() {
        let json = reading("json", &ALL, None);
        let text = "{\"time\":\"2026-11-22T14:03:00Z\",\"msg\":\"cache\",\"h\":{\"x-used\":7}}\n";
        assert_eq!(heard(&json, text), (vec![], 0));
        let unread = "{\"time\":\"when?\",\"method\":\"GET\",\"path\":\"/a\",\"status\":200,\"h\":{\"x-used\":7}}\n";
        assert_eq!(heard(&json, &(unread.to_owned() + text)), (vec![], 0));
    }

    /// More measures than a line of text has places for: none that counts may be lost for them.
    #[test]
    fn a_stamp_finds_its_place_behind_all_that_a_server_says() {
        let names = ["quota_used", "quota_remaining", "quota_limit", "quota_reset"];
        let logfmt = reading(
            "logfmt",
            &names
                .map(|name| (name, ["/q1", "/q2", "/q3", "/q4"][names.iter().position(|of| *of == name).unwrap_or(0)])),
            None,
        );
        let text = "q1=1 q2=2 q3=3 q4=4 bytes=1 size=2 length=3 response_size=4 bytes_sent=5 duration=6 units=7 method=GET path=/a status=200 time=2026-11-22T14:03:00Z\n";
        assert_eq!(heard(&logfmt, text).1, 1);
    }

    #[test]
    fn without_a_mapping_nobody_listens() {
        let json = Reading { format: Some(Format::JSON), ..Reading::unsettled(chrono_tz::Tz::UTC) };
        assert!(Observer::of(json.mapping.as_deref()).is_none());
        assert_eq!(heard(&json, &line("14:03:20", r#"{"x-used":1,"quota_used":2}"#)), (vec![], 1));
    }
}

//! Numbers, shares, durations and instants as people read them; the same everywhere.
//! This file knows nothing of quotas or reports.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

/// 40000 -> `40,000`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// 33850 -> `33.9k`: three digits at most, for where space is short.
pub fn compact(number: u64) -> String {
    let unit = Unit::of(number);
    unit.tenths(number) + unit.suffix
}

/// 31020 and 36700 -> `31-37k`: a band in the upper end's unit.
pub fn compact_band(low: u64, high: u64) -> String {
    let unit = Unit::of(high);
    if unit.divisor > 1 && high / unit.divisor < 10 {
        return format!("{}-{}{}", unit.tenths(low), unit.tenths(high), unit.suffix);
    }
    format!("{}-{}{}", unit.whole(low), unit.whole(high), unit.suffix)
}

struct Unit {
    divisor: u64,
    suffix: &'static str,
}

impl Unit {
    const ALL: [Unit; 4] = [
        Unit { divisor: 1, suffix: "" },
        Unit { divisor: 1_000, suffix: "k" },
        Unit { divisor: 1_000_000, suffix: "M" },
        Unit { divisor: 1_000_000_000, suffix: "G" },
    ];

    /// The largest unit that the number fills once it is rounded to it: 999,960 is 1.0M, not 1000.0k.
    fn of(number: u64) -> &'static Unit {
        let fills = |unit: &&Unit| number.saturating_add(unit.divisor / 20_000) >= unit.divisor;
        Unit::ALL.iter().rev().find(fills).unwrap_or(&Unit::ALL[0])
    }

    fn whole(&self, number: u64) -> String {
        thousands(number.saturating_add(self.divisor / 2) / self.divisor)
    }

    fn tenths(&self, number: u64) -> String {
        if self.divisor == 1 {
            return number.to_string();
        }
        let tenths = number.saturating_add(self.divisor / 20) / (self.divisor / 10);
        format!("{}.{}", thousands(tenths / 10), tenths % 10)
    }
}

/// 12345 of 40000 -> `31 %`; 100 % only when all of it is used.
pub fn percent(part: u64, whole: u64) -> String {
    let nearest = share(part, whole, 1_000).saturating_add(5) / 10;
    format!("{} %", thousands(if part < whole { nearest.min(99) } else { nearest }))
}

/// A probability -> `2 %`. Only what is certain is called 0 or 100 %.
pub fn likelihood(probability: f64) -> String {
    match probability {
        p if p.is_nan() => "unknown".into(),
        p if p > 0.0 && p < 0.01 => "under 1 %".into(),
        p if p > 0.99 && p < 1.0 => "over 99 %".into(),
        p => format!("{:.0} %", p.clamp(0.0, 1.0) * 100.0),
    }
}

/// `######..............`: how much of the whole the part is, in this many characters.
pub fn bar(part: u64, whole: u64, width: u64) -> String {
    let filled = share(part, whole, width).min(width);
    (0..width).map(|place| if place < filled { '#' } else { '.' }).collect()
}

fn share(part: u64, whole: u64, of: u64) -> u64 {
    let scaled = u128::from(part) * u128::from(of) / u128::from(whole.max(1));
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

/// 41.27 -> `41.3`, 1312.4 -> `1,312`: from 100 ms on, tenths say nothing.
pub fn milliseconds(ms: f64) -> String {
    // A duration in milliseconds fits; `as` would hold one that does not at the end of the range.
    if ms < 100.0 { format!("{ms:.1}") } else { thousands(ms.round() as u64) }
}

/// `9 h 30 min`, `2 d 3 h`, `12 s`: the two largest units, rounded down.
pub fn duration(span: TimeDelta) -> String {
    let seconds = span.num_seconds().max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => format!("{hours} h {minutes:02} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// `2026-11-22 16:45 PST`.
pub fn instant(instant: DateTime<Utc>, zone: &str) -> String {
    instant.with_timezone(&zone_or_utc(zone)).format("%Y-%m-%d %H:%M %Z").to_string()
}

/// `16:45 PST`.
pub fn clock(instant: DateTime<Utc>, zone: &str) -> String {
    instant.with_timezone(&zone_or_utc(zone)).format("%H:%M %Z").to_string()
}

/// The configuration has checked the name; should one get past it, UTC is still the right instant.
fn zone_or_utc(zone: &str) -> Tz {
    zone.parse().unwrap_or(Tz::UTC)
}

/// Text from a log, made safe to print: control characters are spelled out (`\n`, `\u{1b}`), so that a
/// log line can neither break a layout nor talk to a terminal.
pub fn printable(text: &str) -> String {
    let mut printed = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            printed.extend(character.escape_default());
        } else {
            printed.push(character);
        }
    }
    printed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (40_000, "40,000"), (1_234_567, "1,234,567")] {
            assert_eq!(thousands(number), text);
        }
        assert_eq!(thousands(u64::MAX), "18,446,744,073,709,551,615");
    }

    #[test]
    fn compact_numbers_round_to_a_tenth_of_their_unit() {
        let numbers =
            [(0, "0"), (999, "999"), (1_000, "1.0k"), (33_850, "33.9k"), (999_949, "999.9k"), (999_960, "1.0M")];
        for (number, text) in numbers {
            assert_eq!(compact(number), text);
        }
        assert_eq!(compact(2_500_000_000), "2.5G");
    }

    #[test]
    fn a_band_has_the_unit_of_its_upper_end() {
        assert_eq!(compact_band(31_020, 36_700), "31-37k");
        assert_eq!(compact_band(950, 1_240), "1.0-1.2k");
        assert_eq!(compact_band(3, 12), "3-12");
        assert_eq!(compact_band(0, 0), "0-0");
    }

    #[test]
    fn a_percentage_is_rounded_but_reaches_100_only_when_all_is_used() {
        assert_eq!(percent(12_345, 40_000), "31 %");
        assert_eq!(percent(39_999, 40_000), "99 %");
        assert_eq!(percent(40_000, 40_000), "100 %");
        assert_eq!(percent(80_000, 40_000), "200 %");
        assert_eq!(percent(1, 0), "100 %");
    }

    #[test]
    fn only_a_certainty_is_called_certain() {
        let words = [
            (0.0, "0 %"),
            (0.004, "under 1 %"),
            (0.5, "50 %"),
            (0.996, "over 99 %"),
            (1.0, "100 %"),
            (f64::NAN, "unknown"),
        ];
        for (probability, text) in words {
            assert_eq!(likelihood(probability), text);
        }
    }

    #[test]
    fn a_bar_never_grows_beyond_its_width() {
        assert_eq!(bar(1, 4, 8), "##......");
        assert_eq!(bar(9, 4, 4), "####");
        assert_eq!(bar(u64::MAX, 1, 2), "##");
    }

    #[test]
    fn durations_show_two_units() {
        for (seconds, text) in [(-5, "0 s"), (59, "59 s"), (60, "1 min"), (34_200, "9 h 30 min"), (183_600, "2 d 3 h")]
        {
            assert_eq!(duration(TimeDelta::seconds(seconds)), text);
        }
    }

    #[test]
    fn instants_name_their_zone() {
        let at = DateTime::from_timestamp(1_795_390_200, 0).expect("an instant");
        assert_eq!(instant(at, "Europe/Berlin"), "2026-11-23 00:30 CET");
        assert_eq!(clock(at, "UTC"), "23:30 UTC");
        assert_eq!(clock(at, "No/Where"), "23:30 UTC");
    }

    #[test]
    fn milliseconds_lose_their_tenths_where_those_say_nothing() {
        for (ms, text) in [
            (0.04, "0.0"),
            (41.27, "41.3"),
            (99.99, "100.0"),
            (1_312.4, "1,312"),
            (f64::INFINITY, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(milliseconds(ms), text);
        }
    }

    #[test]
    fn control_characters_are_spelled_out() {
        assert_eq!(printable("a\nb\u{1b}[31m\u{7f}é"), "a\\nb\\u{1b}[31m\\u{7f}é");
    }
}

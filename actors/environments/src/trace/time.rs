//! The time of a row: `YYYY-MM-DD HH:MM:SS` and its ISO 8601 relatives, or Unix seconds.
//!
//! Times without an offset are taken as UTC; only differences between rows matter here.

/// What is read, for messages.
pub(super) const EXPECTED: &str = "YYYY-MM-DD HH:MM:SS, ISO 8601 or Unix seconds";
/// Largest Unix time, in seconds (the year 5138); milliseconds by mistake are beyond it.
const MAX_UNIX_SECONDS: f64 = 1e11;
const SECONDS_PER_DAY: i64 = 86_400;

/// Microseconds since 1970-01-01 00:00:00 UTC, or none if the text is not a time.
pub fn parse_micros(text: &str) -> Option<i64> {
    calendar(text).or_else(|| unix(text))
}

/// As [`parse_micros`], of calendar times only: a plain number is not one.
pub(super) fn calendar(text: &str) -> Option<i64> {
    let (date, rest) = (text.get(..10)?, text.get(10..)?);
    let day_seconds = days(date)? * SECONDS_PER_DAY;
    if rest.is_empty() {
        return Some(day_seconds * 1_000_000);
    }
    let clock = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, offset_seconds) = split_offset(clock)?;
    Some((day_seconds - offset_seconds) * 1_000_000 + clock_micros(clock)?)
}

fn unix(text: &str) -> Option<i64> {
    let seconds: f64 = text.parse().ok()?;
    (seconds.abs() <= MAX_UNIX_SECONDS).then_some((seconds * 1e6).round() as i64)
}

/// Days since 1970-01-01 of `YYYY-MM-DD` in the Gregorian calendar (H. Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms", `days_from_civil`).
fn days(date: &str) -> Option<i64> {
    let bytes = date.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let (year, month, day) = (digits(&date[..4])?, digits(&date[5..7])?, digits(&date[8..])?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    // The year begins in March, so that the leap day is its last.
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// Splits `Z`, `+HH`, `+HHMM` or `+HH:MM` off the end; the offset is in seconds east of UTC.
fn split_offset(clock: &str) -> Option<(&str, i64)> {
    if let Some(clock) = clock.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let Some(at) = clock.rfind(['+', '-']) else {
        return Some((clock, 0));
    };
    let sign = if clock.as_bytes()[at] == b'+' { 1 } else { -1 };
    let offset = &clock[at + 1..];
    let (hours, minutes) = match offset.len() {
        2 => (digits(offset)?, 0),
        4 => (digits(offset.get(..2)?)?, digits(offset.get(2..)?)?),
        5 => {
            let (hours, minutes) = offset.split_once(':')?;
            (digits(hours)?, digits(minutes)?)
        }
        _ => return None,
    };
    (hours <= 23 && minutes <= 59).then_some((clock[..at].trim_end(), sign * (hours * 3600 + minutes * 60)))
}

/// Microseconds into the day of `HH:MM`, `HH:MM:SS` or `HH:MM:SS.fraction`.
fn clock_micros(clock: &str) -> Option<i64> {
    let mut parts = clock.splitn(3, ':');
    let hour = digits(parts.next().filter(|text| text.len() == 2)?)?;
    let minute = digits(parts.next().filter(|text| text.len() == 2)?)?;
    let (second, micros) = match parts.next() {
        None => (0, 0),
        Some(text) => {
            let (second, fraction) = text.split_once(['.', ',']).unwrap_or((text, "0"));
            (
                digits(second).filter(|_| second.len() == 2)?,
                fraction_micros(fraction)?,
            )
        }
    };
    // 60 is a leap second.
    (hour <= 23 && minute <= 59 && second <= 60).then_some((hour * 3600 + minute * 60 + second) * 1_000_000 + micros)
}

fn fraction_micros(fraction: &str) -> Option<i64> {
    if fraction.len() > 18 {
        return None;
    }
    digits(fraction)?;
    let mut micros = 0;
    for place in 0..6 {
        let digit = fraction.as_bytes().get(place).map_or(0, |byte| i64::from(byte - b'0'));
        micros = micros * 10 + digit;
    }
    Some(micros)
}

/// A number of 1 to 18 digits and nothing else.
fn digits(text: &str) -> Option<i64> {
    let plain = (1..=18).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_one_instant_is_the_same() {
        // `date -u -d '2013-07-04 05:06:07' +%s` says 1372914367.
        for text in [
            "2013-07-04 05:06:07",
            "2013-07-04T05:06:07Z",
            "2013-07-04t05:06:07.000",
            "2013-07-04T07:06:07+02:00",
            "2013-07-04 07:06:07 +0200",
            "2013-07-03T21:06:07-08",
            "1372914367",
            "1372914367.0",
            "1.372914367e9",
        ] {
            assert_eq!(parse_micros(text), Some(1_372_914_367_000_000), "{text}");
        }
        assert_eq!(parse_micros("2013-07-04 05:06:07.25"), Some(1_372_914_367_250_000));
        assert_eq!(parse_micros("2013-07-04 05:06:07,1234567"), Some(1_372_914_367_123_456));
        assert_eq!(parse_micros("2013-07-04 05:06"), Some(1_372_914_360_000_000));
        assert_eq!(parse_micros("2013-07-04"), Some(1_372_896_000_000_000));
    }

    #[test]
    fn the_calendar_is_gregorian() {
        // Days from `date -u -d DATE +%s` divided by 86,400.
        for (date, expected) in [
            ("1970-01-01", 0),
            ("1969-12-31", -1),
            ("2000-02-29", 11_016),
            ("2000-03-01", 11_017),
            ("2024-12-31", 20_088),
            ("0001-01-01", -719_162),
        ] {
            assert_eq!(calendar(date), Some(expected * 86_400_000_000), "{date}");
        }
    }

    #[test]
    fn what_is_not_a_time_is_none() {
        for text in [
            "",
            "now",
            "2013-7-4",
            "2013-13-01",
            "2013-02-29",
            "1900-02-29",
            "2013-07-04 24:00:00",
            "2013-07-04 05:60",
            "2013-07-04 5:06:07",
            "2013-07-04 05:06:07.",
            "2013-07-04 05:06:07+1",
            "2013-07-04x05:06:07",
            "1372914367000",
            "inf",
            "nan",
            "2013-07-0é",
        ] {
            assert_eq!(parse_micros(text), None, "{text}");
        }
    }
}

//! Requests for this folder's tests, in a few words each.

use proptest::prelude::*;

use crate::collect::request::{Bucket, Decoded, Series, pack};
use crate::day::Minute;

/// One request; the rest of its labels are fixed.
#[derive(Clone, Debug)]
pub struct Sample {
    pub minute: Minute,
    pub service: &'static str,
    pub operation: &'static str,
    pub status: Option<u16>,
    pub units: u64,
    pub bytes: u64,
    /// Whole milliseconds, so that sums are exact in any order.
    pub duration_ms: Option<u32>,
}

pub fn minute(text: &str) -> Minute {
    Minute::at(text.parse().expect("an instant"))
}

pub fn sample(at: &str, operation: &'static str, status: u16, units: u64) -> Sample {
    let duration_ms = Some(100);
    Sample { minute: minute(at), service: "web", operation, status: Some(status), units, bytes: 10, duration_ms }
}

impl Sample {
    pub fn series(&self) -> Series {
        Series {
            service: self.service.into(),
            key: "prod".into(),
            api: "api.example".into(),
            method: "GET".into(),
            operation: self.operation.into(),
            status: self.status,
            duration: self.duration_ms.and_then(|ms| Bucket::of_ms(f64::from(ms))),
        }
    }
}

pub fn decoded(samples: &[Sample]) -> Decoded {
    let mut decoded = Decoded::default();
    push(&mut decoded, samples);
    decoded
}

/// Add rows to a worker's, as its next chunk would.
pub fn push(decoded: &mut Decoded, samples: &[Sample]) {
    for sample in samples {
        let id = decoded.series.id(sample.series());
        decoded.rows.key.push(pack(sample.minute, id));
        decoded.rows.start.push(0);
        decoded.rows.units.push(sample.units);
        decoded.rows.bytes.push(sample.bytes);
        decoded.rows.duration_ms.push(f64::from(sample.duration_ms.unwrap_or(0)));
    }
}

/// Requests of three days, few minutes, few labels: so that many fall together.
pub fn any_samples() -> impl Strategy<Value = Vec<Sample>> {
    let minute = (0_u32..3, 0_u32..4).prop_map(|(day, minute)| Minute(29_000_000 + day * 1440 + minute * 347));
    let status = prop_oneof![Just(None), Just(Some(200)), Just(Some(404)), Just(Some(503))];
    let service = prop_oneof![Just("web"), Just("worker")];
    let operation = prop_oneof![Just("/orders"), Just("/orders/:id"), Just("Größe"), Just("")];
    let duration = prop_oneof![Just(None), (0_u32..5000).prop_map(Some)];
    let fields = (minute, service, operation, status, 0_u64..20, 0_u64..5000, duration);
    let sample = fields.prop_map(|(minute, service, operation, status, units, bytes, duration_ms)| Sample {
        minute,
        service,
        operation,
        status,
        units,
        bytes,
        duration_ms,
    });
    prop::collection::vec(sample, 0..60)
}

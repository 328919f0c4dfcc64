//! The keys of the dialects daycap reads, as data: which key says what, in which unit, in which order.
//! This file never looks at a line.
//!
//! Keys are written as [`super::field::push_key`] compares them: lower case, without `_` and `-`, nested ones dotted. To
//! teach daycap a dialect, add rows here and, where its keys alone do not say all, in [`super::dialect`].

use std::sync::LazyLock;

use super::field::{Field, Unit};

/// One key that says one thing. Among those of a field that a line has, the first one usable counts.
#[derive(Clone, Copy, Debug)]
pub struct Alias {
    pub field: Field,
    pub unit: Unit,
    pub key: &'static str,
}

/// Every alias, those of a field in order of preference.
pub static ALIASES: LazyLock<Vec<Alias>> = LazyLock::new(|| {
    let rows = |(field, unit, keys): &(Field, Unit, &'static str)| {
        let (field, unit) = (*field, *unit);
        keys.split_ascii_whitespace().map(move |key| Alias { field, unit, key }).collect::<Vec<_>>()
    };
    TABLES.iter().flat_map(rows).collect()
});

/// Of neither a duration nor a time; it is not looked at.
const NO_UNIT: Unit = Unit::Millis;

const TABLES: [(Field, Unit, &str); 23] = [
    (
        Field::Time,
        Unit::Guess,
        "time timestamp @timestamp ts @t record.time.timestamp record.time.repr asctime datetime date timeiso8601 \
         timelocal msec starttime startutc startlocal eventtime timeunixnano starttimeunixnano realtimetimestamp \
         startedat created timemillis instant.epochsecond timestampseconds receivetimestamp",
    ),
    (
        Field::Method,
        NO_UNIT,
        "method http.request.method http.method req.method request.method requestmethod httpmethod httprequestmethod \
         httprequest.requestmethod config.method response.config.method verb",
    ),
    (
        Field::Url,
        NO_UNIT,
        "url url.full urlfull http.url httpurl fullurl requesturl request.url httprequest.requesturl url.original \
         originalurl req.originalurl req.url uri request.uri req.uri requesturi requesteduri config.url \
         response.config.url http.target httptarget path url.path urlpath http.path req.path request.path requestpath \
         endpoint",
    ),
    // `POST /graphql HTTP/1.1`: nginx's `$request`, and what logback-access calls `requested_url`.
    (Field::Request, NO_UNIT, "request requestline requestedurl"),
    (Field::Route, NO_UNIT, "url.template urltemplate http.route httproute route"),
    (
        Field::Host,
        NO_UNIT,
        "server.address serveraddress url.domain http.host httphost net.peer.name netpeername requesthost requestaddr \
         request.host req.host req.hostname request.hostname request.origin authority vhost req.headers.host \
         request.headers.host config.baseurl response.config.baseurl baseurl host",
    ),
    (
        Field::Status,
        NO_UNIT,
        "status statuscode http.response.statuscode httpresponsestatuscode http.statuscode httpstatus httpstatuscode \
         res.statuscode res.status response.status response.statuscode responsestatus responsecode downstreamstatus \
         originstatus httprequest.status code",
    ),
    (
        Field::Duration,
        Unit::Millis,
        "durationms durationmsec durationmillis responsetime responsetimems elapsedms elapsedmillis \
         elapsedmilliseconds elapsed elapsedtime latencyms latencies.request requestdurationms timems took tookms \
         timetaken",
    ),
    (Field::Duration, Unit::Nanos, "event.duration durationns elapsedns latencyns"),
    (Field::Duration, Unit::Micros, "durationus elapsedus latencyus"),
    (
        Field::Duration,
        Unit::Seconds,
        "durations durationsec durationseconds elapseds elapsedseconds requesttime latencyseconds httprequest.latency",
    ),
    (Field::Duration, Unit::Guess, "duration latency"),
    (
        Field::Bytes,
        NO_UNIT,
        "bytes http.response.body.bytes http.response.body.size http.responsecontentlength responsebytes responsesize \
         bodybytessent bytessent size contentlength res.contentlength res.headers.contentlength \
         response.headers.contentlength response.size downstreamcontentsize httprequest.responsesize",
    ),
    (
        Field::Operation,
        NO_UNIT,
        "graphql.operation.name graphql.operationname operationname operation graphqloperation graphqloperationname \
         gql.operationname body.operationname req.body.operationname request.body.operationname \
         payload.operationname",
    ),
    // Behind the documents themselves the bodies that may be JSON with a document in it.
    (
        Field::Document,
        NO_UNIT,
        "graphql.document graphql.query body.query req.body.query request.body.query payload.query query body req.body \
         request.body requestbody config.data",
    ),
    (
        Field::DocumentHash,
        NO_UNIT,
        "extensions.persistedquery.sha256hash body.extensions.persistedquery.sha256hash \
         req.body.extensions.persistedquery.sha256hash request.body.extensions.persistedquery.sha256hash \
         graphql.document.hash graphql.persistedquery.sha256hash documentid body.documentid req.body.documentid \
         request.body.documentid",
    ),
    (
        Field::Message,
        NO_UNIT,
        "message msg @m @mt renderedmessage messagetemplate event record.message text body.stringvalue textpayload",
    ),
    (
        Field::Error,
        NO_UNIT,
        "error err error.type error.message error.code err.type err.message err.code exception exception.type \
         exception.message record.exception.type excinfo exctext @x errormessage",
    ),
    (
        Field::Service,
        NO_UNIT,
        "service.name service servicename app appname application resource.service.name \
         resource.attributes.service.name servicecontext.service resource.labels.servicename dd.service",
    ),
    (Field::Name, NO_UNIT, "name"),
    (Field::Machine, NO_UNIT, "hostname"),
    (Field::Key, NO_UNIT, "keyname apikeyname key.name apikey.name credentialname"),
    (Field::Units, NO_UNIT, "units cost quotaunits quotacost"),
];

/// Objects that some loggers put a line's own fields in; looked through after the bare keys.
pub const WRAPPERS: [&str; 10] = [
    "fields.",
    "record.extra.",
    "extra.",
    "attributes.",
    "context.",
    "meta.",
    "metadata.",
    "jsonpayload.",
    "properties.",
    "state.",
];

/// The span that a line of the tracing crate was written in: believed only where the line tells the span's end.
pub const SPAN: &str = "span.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::decode::field::push_key;

    #[test]
    fn every_alias_is_written_as_it_is_compared_and_stands_once() {
        for alias in ALIASES.iter() {
            let mut path = String::new();
            push_key(&mut path, alias.key);
            assert_eq!(path, alias.key);
        }
        let keys: std::collections::BTreeSet<_> = ALIASES.iter().map(|alias| alias.key).collect();
        assert_eq!(keys.len(), ALIASES.len());
    }
}

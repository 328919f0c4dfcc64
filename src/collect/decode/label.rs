//! The labels of a request become the id of a series. Each label is kept once, and each set of labels
//! once; a set and a duration bucket give the series by one look into a table.
//! This file never sees a line: it is given values, in order of rank.

use std::sync::Arc;

use hashbrown::HashMap;

use super::field::{Field, Rank};
use super::key::Keys;
use super::operation;
use super::routes::Routes;
use super::said::{Origin, Said};
use super::value::Scalar;
use crate::collect::Reading;
use crate::collect::request::{Bucket, NONE, OTHER, Series, SeriesTable, Skip, TableIdentity};

/// A worker keeps this many operations apart; the rest are [`OTHER`].
pub const OPERATIONS_MAX: usize = 10_000;
/// And this many services, keys, apis and methods each.
const NAMES_MAX: usize = 1_000;
/// From this many label sets on, new ones are filed under [`OTHER`] in all columns but method and status.
const SETS_MAX: usize = 100_000;
/// A place for each duration bucket, and one for none.
const PLACES: usize = Bucket::COUNT + 1;
/// Marks a place whose series is not yet known.
const UNKNOWN: u32 = u32::MAX;

/// The id of a label set, see [`Labels`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LabelSet(u32);

/// Labels in the order of first sight, bounded.
struct Names {
    ids: HashMap<Box<str>, u32>,
    list: Vec<Box<str>>,
    max: usize,
}

/// [`Names`] begin with these two.
const NONE_ID: u32 = 0;
const OTHER_ID: u32 = 1;

impl Names {
    fn new(max: usize) -> Names {
        let mut names = Names { ids: HashMap::new(), list: Vec::new(), max: max + 2 };
        assert!(names.id(NONE) == NONE_ID && names.id(OTHER) == OTHER_ID, "ids are given in order");
        names
    }

    fn id(&mut self, name: &str) -> u32 {
        if name.is_empty() {
            return NONE_ID;
        }
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        if self.list.len() >= self.max {
            return OTHER_ID;
        }
        let id = u32::try_from(self.list.len()).expect("bounded by max");
        self.list.push(name.into());
        self.ids.insert(name.into(), id);
        id
    }

    fn name(&self, id: u32) -> Box<str> {
        self.list[id as usize].clone()
    }
}

/// One of each label, by its id in its [`Names`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Set {
    service: u32,
    key: u32,
    api: u32,
    method: u32,
    operation: u32,
    status: Option<u16>,
}

/// The last text that was turned into a label, and its id: most lines name the same as the line before.
#[derive(Default)]
struct Memo {
    text: String,
    id: u32,
}

impl Memo {
    fn get(&self, text: &str) -> Option<u32> {
        (!text.is_empty() && self.text == text).then_some(self.id)
    }

    fn set(&mut self, text: &str, id: u32) -> u32 {
        // Longer ones are not worth the copy.
        if text.len() <= operation::LABEL_BYTES_MAX {
            self.text.clear();
            self.text.push_str(text);
            self.id = id;
        }
        id
    }
}

/// All labels a worker has met with one reading.
pub struct Labels {
    services: Names,
    keys: Names,
    apis: Names,
    methods: Names,
    operations: Names,
    /// What the configuration says in place of the line.
    service: Option<u32>,
    key: Option<u32>,
    api: Option<u32>,
    default_service: u32,
    /// The ids of the services that envelopes named; lines of many take turns in one log.
    default_services: HashMap<Box<str>, u32>,
    /// What the source's conditions ask for, in their order; at most 64.
    conditions: Vec<Box<str>>,
    /// How the source wants its keys called, and its paths.
    shown_keys: Keys,
    routes: Arc<Routes>,
    /// The source says where its servers' names are; a url's is not asked then.
    api_is_mapped: bool,
    /// And what a request is; a message is not asked then.
    requests_are_mapped: bool,
    sets: HashMap<Set, u32>,
    list: Vec<Set>,
    /// The series of set × bucket, in the table of `identity`.
    series: Vec<u32>,
    identity: TableIdentity,
    last_service: Memo,
    last_default: Memo,
    last_api: Memo,
    last_method: Memo,
    /// A label being written.
    scratch: String,
}

impl Labels {
    pub fn new(reading: &Reading, default_service: &str, routes: Arc<Routes>) -> Labels {
        let mapping = reading.mapping.clone().unwrap_or_default();
        let (mut services, mut keys, mut apis) = (Names::new(NAMES_MAX), Names::new(NAMES_MAX), Names::new(NAMES_MAX));
        Labels {
            service: reading.service.as_deref().map(|service| services.id(service)),
            key: reading.key.as_deref().map(|key| keys.id(key)),
            api: reading.api.as_deref().map(|api| apis.id(api)),
            default_service: services.id(default_service),
            default_services: HashMap::new(),
            conditions: mapping.only_if.values().map(|text| text.as_str().into()).collect(),
            shown_keys: Keys::new(&mapping.keys),
            routes,
            api_is_mapped: mapping.says(Field::Host),
            requests_are_mapped: mapping.says_requests(),
            services,
            keys,
            apis,
            methods: Names::new(NAMES_MAX),
            operations: Names::new(OPERATIONS_MAX),
            sets: HashMap::new(),
            list: Vec::new(),
            series: Vec::new(),
            identity: TableIdentity::default(),
            last_service: Memo::default(),
            last_default: Memo::default(),
            last_api: Memo::default(),
            last_method: Memo::default(),
            scratch: String::new(),
        }
    }

    /// The label set of a line with these values, in order of rank, or why it reports no request.
    pub fn resolve<'a>(
        &mut self,
        origin: Origin,
        values: impl Iterator<Item = (Rank, Scalar<'a>)>,
    ) -> Result<LabelSet, Skip> {
        let said = Said::of(origin, values, &self.conditions);
        if said.conditions.count_ones() as usize != self.conditions.len() {
            return Err(Skip::Excluded);
        }
        if let Some(skip) = said.skip(origin) {
            return Err(skip);
        }
        if said.from_message && self.requests_are_mapped {
            return Err(Skip::NotARequest);
        }
        let set = Set {
            service: self.service(&said),
            key: self.key(&said),
            api: self.api(&said),
            method: self.method(&said),
            operation: self.operation(&said),
            status: said.status,
        };
        Ok(self.set(set))
    }

    /// From now on, requests that name no service are of this one, which an envelope names. Gives a number of its own for
    /// each, by which caches tell them apart.
    pub fn set_default_service(&mut self, service: &str) -> u64 {
        self.default_service = self.last_default.get(service).unwrap_or_else(|| {
            let id = self.default_services.get(service).copied().unwrap_or_else(|| self.new_default(service));
            self.last_default.set(service, id)
        });
        // Spread over all bits: the numbers of kinds of lines, which it is mixed with, are small.
        u64::from(self.default_service).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    #[cold]
    fn new_default(&mut self, service: &str) -> u32 {
        operation::plain(service, &mut self.scratch);
        let id = self.services.id(&self.scratch);
        if self.default_services.len() < NAMES_MAX && service.len() <= operation::LABEL_BYTES_MAX {
            self.default_services.insert(service.into(), id);
        }
        id
    }

    fn service(&mut self, said: &Said<'_>) -> u32 {
        let named = said.service.or(said.name.filter(|_| said.machine.is_some()));
        match (self.service, named) {
            (Some(service), _) => service,
            (None, None) => self.default_service,
            (None, Some(service)) => self.last_service.get(service).unwrap_or_else(|| {
                operation::plain(service, &mut self.scratch);
                self.last_service.set(service, self.services.id(&self.scratch))
            }),
        }
    }

    fn key(&mut self, said: &Said<'_>) -> u32 {
        match (self.key, said.key) {
            (Some(key), _) => key,
            (None, None) => NONE_ID,
            (None, Some(key)) => {
                self.shown_keys.label(key, &mut self.scratch);
                self.keys.id(&self.scratch)
            }
        }
    }

    fn api(&mut self, said: &Said<'_>) -> u32 {
        if let Some(api) = self.api {
            return api;
        }
        // A url without server leaves it to the host field, which may be the url that others are relative to.
        let host = said.host.map(|host| operation::server(host).unwrap_or(host));
        let of_url = said.url.filter(|_| !self.api_is_mapped).and_then(operation::server);
        let server = of_url.or(host).unwrap_or_default();
        self.last_api.get(server).unwrap_or_else(|| {
            operation::host(server, &mut self.scratch);
            self.last_api.set(server, self.apis.id(&self.scratch))
        })
    }

    fn method(&mut self, said: &Said<'_>) -> u32 {
        let method = said.method.unwrap_or_default();
        self.last_method.get(method).unwrap_or_else(|| {
            operation::plain(method, &mut self.scratch);
            self.scratch.make_ascii_uppercase();
            self.last_method.set(method, self.methods.id(&self.scratch))
        })
    }

    fn operation(&mut self, said: &Said<'_>) -> u32 {
        match (&said.operation, &said.hash, said.route.or(said.url)) {
            (Some(name), ..) if self.routes.named(name).is_some() => self.routes.label(name, &mut self.scratch),
            (Some(name), ..) => operation::name(name, &mut self.scratch),
            (None, Some(hash), _) => operation::persisted(hash, &mut self.scratch),
            (None, None, Some(url)) => self.routes.label(url, &mut self.scratch),
            (None, None, None) => self.scratch.clear(),
        }
        self.operations.id(&self.scratch)
    }

    fn set(&mut self, mut set: Set) -> LabelSet {
        if let Some(id) = self.sets.get(&set) {
            return LabelSet(*id);
        }
        if self.list.len() >= SETS_MAX {
            set = Set { service: OTHER_ID, key: OTHER_ID, api: OTHER_ID, operation: OTHER_ID, ..set };
        }
        let next = u32::try_from(self.list.len()).expect("bounded by SETS_MAX, methods and statuses");
        let id = *self.sets.entry(set).or_insert(next);
        if id == next {
            self.list.push(set);
            self.series.resize(self.list.len() * PLACES, UNKNOWN);
        }
        LabelSet(id)
    }

    /// Remembered series are those of `table`; if it is another table than before, forget them.
    pub fn use_table(&mut self, table: &SeriesTable) {
        if self.identity != *table.identity() {
            self.identity = table.identity().clone();
            self.series.fill(UNKNOWN);
        }
    }

    /// The series of this label set and bucket in the table in use.
    #[inline]
    pub fn series(&mut self, labels: LabelSet, duration: Option<Bucket>, table: &mut SeriesTable) -> u32 {
        let place = labels.0 as usize * PLACES + duration.map_or(0, |bucket| bucket.index() + 1);
        match self.series[place] {
            UNKNOWN => {
                let id = table.id(self.spell(labels, duration));
                self.series[place] = id;
                id
            }
            id => id,
        }
    }

    #[cold]
    fn spell(&self, labels: LabelSet, duration: Option<Bucket>) -> Series {
        let set = self.list[labels.0 as usize];
        Series {
            service: self.services.name(set.service),
            key: self.keys.name(set.key),
            api: self.apis.name(set.api),
            method: self.methods.name(set.method),
            operation: self.operations.name(set.operation),
            status: set.status,
            duration,
        }
    }
}

//! Made-up receivers: what they answer, how time passes, and what is tried then. Nothing here waits.

use std::sync::LazyLock;

use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;
use crate::config::Surroundings;
use crate::publish::deliver::Standing;
use crate::publish::example;

fn message(id: &str, status: Status) -> Message {
    let at = example::now();
    Message { id: id.to_owned(), status, at, since: at, quota: None, source: None, ..example::alert() }
}

fn firing(id: &str) -> Message {
    message(id, Status::Firing)
}

fn resolved(id: &str) -> Message {
    message(id, Status::Resolved)
}

static NOTIFIER: LazyLock<Notifier> =
    LazyLock::new(|| config("[[notify]]\nname = \"ops\"\ntype = \"exec\"\ncommand = [\"true\"]\n").notifiers.remove(0));

fn notifier(name: &str) -> Notifier {
    Notifier { name: name.to_owned(), ..NOTIFIER.clone() }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn undelivered(again: Again) -> Option<Undelivered> {
    Some(Undelivered { why: "no route; it said: token".to_owned(), brief: "no route".to_owned(), again })
}

/// An outbox, its clock, and all that was said.
struct Room {
    outbox: Outbox,
    uptime: Duration,
    said: Vec<String>,
}

impl Room {
    fn new() -> Room {
        Room { outbox: Outbox::default(), uptime: Duration::ZERO, said: Vec::new() }
    }

    /// One whose notifier `am` is told what stands.
    fn standing() -> Room {
        let mut room = Room::new();
        room.outbox.desks.insert("am".to_owned(), Desk::new(true));
        room
    }

    fn now(&self) -> Now {
        Now { wall: example::now() + self.uptime, uptime: self.uptime }
    }

    fn note(&mut self, notes: Vec<Note>) {
        self.said.extend(notes.into_iter().map(|(_, text)| text));
    }

    fn tell(&mut self, names: &[&str], message: &Message) {
        let notifiers: Vec<_> = names.iter().map(|name| notifier(name)).collect();
        let notes = self.outbox.put(message, &notifiers);
        self.note(notes);
    }

    /// What is tried when this much time has passed.
    fn after(&mut self, time: Duration) -> Vec<(String, Parcel)> {
        self.uptime += time;
        let (parcels, notes) = self.outbox.start(self.now());
        self.note(notes);
        parcels
    }

    /// The news that are tried now, as `notifier: id`, with `!` for an end.
    fn tried(&mut self) -> Vec<String> {
        self.tried_after(Duration::ZERO)
    }

    fn tried_after(&mut self, time: Duration) -> Vec<String> {
        let name = |(notifier, parcel): (String, Parcel)| match parcel {
            Parcel::News(Message { id, status: Status::Firing, .. }) => format!("{notifier}: {id}"),
            Parcel::News(Message { id, status: Status::Resolved, .. }) => format!("{notifier}: {id}!"),
            Parcel::Standing(standing) => panic!("{standing:?}"),
        };
        self.after(time).into_iter().map(name).collect()
    }

    fn answer(&mut self, notifier: &str, error: Option<Undelivered>) {
        let now = self.now().wall;
        let notes = self.outbox.tried(notifier, error, now);
        self.note(notes);
    }

    fn fails(&mut self, notifier: &str) {
        self.answer(notifier, undelivered(Again::Later));
    }

    /// Seconds until something is tried.
    fn wait(&mut self) -> u64 {
        (0..).find(|second| !self.after(seconds(u64::from(*second > 0))).is_empty()).expect("some time")
    }

    /// A new process finds the state that this one saved now.
    fn restart(&mut self) {
        let json = serde_json::to_string(&self.outbox).expect("serialises");
        self.outbox = serde_json::from_str(&json).expect("is read back");
        self.uptime = Duration::ZERO;
    }

    fn count(&self, result: &'static str) -> u64 {
        self.outbox.counts(&[notifier("ops")])[&("ops".to_owned(), result)]
    }
}

#[test]
fn a_message_is_tried_again_ever_more_seldom_until_it_arrives() {
    let mut room = Room::new();
    room.tell(&["ops"], &firing("a"));
    let mut waits = Vec::new();
    for _ in 0..12 {
        waits.push(room.wait());
        room.fails("ops");
    }
    assert_eq!(waits[0], 0);
    for (wait, base) in waits[1..].iter().zip([5, 10, 20, 40, 80, 160, 320, 640, 900, 900, 900]) {
        assert!((base..=base + base / 10 + 1).contains(wait), "{waits:?}");
    }
    room.wait();
    room.answer("ops", None);
    assert_eq!(room.tried_after(seconds(4_000)), [""; 0]);
    assert_eq!([room.count("delivered"), room.count("failed"), room.count("dropped")], [1, 12, 0]);
    let said = [
        "notify \"ops\": no route; it said: token; waiting: 1, the next attempt is in 5 s",
        "notify \"ops\" delivers again; it had failed since 2026-11-22 14:30 UTC",
    ];
    assert_eq!(room.said, said, "the same failure is said once");
}

#[test]
fn a_notifier_has_one_attempt_under_way_and_others_do_not_wait_for_it() {
    let mut room = Room::new();
    room.tell(&["ops", "log"], &firing("a"));
    room.tell(&["ops", "log"], &firing("b"));
    assert_eq!(room.tried(), ["log: a", "ops: a"]);
    assert_eq!(room.tried_after(seconds(60)), [""; 0], "both are under way");
    room.answer("log", None);
    assert_eq!(room.tried(), ["log: b"]);
    room.fails("ops");
    room.answer("log", None);
    assert_eq!(room.tried_after(seconds(6)), ["ops: a"], "in order");
}

#[test]
fn what_a_receiver_refuses_is_given_up_at_once_and_the_next_is_tried() {
    let mut room = Room::new();
    room.tell(&["ops"], &firing("a"));
    room.tell(&["ops"], &firing("b"));
    assert_eq!(room.tried(), ["ops: a"]);
    room.answer("ops", undelivered(Again::Never));
    assert_eq!(room.said[1], "notify \"ops\": a is given up: the receiver will not take it");
    assert_eq!(room.count("dropped"), 1);
    assert_eq!(room.tried(), ["ops: b"]);
}

#[test]
fn after_a_day_a_message_is_given_up_but_none_is_untried() {
    let mut room = Room::new();
    room.tell(&["ops"], &firing("a"));
    room.tell(&["ops"], &firing("b"));
    let begun = room.uptime;
    while room.count("dropped") == 0 {
        room.wait();
        room.fails("ops");
    }
    assert!((room.uptime - begun).abs_diff(GIVE_UP_AFTER) < seconds(1_000), "{:?}", room.uptime);
    assert!(
        room.said.last().is_some_and(|said| said.ends_with(" is given up after 24 hours of trying")),
        "{:#?}",
        room.said
    );
    room.wait();
    room.fails("ops");
    assert_eq!(room.count("dropped"), 2, "{:#?}", room.said);
}

#[test]
fn of_what_is_over_before_it_could_be_told_only_the_end_is() {
    let mut room = Room::new();
    room.tell(&["ops"], &firing("first"));
    room.tried();
    room.tell(&["ops"], &firing("a"));
    room.tell(&["ops"], &resolved("a"));
    let said = "notify \"ops\": a was over before it could be delivered; only the message that it is over goes out";
    assert_eq!(room.said, [said]);
    room.answer("ops", None);
    assert_eq!(room.tried(), ["ops: a!"]);
    assert_eq!(room.count("dropped"), 0, "nothing is lost");
}

#[test]
fn what_ends_while_it_is_being_told_is_told_in_order() {
    let mut room = Room::new();
    room.tell(&["ops"], &firing("a"));
    assert_eq!(room.tried(), ["ops: a"]);
    room.tell(&["ops"], &resolved("a"));
    room.answer("ops", None);
    assert_eq!(room.tried(), ["ops: a!"]);

    room.tell(&["ops"], &firing("b"));
    room.answer("ops", None);
    assert_eq!(room.tried(), ["ops: b"]);
    room.tell(&["ops"], &resolved("b"));
    room.fails("ops");
    assert_eq!(room.tried(), ["ops: b!"], "it did not arrive, and is over");
}

#[test]
fn the_same_news_is_delivered_once() {
    let mut room = Room::new();
    room.tell(&["ops"], &firing("a"));
    room.tell(&["ops"], &firing("a"));
    assert_eq!(room.tried(), ["ops: a"]);
    room.tell(&["ops"], &firing("a"));
    room.answer("ops", None);
    room.tell(&["ops"], &firing("a"));
    assert_eq!(room.tried(), [""; 0]);
    room.restart();
    room.tell(&["ops"], &firing("a"));
    assert_eq!(room.tried(), [""; 0], "a new process knows what arrived");
    room.tell(&["ops"], &resolved("a"));
    room.tell(&["ops"], &firing("a"));
    assert_eq!(room.tried(), ["ops: a!"]);
    room.answer("ops", None);
    assert_eq!(room.tried(), ["ops: a"], "it began again");
}

#[test]
fn an_end_that_a_notifier_does_not_want_takes_no_beginning_back() {
    let mut room = Room::new();
    let deaf = Notifier { sends_resolved: false, ..notifier("ops") };
    for message in [firing("first"), firing("a"), resolved("a")] {
        let notes = room.outbox.put(&message, std::slice::from_ref(&deaf));
        room.note(notes);
    }
    assert_eq!(room.tried(), ["ops: first"]);
    room.answer("ops", None);
    assert_eq!(room.tried(), ["ops: a"]);
    room.answer("ops", None);
    assert_eq!(room.said, [""; 0]);
    for message in [resolved("a"), firing("a")] {
        let notes = room.outbox.put(&message, std::slice::from_ref(&deaf));
        room.note(notes);
    }
    assert_eq!(room.tried(), ["ops: a"], "it began again");
}

#[test]
fn a_receiver_that_asks_for_a_pause_gets_it_even_across_a_restart_but_no_longer_than_an_hour() {
    let mut room = Room::new();
    room.tell(&["ops"], &firing("a"));
    room.tried();
    room.answer("ops", undelivered(Again::After(seconds(30))));
    room.tell(&["ops"], &firing("b"));
    assert_eq!(room.tried_after(seconds(10)), [""; 0]);
    room.restart();
    assert_eq!(room.tried_after(seconds(19)), [""; 0]);
    assert_eq!(room.tried_after(seconds(1)), ["ops: a"]);
    room.answer("ops", undelivered(Again::After(seconds(1_000_000))));
    assert_eq!(room.wait(), 3_600);
    for _ in 0..20 {
        room.answer("ops", undelivered(Again::After(Duration::ZERO)));
        room.wait();
    }
    room.answer("ops", undelivered(Again::After(Duration::ZERO)));
    assert!(room.wait() >= 180, "a receiver that always says at once is not taken at its word");
}

#[test]
fn what_waits_when_a_process_ends_is_tried_by_the_next_one() {
    let mut room = Room::new();
    room.tell(&["ops"], &firing("a"));
    room.tell(&["ops"], &firing("b"));
    for _ in 0..6 {
        room.wait();
        room.fails("ops");
    }
    assert_eq!(room.tried(), [""; 0]);
    room.restart();
    assert_eq!(room.tried(), ["ops: a"], "at once");
    room.restart();
    assert_eq!(room.tried(), ["ops: a"], "it was under way");
    room.fails("ops");
    assert!((320..=352).contains(&room.wait()), "it has failed seven times");
}

#[test]
fn of_too_many_the_mildest_are_dropped_and_ends_before_beginnings() {
    let mut room = Room::new();
    let grave = |id: &str| Message { severity: Severity::Critical, ..firing(id) };
    room.tell(&["ops"], &firing("under way"));
    assert_eq!(room.tried(), ["ops: under way"]);
    room.tell(&["ops"], &firing("mild"));
    room.tell(&["ops"], &grave("grave"));
    room.tell(&["ops"], &resolved("end"));
    for other in 4..PENDING_MAX {
        room.tell(&["ops"], &grave(&format!("grave {other}")));
    }
    assert_eq!(room.said, [""; 0]);
    for last in ["x", "y", "z"] {
        room.tell(&["ops"], &grave(last));
    }
    let dropped = |what: &str| format!("notify \"ops\": {what} is dropped: too many messages wait already");
    assert_eq!(room.said, [dropped("the end of end"), dropped("mild"), dropped("grave")]);
    assert_eq!((room.count("dropped"), room.outbox.statuses(&[notifier("ops")])[0].pending), (3, 100));
}

#[test]
fn a_message_that_always_fails_does_not_keep_the_others_for_ever() {
    let mut room = Room::new();
    room.tell(&["ops"], &firing("poison"));
    room.tell(&["ops"], &firing("news"));
    for _ in 0..8 {
        room.wait();
        room.fails("ops");
    }
    assert!(room.uptime < seconds(25 * 60), "{:?}", room.uptime);
    assert_eq!(room.tried(), ["ops: news"]);
    room.answer("ops", None);
    assert_eq!(room.tried(), ["ops: poison"], "the receiver is there");
    room.fails("ops");
    room.tell(&["ops"], &firing("more"));
    assert_eq!(room.tried(), ["ops: more"]);
}

fn config(text: &str) -> Config {
    let surroundings = Surroundings { hostname: "app-1".to_owned(), ..Surroundings::default() };
    crate::config::parse(text, std::path::Path::new("daycap.toml"), &surroundings).expect("a good configuration")
}

#[test]
fn what_waits_for_a_notifier_that_is_gone_is_dropped_and_said() {
    let mut room = Room::new();
    room.tell(&["old", "ops"], &firing("a"));
    let notes = room
        .outbox
        .open(&config("[[notify]]\nname = \"ops\"\ntype = \"exec\"\ncommand = [\"true\"]\n"), example::now());
    room.note(notes);
    assert_eq!(room.said, ["notify \"old\" is configured no more; messages that waited for it are dropped: 1"]);
    assert_eq!(room.tried(), ["ops: a"]);
}

/// It stood, and the receiver may not know of its end; or it waits, and is told as news now.
#[test]
fn a_notifier_that_becomes_another_kind_keeps_what_its_receiver_does_not_know() {
    let mut room = Room::standing();
    room.tell(&["am"], &firing("known"));
    room.after(Duration::ZERO);
    room.answer("am", None);
    room.tell(&["am"], &firing("new"));
    let notes =
        room.outbox.open(&config("[[notify]]\nname = \"am\"\ntype = \"exec\"\ncommand = [\"true\"]\n"), example::now());
    room.note(notes);
    assert_eq!(room.tried(), ["am: new"]);
}

/// What stands in the only parcel, as `id +minutes` that it is said to hold yet.
fn stands(parcels: &[(String, Parcel)], now: DateTime<Utc>) -> Vec<String> {
    let name =
        |Standing { message, ends_at }: &Standing| format!("{} {:+}", message.id, (*ends_at - now).num_minutes());
    match parcels {
        [(_, Parcel::Standing(standing))] => standing.iter().map(name).collect(),
        [] => Vec::new(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_stands_is_told_each_minute_and_its_end_for_a_quarter_of_an_hour() {
    let mut room = Room::standing();
    room.tell(&["am"], &firing("a"));
    let mut told = Vec::new();
    for minute in 0..25 {
        let (parcels, none) = (room.after(seconds(if minute == 0 { 0 } else { 59 })), [""; 0]);
        if minute > 0 {
            assert_eq!(stands(&parcels, room.now().wall), none);
        }
        let parcels = if minute == 0 { parcels } else { room.after(seconds(1)) };
        told.push(stands(&parcels, room.now().wall).join(", "));
        room.answer("am", None);
        if minute == 4 {
            let end = Message { at: room.now().wall, ..resolved("a") };
            room.tell(&["am"], &end);
            assert_eq!(stands(&room.after(Duration::ZERO), room.now().wall), ["a +0"], "at once");
            room.answer("am", None);
        }
    }
    assert_eq!(told[..5], ["a +4"; 5]);
    let ends: Vec<String> = (1..15).map(|minute| format!("a -{minute}")).collect();
    assert_eq!(told[5..19], ends);
    assert_eq!(told[19..], [""; 6]);
    assert_eq!(room.outbox.counts(&[])[&("am".to_owned(), "delivered")], 2, "saying it again is no delivery");
}

#[test]
fn what_stands_survives_a_restart_and_is_told_at_once() {
    let mut room = Room::standing();
    room.tell(&["am"], &firing("a"));
    room.after(Duration::ZERO);
    room.answer("am", None);
    room.restart();
    assert_eq!(stands(&room.after(Duration::ZERO), room.now().wall), ["a +4"]);
    room.answer("am", None);
    assert_eq!(stands(&room.after(seconds(59)), room.now().wall), [""; 0]);
}

#[test]
fn what_stands_is_tried_within_a_minute_whatever_the_receiver_answers() {
    let mut room = Room::standing();
    room.tell(&["am"], &firing("a"));
    room.after(Duration::ZERO);
    for again in [Again::Later, Again::Never].repeat(10) {
        room.answer("am", undelivered(again));
        assert!((1..=60).contains(&room.wait()));
    }
    room.tell(&["am"], &firing("b"));
    room.answer("am", undelivered(Again::Never));
    assert_eq!(stands(&room.after(seconds(60)), room.now().wall), ["a +4", "b +4"]);
    assert_eq!(room.outbox.counts(&[]).get(&("am".to_owned(), "dropped")), None);
}

#[test]
fn an_end_that_no_receiver_heard_of_is_said_to_be_lost() {
    let mut room = Room::standing();
    room.tell(&["am"], &firing("a"));
    room.after(Duration::ZERO);
    room.answer("am", None);
    room.tell(&["am"], &resolved("a"));
    for _ in 0..20 {
        room.after(seconds(60));
        room.fails("am");
    }
    let lost = "notify \"am\": the end of a is given up: the receiver was not there while it was news";
    assert!(room.said.iter().any(|said| said == lost), "{:#?}", room.said);
    assert_eq!(room.outbox.counts(&[])[&("am".to_owned(), "dropped")], 1);
}

#[test]
fn what_stands_of_a_quota_that_is_gone_ends() {
    let mut board = board::Board::default();
    let of = |id: &str, quota: &str| Message { quota: Some(quota.to_owned()), ..firing(id) };
    board.put(of("a", "prod"));
    board.put(of("b", "old"));
    let config = config("[[quota]]\nname = \"prod\"\nlimit = 9\n");
    let now = example::now() + TimeDelta::minutes(7);
    board.end(|message| is_gone(message, &config), now);
    let parcel = [("am".to_owned(), Parcel::Standing(board.next(now).expect("all that stands")))];
    assert_eq!(stands(&parcel, now), ["a +4", "b +0"]);
}

#[test]
fn of_what_stands_there_is_a_bound() {
    let mut board = board::Board::default();
    let dropped: Vec<_> = (0..250).flat_map(|number| board.put(firing(&format!("{number:03}")))).collect();
    assert_eq!((dropped.len(), board.waiting()), (50, board::STANDING_MAX));
}

/// What may happen to an outbox with one notifier.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The next news of this id: it begins, or it ends.
    Tell(u8),
    Pass(u16),
    Arrives,
    /// It arrives, but the answer is lost.
    ArrivesUnseen,
    Fails(Again),
    Commit,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..6_u8).prop_map(Step::Tell),
        4 => (0..2_000_u16).prop_map(Step::Pass),
        2 => Just(Step::Arrives),
        1 => Just(Step::ArrivesUnseen),
        3 => prop_oneof![Just(Again::Later), Just(Again::Never), (0..5_000_u64).prop_map(|s| Again::After(seconds(s)))]
            .prop_map(Step::Fails),
        2 => Just(Step::Commit),
        1 => Just(Step::Crash),
    ]
}

/// A process with what it committed; it dies, and the next one goes on from there.
struct World {
    room: Room,
    committed: Outbox,
    /// Who told what, and what is told again because nothing on disk says that it was.
    told: Vec<Message>,
    untold: Vec<Message>,
    fires: BTreeMap<String, bool>,
    received: Vec<(String, Status)>,
    under_way: Option<Message>,
    crashed: bool,
}

impl World {
    fn new() -> World {
        World {
            room: Room::new(),
            committed: Outbox::default(),
            told: Vec::new(),
            untold: Vec::new(),
            fires: BTreeMap::new(),
            received: Vec::new(),
            under_way: None,
            crashed: false,
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Tell(id) => self.tell(&format!("id{id}")),
            Step::Pass(time) => self.start(seconds(u64::from(time))),
            Step::Arrives => self.end(true, None),
            Step::ArrivesUnseen => self.end(true, undelivered(Again::Later)),
            Step::Fails(again) => self.end(false, undelivered(again)),
            Step::Commit => {
                self.committed = self.room.outbox.clone();
                self.untold.clear();
            }
            Step::Crash => self.crash(),
        }
    }

    fn tell(&mut self, id: &str) {
        let fires = self.fires.entry(id.to_owned()).or_default();
        *fires = !*fires;
        let message = if *fires { firing(id) } else { resolved(id) };
        self.room.tell(&["ops"], &message);
        self.told.push(message.clone());
        self.untold.push(message);
        self.start(Duration::ZERO);
    }

    fn start(&mut self, time: Duration) {
        for (_, parcel) in self.room.after(time) {
            assert!(self.under_way.is_none(), "two at once");
            let Parcel::News(message) = parcel else { panic!("{parcel:?}") };
            self.under_way = Some(message);
        }
        assert!(self.room.outbox.statuses(&[notifier("ops")])[0].pending <= PENDING_MAX as u64);
    }

    fn end(&mut self, arrives: bool, error: Option<Undelivered>) {
        let Some(message) = self.under_way.take() else { return };
        if arrives {
            self.received.push((message.id, message.status));
        }
        self.room.answer("ops", error);
        self.start(Duration::ZERO);
    }

    /// The rules' memory is in the same file: what was told since, they tell again.
    fn crash(&mut self) {
        self.crashed = true;
        self.under_way = None;
        self.room.outbox = self.committed.clone();
        self.room.restart();
        for message in self.untold.clone() {
            self.room.tell(&["ops"], &message);
        }
        self.start(Duration::ZERO);
    }

    /// The receiver is there from now on.
    fn settle(&mut self) {
        while self.room.outbox.statuses(&[notifier("ops")])[0].pending > 0 {
            self.start(seconds(3_600));
            self.take(Step::Arrives);
        }
    }

    fn is_dropped(&self, message: &Message) -> bool {
        let what = match message.status {
            Status::Firing => format!("\"ops\": {} ", message.id),
            Status::Resolved => format!("\"ops\": the end of {} ", message.id),
        };
        self.room.said.iter().any(|said| said.contains(&what))
    }
}

/// Whether each is found in order among the others.
fn is_part_of(some: &[Status], all: &[Status]) -> bool {
    let mut rest = all.iter();
    some.iter().all(|one| rest.any(|other| other == one))
}

proptest! {
    #[test]
    fn every_message_arrives_or_is_said_to_be_dropped_through_crashes_anywhere(
        steps in proptest::collection::vec(step(), 0..120),
    ) {
        let mut world = World::new();
        steps.into_iter().for_each(|step| world.take(step));
        world.settle();
        for message in &world.told {
            let has_arrived = world.received.contains(&(message.id.clone(), message.status));
            prop_assert!(has_arrived || world.is_dropped(message), "{} {:?}", message.id, message.status);
        }
        for (id, fires) in &world.fires {
            let last = if *fires { firing(id) } else { resolved(id) };
            let received = world.received.iter().rfind(|(known, _)| known == id);
            let knows_better = received == Some(&(id.clone(), last.status));
            prop_assert!(knows_better || world.is_dropped(&last), "{id} is {:?}, not {received:?}", last.status);
        }
    }

    #[test]
    fn without_a_crash_each_is_told_in_order(steps in proptest::collection::vec(step(), 0..120)) {
        let mut world = World::new();
        let has_crash = |step: &Step| matches!(step, Step::Crash | Step::ArrivesUnseen);
        steps.into_iter().filter(|step| !has_crash(step)).for_each(|step| world.take(step));
        world.settle();
        for id in world.fires.keys() {
            let told: Vec<_> = world.told.iter().filter(|of| of.id == *id).map(|of| of.status).collect();
            let received: Vec<_> = world.received.iter().filter(|(of, _)| of == id).map(|(_, status)| *status).collect();
            prop_assert!(is_part_of(&received, &told), "{id}: {received:?} of {told:?}");
        }
    }
}

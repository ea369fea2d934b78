//! Which files are taken, and which are known again, from listings alone.

use super::*;
use crate::{
    files::{facts::Mark, table::Place},
    system::{ManualClock, Threads},
};

/// A file as a listing shows it: its name, its number, when it came to be (0: nobody knows), when it was written, its size.
type Shown<'a> = (&'a str, u64, i64, i64, u64);

fn entries(files: &[Shown<'_>]) -> Vec<Entry> {
    let entry = |&(name, number, born, modified, len): &Shown<'_>| {
        let born = (born > 0).then_some(Timestamp(born));
        let facts = Facts {
            modified: Timestamp(modified),
            len,
            place: Some((1, number)),
            born,
            changed: Some(Timestamp(modified)),
        };
        Entry { name: name.into(), facts }
    };
    files.iter().map(entry).collect()
}

/// A folder, by a clock of no time.
fn folder(number: u64, files: &[Shown<'_>]) -> Listing {
    Listing { folder: Some(number), files: entries(files), look: None }
}

fn rest() -> Rest {
    Rest::new(None, std::time::Duration::from_secs(5))
}

fn names(chosen: &[Entry]) -> Vec<&str> {
    chosen.iter().map(|entry| entry.name.to_str().unwrap_or_default()).collect()
}

#[track_caller]
fn check(seen: &mut Seen, at: i64, files: &[Shown<'_>], expect: &[&str]) {
    assert_eq!(names(&seen.choose(folder(1, files), Timestamp(at))), expect);
}

#[test]
fn each_file_is_chosen_once_oldest_first() {
    let there = [("b", 2, 0, 5, 1), ("a", 1, 0, 5, 1), ("c", 3, 0, 3, 1)];
    let mut seen = Seen::open(&folder(1, &there), true, Timestamp(0), rest());
    check(&mut seen, 10, &there, &["c", "a", "b"]);
    check(&mut seen, 20, &there, &[]);
    check(&mut seen, 30, &[("a", 1, 0, 25, 9), ("b", 2, 0, 5, 1)], &[]);
    // c is gone; another one of its name is a new file.
    check(&mut seen, 40, &[("c", 4, 0, 30, 1)], &["c"]);
}

#[test]
fn what_was_there_may_be_passed_over() {
    let mut seen = Seen::open(&folder(1, &[("old", 1, 0, 1, 1)]), false, Timestamp(5), rest());
    check(&mut seen, 10, &[("old", 1, 0, 1, 1), ("new", 2, 0, 8, 1)], &["new"]);
    check(&mut seen, 20, &[("old", 1, 0, 1, 1), ("new", 2, 0, 8, 1)], &[]);
}

#[test]
fn a_file_from_the_future_is_chosen_when_its_time_comes() {
    let mut seen = Seen::open(&folder(1, &[]), true, Timestamp(0), rest());
    check(&mut seen, 50, &[("late", 1, 0, 65, 1)], &[]);
    check(&mut seen, 60, &[("late", 1, 0, 65, 1)], &[]);
    check(&mut seen, 70, &[("late", 1, 0, 65, 1)], &["late"]);
}

#[test]
fn a_run_that_ends_takes_all() {
    let there = [("b", 2, 0, 99, 1), ("a", 1, 0, 9, 1)];
    let mut seen = Seen::open(&folder(1, &[]), true, Timestamp(0), rest());
    assert_eq!(names(&seen.choose_all(folder(1, &there), Timestamp(0))), ["a", "b"]);
    assert_eq!(names(&seen.choose_all(folder(1, &there), Timestamp(1))), <[&str; 0]>::default());
}

/// What happens to a folder with the files `l1` (number 11, at time 50) and `l2` (number 12, at time 40) that were read, in
/// listings one after the other, and what is read then. The folder is number 1, unless it is said.
type Happening<'a> = (&'a str, &'a [(u64, &'a [Shown<'a>])], &'a [&'a str]);

/// With the times at which files came to be; they are left out in a second round.
const HAPPENINGS: &[Happening<'_>] = &[
    ("nothing", &[(1, &[("l1", 11, 9, 50, 7), ("l2", 12, 8, 40, 7)])], &[]),
    ("it is rotated", &[(1, &[("l1", 13, 60, 70, 7), ("l2", 11, 9, 50, 7), ("l3", 12, 8, 40, 7)])], &["l1"]),
    ("it is rotated, and the oldest removed", &[(1, &[("l1", 13, 60, 70, 7), ("l2", 11, 9, 50, 7)])], &["l1"]),
    ("it is rotated, and nothing new made", &[(1, &[("l2", 11, 9, 50, 7), ("l3", 12, 8, 40, 7)])], &[]),
    (
        "it is rotated twice",
        &[
            (1, &[("l1", 13, 60, 70, 7), ("l2", 11, 9, 50, 7), ("l3", 12, 8, 40, 7)]),
            (1, &[("l1", 14, 80, 90, 7), ("l2", 13, 60, 70, 7), ("l3", 11, 9, 50, 7), ("l4", 12, 8, 40, 7)]),
        ],
        &["l1", "l1"],
    ),
    ("two change names", &[(1, &[("l1", 12, 8, 40, 7), ("l2", 11, 9, 50, 7)])], &[]),
    (
        "a listing misses one that is being renamed",
        &[(1, &[("l3", 12, 8, 40, 7)]), (1, &[("l2", 11, 9, 50, 7), ("l3", 12, 8, 40, 7)])],
        &[],
    ),
    ("one is written to where it lies", &[(1, &[("l1", 11, 9, 60, 9), ("l2", 12, 8, 40, 7)])], &[]),
    ("one is replaced", &[(1, &[("l1", 13, 60, 70, 7), ("l2", 12, 8, 40, 7)])], &["l1"]),
    ("one is put back from a copy", &[(1, &[("l1", 13, 60, 50, 7), ("l2", 12, 8, 40, 7)])], &[]),
    // Numbers are given again.
    ("another file gets the number", &[(1, &[("l2", 12, 8, 40, 7), ("n", 11, 60, 70, 7)])], &["n"]),
    ("another file gets the number and has the size", &[(1, &[("l2", 12, 8, 40, 7), ("n", 11, 60, 51, 7)])], &["n"]),
    (
        "one has a second name by a link",
        &[(1, &[("l1", 11, 9, 50, 7), ("l2", 12, 8, 40, 7), ("n", 11, 9, 50, 7)])],
        &[],
    ),
    ("a new one has two names", &[(1, &[("l1", 11, 9, 50, 7), ("m", 13, 60, 70, 7), ("n", 13, 60, 70, 7)])], &["m"]),
    (
        "it is not mounted for a while",
        &[(2, &[]), (2, &[]), (2, &[]), (1, &[("l1", 11, 9, 50, 7), ("l2", 12, 8, 40, 7)])],
        &[],
    ),
    (
        "a listing misses one, and then it is not mounted",
        &[
            (1, &[("l2", 12, 8, 40, 7)]),
            (2, &[("not mounted", 21, 5, 45, 7)]),
            (1, &[("l1", 11, 9, 50, 7), ("l2", 12, 8, 40, 7)]),
        ],
        &["not mounted"],
    ),
    (
        "it is not mounted, and is shown as empty",
        &[(1, &[]), (1, &[]), (1, &[]), (1, &[("l1", 11, 9, 50, 7), ("l2", 12, 8, 40, 7)])],
        &[],
    ),
    (
        "it is not mounted, and a file lies below",
        &[
            (2, &[("not mounted", 21, 5, 45, 7)]),
            (2, &[("not mounted", 21, 5, 45, 7)]),
            (2, &[("not mounted", 21, 5, 45, 7)]),
            (1, &[("l1", 11, 9, 50, 7), ("l2", 12, 8, 40, 7)]),
            (2, &[("not mounted", 21, 5, 45, 7)]),
            (1, &[("l1", 11, 9, 50, 7), ("l2", 12, 8, 40, 7)]),
        ],
        &["not mounted"],
    ),
    (
        "it is mounted again, with other numbers",
        &[
            (2, &[]),
            (3, &[("l1", 31, 9, 50, 7), ("l2", 32, 8, 40, 7)]),
            (3, &[("l1", 31, 9, 50, 7), ("l2", 32, 8, 40, 7)]),
        ],
        &[],
    ),
    ("it is mounted again, with the numbers of others", &[(3, &[("l1", 12, 9, 50, 7), ("l2", 11, 8, 40, 7)])], &[]),
    (
        "another folder comes in its place",
        &[(2, &[("l1", 21, 60, 70, 7), ("m", 22, 60, 70, 9)]), (2, &[("l1", 21, 60, 70, 7), ("m", 22, 60, 70, 9)])],
        &["l1", "m"],
    ),
    (
        "one is removed, and another of its name made much later",
        &[
            (1, &[("l2", 12, 8, 40, 7)]),
            (1, &[("l2", 12, 8, 40, 7)]),
            (1, &[("l1", 11, 60, 70, 7), ("l2", 12, 8, 40, 7)]),
        ],
        &["l1"],
    ),
];

/// How a run goes on from one listing to the next.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Between {
    Nothing,
    /// It stops, and another one goes on from its pin.
    Stop,
}

/// Files on a system that knows when they came to be, or that does not.
fn shown<'a>(files: &[Shown<'a>], knows_births: bool) -> Vec<Shown<'a>> {
    let born = |born| if knows_births { born } else { 0 };
    files.iter().map(|&(name, number, at, modified, len)| (name, number, born(at), modified, len)).collect()
}

#[test]
fn a_file_is_known_again_by_its_name_and_by_what_it_is() {
    for (what, listings, expect) in HAPPENINGS {
        for between in [Between::Nothing, Between::Stop] {
            for knows_births in [true, false] {
                let first = shown(&[("l1", 11, 9, 50, 7), ("l2", 12, 8, 40, 7)], knows_births);
                let mut seen = Seen::open(&folder(1, &first), true, Timestamp(100), rest());
                check(&mut seen, 100, &first, &["l2", "l1"]);
                let mut read = Vec::new();
                for (number, files) in *listings {
                    let now = folder(*number, &shown(files, knows_births));
                    if between == Between::Stop {
                        let (text, rows) = (serde_json::to_string(&seen.pin()).unwrap_or_default(), seen.rows());
                        let pin: SeenPin = serde_json::from_str(&text).unwrap_or_default();
                        seen = Seen::open(&now, false, Timestamp(100), rest());
                        seen.resume(&pin, Some(&rows));
                        assert_eq!(serde_json::to_string(&seen.pin()).unwrap_or_default(), text, "{what}");
                        assert_eq!(seen.rows(), rows, "{what}");
                    }
                    read.extend(seen.choose(now, Timestamp(100)).into_iter().map(|entry| entry.name));
                }
                assert_eq!(read, *expect, "{what}, {between:?}, births are known: {knows_births}");
            }
        }
    }
}

/// What is told of a folder's files, batch after batch, makes what is known of them, and nothing is told that has not changed.
#[test]
fn what_is_told_of_files_is_what_changed() {
    let all: Vec<(u64, &[Shown<'_>])> =
        HAPPENINGS.iter().flat_map(|(_, listings, _)| listings.iter().copied()).chain([(1, &[][..])]).collect();
    for knows_births in [true, false] {
        for first in 0..all.len() {
            let mut seen = Seen::open(&folder(1, &[]), true, Timestamp(100), rest());
            let (mut told, mut before, mut last) = (Rows::new(), Some(Rows::new()), None::<Entry>);
            for turn in 0..60 {
                // Listings in some order, and now and then several between two batches.
                let (number, files) = all[(first * 7 + turn * turn * 3 + turn) % all.len()];
                let chosen = seen.choose(folder(number, &shown(files, knows_births)), Timestamp(100));
                let unread = chosen.iter().find(|_| turn % 2 == 0).or(last.as_ref()).map(|entry| entry.name.clone());
                last = chosen.last().cloned();
                if let Some(name) = unread.filter(|_| turn % 5 < 2) {
                    seen.not_read(&name, turn % 2 == 0);
                }
                if turn % 3 == 0 {
                    continue;
                }
                let was = told.clone();
                for (key, mark) in seen.changes(before.take()) {
                    assert_ne!(was.get(&key).copied(), mark, "{key:?} is told of, and has not changed");
                    match mark {
                        Some(mark) => told.insert(key, mark),
                        None => told.remove(&key),
                    };
                }
                assert_eq!(told, seen.rows(), "from {first}, behind turn {turn}");
                assert_eq!(seen.changes(None), [], "what was told is told again");
            }
        }
    }
}

/// A name that was removed, and a new file of it in a listing right after: only by when it came to be is it another one.
#[test]
fn a_file_that_has_name_and_number_of_another_is_told_from_it_by_its_birth() {
    for (born, expect) in [(60, &["l1"][..]), (0, &[])] {
        let there = [("l1", 11, if born > 0 { 9 } else { 0 }, 50, 7)];
        let mut seen = Seen::open(&folder(1, &there), true, Timestamp(100), rest());
        check(&mut seen, 100, &there, &["l1"]);
        check(&mut seen, 100, &[("l1", 11, born, 70, 9)], expect);
    }
}

/// A file that was written to after it was read and then renamed is the same one, where its birth is known.
#[test]
fn a_file_that_is_written_to_and_renamed_at_once_is_the_same_where_births_are_known() {
    for (born, expect) in [(9, &[][..]), (0, &["l2"])] {
        let there = [("l1", 11, born, 50, 7)];
        let mut seen = Seen::open(&folder(1, &there), true, Timestamp(100), rest());
        check(&mut seen, 100, &there, &["l1"]);
        check(&mut seen, 100, &[("l2", 11, born, 70, 9)], expect);
    }
}

#[test]
fn no_more_is_remembered_than_there_is() {
    let mut seen = Seen::open(&folder(1, &[]), true, Timestamp(0), rest());
    for day in 1..50 {
        let there: Vec<(String, u64)> = (0..20).map(|n| (format!("{day} {n}"), 1_000 * day + n)).collect();
        let there: Vec<Shown<'_>> =
            there.iter().map(|(name, number)| (name.as_str(), *number, 0, day as i64, 1)).collect();
        // Now and then another folder comes in the place of the one before.
        for _ in 0..2 {
            seen.choose(folder(1 + day / 5, &there), Timestamp(100));
        }
        let kept = seen.rows().len();
        assert!(kept <= 3 * 20, "day {day}: {kept} files are remembered");
    }
}

/// What is known again elsewhere is not remembered where it was, too.
#[test]
fn nothing_is_remembered_twice() {
    let there = [("l1", 11, 9, 50, 7), ("l2", 12, 8, 40, 7)];
    let moved: [(u64, &[Shown<'_>]); 2] =
        [(1, &[("l2", 11, 9, 50, 7), ("l3", 12, 8, 40, 7)]), (3, &[("l1", 31, 9, 50, 7), ("l2", 32, 8, 40, 7)])];
    for (number, files) in moved {
        let mut seen = Seen::open(&folder(1, &there), true, Timestamp(100), rest());
        check(&mut seen, 100, &there, &["l2", "l1"]);
        assert_eq!(seen.choose(folder(number, files), Timestamp(100)), []);
        let places: Vec<Place> = seen.rows().into_keys().map(|(place, _)| place).collect();
        assert_eq!(places, [Place::Here, Place::Here]);
    }
}

/// Whoever replaces a file by another of its size and time has changed it.
#[test]
fn another_file_of_the_same_size_and_time_begins_to_rest_anew() {
    let listing = |number: u64, seconds: u64| {
        let at = std::time::Duration::from_secs(seconds);
        let files = entries(&[("a", number, 0, 1, 7)]);
        Listing { folder: Some(1), files, look: Some(Look { began: at, ended: at }) }
    };
    let mut seen = Seen::open(&listing(5, 0), true, Timestamp(2), rest());
    assert_eq!(seen.choose(listing(6, 5), Timestamp(100)), []);
    assert_eq!(seen.choose(listing(6, 9), Timestamp(100)), []);
    assert_eq!(names(&seen.choose(listing(6, 10), Timestamp(100))), ["a"]);
}

#[test]
fn a_file_that_was_not_read_after_all_is_met_again_under_any_name() {
    let there = [("l1", 11, 9, 50, 7), ("link", 11, 9, 50, 7)];
    let mut seen = Seen::open(&folder(1, &there), true, Timestamp(100), rest());
    check(&mut seen, 100, &there, &["l1"]);
    seen.not_read(&"l1".into(), false);
    check(&mut seen, 100, &[("l2", 11, 9, 50, 7)], &["l2"]);
}

/// What is in checkpoints: files that are there, gone, and in a folder that stood there before.
#[test]
fn what_was_seen_has_a_format() {
    let there = [("l1", 11, 9, 50, 7), ("l2", 12, 8, 40, 7)];
    let mut seen = Seen::open(&folder(1, &there), true, Timestamp(100), rest());
    check(&mut seen, 100, &there, &["l2", "l1"]);
    let second = [("a", 21, 60, 70, 3), ("b", 22, 61, 71, 3), ("late", 23, 62, 900, 3)];
    assert_eq!(names(&seen.choose(folder(2, &second), Timestamp(200))), ["a", "b"]);
    assert_eq!(seen.choose(folder(2, &second[1..]), Timestamp(300)), []);
    let text = serde_json::to_string(&seen.pin()).unwrap_or_default();
    assert_eq!(text, r#"{"listed_micros":300,"folder":2,"folder_before":1}"#);
    let row = |((place, name), mark): ((Place, std::ffi::OsString), Mark)| {
        format!("{} {} {:016x}{:08x}", place as u8, name.display(), mark.identity, mark.content)
    };
    let expect = [
        "0 b da9998a4c74722b2941fe34f",
        "1 a fbefde7b9e21d0153ac33419",
        "2 l1 00cf387d34fe9d6c2d9815c4",
        "2 l2 ef4b2aa98ba5e3cc2b70dff5",
    ];
    assert_eq!(seen.rows().into_iter().map(row).collect::<Vec<_>>(), expect);
}

/// The same, as earlier versions wrote it with every batch.
#[test]
fn what_earlier_versions_saw_is_gone_on_with() {
    let text = r#"{"done":["b"],"marks":"da9998a4c74722b2941fe34f","unsettled":[{"name":"late","size":3,"modified_micros":900}],
        "listed_micros":300,"folder":2,"gone":{"names":["a"],"marks":"fbefde7b9e21d0153ac33419"},"away":{"folder":1,"names":["l1","l2"],
        "marks":"00cf387d34fe9d6c2d9815c4ef4b2aa98ba5e3cc2b70dff5"}}"#;
    let pin: SeenPin = serde_json::from_str(text).unwrap_or_default();
    let late = [("late", 23, 62, 900, 3)];
    let mut seen = Seen::open(&folder(2, &late), true, Timestamp(100), rest());
    seen.resume(&pin, None);
    let known: Vec<(Place, String)> =
        seen.rows().into_keys().map(|(place, name)| (place, name.display().to_string())).collect();
    let expect = [(Place::Here, "b"), (Place::Gone, "a"), (Place::Away, "l1"), (Place::Away, "l2")];
    assert_eq!(known, expect.map(|(place, name)| (place, name.to_owned())));
    let all = [("a", 21, 60, 70, 3), ("b", 22, 61, 71, 3), ("late", 23, 62, 900, 3)];
    assert_eq!(names(&seen.choose(folder(2, &all), Timestamp(1_000))), ["late"]);
    assert_eq!(seen.choose(folder(1, &[("l1", 11, 9, 50, 7), ("l2", 12, 8, 40, 7)]), Timestamp(1_000)), []);
}

/// All files of a batch are named in its pin: there are no more than it has room for, the oldest first, and none is left out.
#[test]
fn many_files_are_several_batches() {
    let there: Vec<String> = (0..200).map(|n| format!("{n:04}")).collect();
    let there: Vec<Shown<'_>> =
        there.iter().zip(0..).map(|(name, n)| (name.as_str(), 100 + n, 0, n as i64, 1)).collect();
    for until_done in [false, true] {
        let there = &there;
        let mut seen = Seen::open(&folder(1, there), true, Timestamp(100), rest()).awaiting(&folder(1, there));
        let (mut batches, mut read) = (0, Vec::new());
        while seen.awaited().is_some() {
            let at = Timestamp(1_000 + batches);
            let chosen =
                if until_done { seen.choose_all(folder(1, there), at) } else { seen.choose(folder(1, there), at) };
            assert!((1..=PIN_BYTES_MAX / PIN_BYTES_A_FILE).contains(&chosen.len()), "{}", chosen.len());
            read.extend(names(&chosen).iter().map(ToString::to_string));
            batches += 1;
        }
        assert_eq!(read, there.iter().map(|(name, ..)| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(batches, 4);
    }
}

/// The pins of all folders of a run stand in one record.
#[test]
fn folders_share_the_room_of_a_record() {
    let there: Vec<String> = (0..200).map(|n| format!("{n:04}")).collect();
    let there: Vec<Shown<'_>> =
        there.iter().zip(0..).map(|(name, n)| (name.as_str(), 100 + n, 0, n as i64, 1)).collect();
    let (clock, threads) = (Arc::new(ManualClock::new(Timestamp(0))), Arc::new(Threads));
    let world =
        World::new(clock, threads, std::path::PathBuf::new(), Arc::new(std::sync::Mutex::new(Vec::<u8>::new())));
    let of_run = |_| {
        let seen = Seen::open(&folder(1, &there), true, Timestamp(100), rest());
        seen.beside(Folders::one_more(&world).expect("counted"))
    };
    let mut folders: Vec<Seen> = (0..5).map(of_run).collect();
    let mut bytes = 0;
    for seen in &mut folders {
        let chosen = seen.choose(folder(1, &there), Timestamp(1_000));
        assert!(chosen.len() > 5, "{}", chosen.len());
        bytes += chosen.iter().map(|entry| entry.name.len() + PIN_BYTES_A_FILE).sum::<usize>();
    }
    assert!((PIN_BYTES_MAX * 9 / 10..=PIN_BYTES_MAX).contains(&bytes), "{bytes}");
    // However many there are, each goes on.
    let mut folders: Vec<Seen> = (0..500).map(of_run).collect();
    for at in [1_000, 2_000] {
        assert_eq!(folders[0].choose(folder(1, &there), Timestamp(at)).len(), 1);
    }
}

/// What is in checkpoints: marks that were written are what they are now.
#[test]
fn marks_have_a_format() {
    let mark = |born, number, modified, len| {
        let born = (born > 0).then_some(Timestamp(born));
        let place = (number > 0).then_some((77, number));
        Facts { modified: Timestamp(modified), len, place, born, changed: None }.mark()
    };
    let expect = [
        (mark(0, 0, 0, 0), Mark { identity: 0, content: 0xa706dd2f }),
        (mark(0, 12, 0, 0), Mark { identity: 0xf7684def5c5a04ab, content: 0xa706dd2f }),
        (
            mark(1_700_000_000_000_001, 12, 1_700_000_000_000_002, 99),
            Mark { identity: 0xdf9f1edf80463413, content: 0x40aff712 },
        ),
        (mark(0, u64::MAX, -1, u64::MAX), Mark { identity: 0x5dc20aa7b2a27137, content: 0x6309143e }),
    ];
    for (mark, expect) in expect {
        assert_eq!(mark, expect);
    }
}

/// A look at a large folder shows of the files that come while it lasts those whose place it has not passed yet. In more files than
/// a batch may name, none overtakes another for that.
#[test]
fn files_that_come_while_a_large_folder_is_looked_at_keep_their_order() {
    let long = "n".repeat(200);
    let files: Vec<(String, i64)> = (0..400).map(|nth| (format!("{:03} {long}", (nth * 7) % 400), nth)).collect();
    // How many there are at each look, and behind that some that it shows too, and some that it has missed.
    let listing = |nth: usize| {
        let whole = (nth * 60).min(files.len());
        let shown = |place: usize| place < whole || (place < whole + 60 && place % 3 == nth % 3);
        let shown = files.iter().enumerate().filter(|(place, _)| shown(*place)).map(|(_, (name, at))| {
            let number = 100 + *at as u64;
            (name.as_str(), number, 0, *at, 1)
        });
        let at = std::time::Duration::from_secs(nth as u64);
        let files = entries(&shown.collect::<Vec<_>>());
        Listing { folder: Some(1), files, look: Some(Look { began: at, ended: at }) }
    };
    let rest = Rest::new(None, std::time::Duration::from_secs(1));
    let mut seen = Seen::open(&listing(0), true, Timestamp(1_000), rest);
    let (mut read, mut batches) = (Vec::new(), 0);
    for nth in 1..40 {
        let chosen = seen.choose(listing(nth), Timestamp(1_000));
        batches += usize::from(!chosen.is_empty());
        read.extend(chosen.iter().map(|entry| entry.facts.modified.0));
    }
    assert_eq!(read, (0..400).collect::<Vec<i64>>());
    assert!(batches > 8, "{batches}");
}

mod writer;

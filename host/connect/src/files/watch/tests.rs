//! When files are settled, and which of them wait for others.

use super::*;

/// Whether a file of which was known at the first look when it was last written, and changed, is settled at the next one.
fn is_settled(modified: i64, changed: Option<i64>, rest: Duration) -> bool {
    const NOW: i64 = 1_700_000_000_000_000;
    let at = |ago: i64| Timestamp(NOW - ago);
    let facts = Facts { modified: at(modified), len: 1, place: Some((1, 1)), born: None, changed: changed.map(at) };
    let entry = || vec![Entry { name: "a".into(), facts }];
    let look = |micros: u64| Some(Look { began: Duration::from_micros(micros), ended: Duration::from_micros(micros) });
    let rest = Rest::new(Some(rest), Duration::from_secs(1));
    let mut watch = Watch::open(&entry(), look(0), Timestamp(NOW), rest);
    watch.settled(entry(), look(1), rest).len() == 1
}

#[test]
fn what_was_touched_long_before_the_first_look_had_rested() {
    const HOUR: i64 = 3_600_000_000;
    for rest in [0, 5_000_000, 60_000_000] {
        let settled = |modified, changed| is_settled(modified, changed, Duration::from_micros(rest as u64));
        let long = HOUR + rest;
        // Nothing has to rest that need not.
        let never_long = rest == 0;
        assert_eq!(settled(long, None), never_long, "{rest}");
        assert!(settled(long + 1, None) && settled(long + 1, Some(long + 1)));
        assert_eq!(settled(long + 1, Some(long)), never_long);
        assert_eq!(settled(long, Some(long + 1)), never_long);
        assert_eq!((settled(1, None), settled(long + 1, Some(0))), (never_long, never_long));
    }
}

/// What is settled at each of some looks, an interval apart, at which there are these files: name, time of writing, size.
fn settled_at(rest: Option<Duration>, looks: &[&[(&str, i64, u64)]]) -> Vec<Vec<String>> {
    let entries = |files: &[(&str, i64, u64)]| -> Vec<Entry> {
        let entry = |&(name, modified, len): &(&str, i64, u64)| {
            let facts = Facts { modified: Timestamp(modified), len, place: None, born: None, changed: None };
            Entry { name: name.into(), facts }
        };
        files.iter().map(entry).collect()
    };
    let interval = Duration::from_secs(1);
    let look = |nth: usize| Some(Look { began: interval * nth as u32, ended: interval * nth as u32 });
    let rest = Rest::new(rest, interval);
    let mut watch = Watch::open(&entries(looks[0]), look(0), Timestamp(5), rest);
    let mut settled = |(nth, files): (usize, &&[(&str, i64, u64)])| {
        let settled = watch.settled(entries(files), look(nth), rest);
        settled.into_iter().map(|entry| entry.name.to_string_lossy().into_owned()).collect()
    };
    looks.iter().enumerate().skip(1).map(&mut settled).collect()
}

/// Files come while a look lasts, and it shows some of them: whichever it has not passed yet.
#[test]
fn a_file_that_a_look_has_missed_is_not_overtaken() {
    let (a, b, c) = (("a", 1, 1), ("b", 2, 1), ("c", 3, 1));
    // By the look of the start, and by a later one.
    assert_eq!(settled_at(None, &[&[b], &[a, b, c], &[a, b, c]]), [vec![], vec!["a", "b", "c"]]);
    assert_eq!(settled_at(None, &[&[], &[b], &[a, b, c], &[a, b, c]]), [vec![], vec![], vec!["a", "b", "c"]]);
    // A younger one holds nothing up, nor does an older one that comes later.
    assert_eq!(settled_at(None, &[&[a], &[a, b]]), [["a"]]);
    let rest = Some(Duration::from_secs(2));
    assert_eq!(settled_at(rest, &[&[b], &[b], &[a, b]]), [vec![], vec!["b"]]);
    assert_eq!(settled_at(rest, &[&[b], &[a, b], &[a, b], &[a, b]]), [vec![], vec![], vec!["a", "b"]]);
}

#[test]
fn a_file_that_is_written_to_again_and_again_holds_nothing_up() {
    let b = ("b", 2, 1);
    let looks: [&[(&str, i64, u64)]; 4] = [&[b], &[("a", 1, 1), b], &[("a", 1, 2), b], &[("a", 1, 3), b]];
    assert_eq!(settled_at(None, &looks), [vec![], vec!["b"], vec!["b"]]);
}

/// Its time is one of whole seconds by chance, or it was unpacked beside the others.
#[test]
fn a_file_that_rests_longer_is_not_overtaken() {
    let (a, b) = (("a", 0, 1), ("b", 2, 1));
    assert_eq!(settled_at(None, &[&[a, b][..]; 4]), [vec![], vec![], vec!["a", "b"]]);
}

/// One that was moved in has come last, however old it is.
#[test]
fn a_file_waits_for_those_alone_that_came_before_it() {
    let entry = |name: &str, modified: i64, changed: i64| {
        let (modified, changed) = (Timestamp(modified), Some(Timestamp(changed)));
        Entry { name: name.into(), facts: Facts { modified, len: 1, place: None, born: None, changed } }
    };
    for (changed, expect) in [(6, vec!["b"]), (4, vec![])] {
        let look = |second: u64| Some(Look { began: Duration::from_secs(second), ended: Duration::from_secs(second) });
        let rest = Rest::new(None, Duration::from_secs(1));
        let mut watch = Watch::open(&[entry("b", 5, 5)], look(0), Timestamp(9), rest);
        let settled = watch.settled(vec![entry("a", 1, changed), entry("b", 5, 5)], look(1), rest);
        assert_eq!(settled.iter().map(|entry| entry.name.to_str().unwrap_or_default()).collect::<Vec<_>>(), expect);
    }
}

//! Lines of orders, points and activity.

use std::io::Write;

use super::Random;

const STATUSES: [&str; 4] = ["PLACED", "INPROGRESS", "COMPLETED", "CANCELLED"];
const ACTIVITIES: [&str; 3] = ["profile.picture.like", "profile.view", "message.private"];
const BAD_POINTS: [&str; 4] = ["not a point", "1.5", "1 2 3", "x y"];

pub(super) fn append_order(random: &mut Random, out: &mut Vec<u8>) {
    let (high, low) = (random.bits(), random.bits());
    let status = STATUSES[random.below(4) as usize];
    append(out, format_args!(r#"{{"order_id": "{high:016x}{low:016x}", "status": "{status}"}}"#));
}

pub(super) fn append_activity(random: &mut Random, out: &mut Vec<u8>) {
    let user = 1_000 + random.below(100_001);
    let activity = ACTIVITIES[random.below(3) as usize];
    append(out, format_args!(r#"{{"user_id": {user}, "activity": "{activity}"}}"#));
}

/// Of a hundred: two are bad, one is the origin, three lie on each axis, and the others anywhere.
pub(super) fn append_point(random: &mut Random, out: &mut Vec<u8>) {
    let choice = random.below(100);
    let (x, y) = (hundredths(random), hundredths(random));
    match choice {
        0..2 => out.extend_from_slice(BAD_POINTS[random.below(4) as usize].as_bytes()),
        2 => append(out, format_args!("0 0")),
        3..6 => append(out, format_args!("0 {y}")),
        6..9 => append(out, format_args!("{x} 0")),
        _ => append(out, format_args!("{x} {y}")),
    }
}

/// From -100 to 100, not 0, in hundredths.
fn hundredths(random: &mut Random) -> f64 {
    let size = 1 + random.below(10_000);
    let sign = if random.below(2) == 0 { 1.0 } else { -1.0 };
    sign * size as f64 / 100.0
}

fn append(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("memory takes every byte");
}

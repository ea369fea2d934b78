//! Page views of a web site: what is looked at, where it goes wrong, and who looks.

use tidemill_sdk::prelude::*;

/// A page that a user has asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Record)]
struct View<'a> {
    url: &'a str,
    status: i64,
    zip: i64,
    user: i64,
}

/// Views of a zip code, and those of them that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Record)]
struct Failures {
    views: i64,
    failed: i64,
}

/// What is said of a zip code.
#[derive(Clone, Debug, PartialEq, Record)]
struct Rate {
    rate: f64,
    shown: String,
}

/// More failures than this are marked.
const MARKED_ABOVE: f64 = 0.05;

/// A line of four fields with tabs between them: URL, status, zip code, user.
#[map]
fn view(line: &str) -> Result<View<'_>, &'static str> {
    let mut fields = line.split('\t');
    let mut next = || fields.next().ok_or("a field is missing");
    let url = next()?;
    let mut number = || next()?.parse().map_err(|_| "a field is no number");
    let (status, zip, user) = (number()?, number()?, number()?);
    Ok(View { url, status, zip, user })
}

/// The part of a zip code's views that failed: marked where it is more than five of a hundred.
#[reduce(
    create = |status| Failures { views: 1, failed: i64::from(status != OK) },
    merge = |a, b| Failures { views: a.views + b.views, failed: a.failed + b.failed },
    finish = rate
)]
fn error_rate(all: Failures, status: i64) -> Failures {
    Failures { views: all.views + 1, failed: all.failed + i64::from(status != OK) }
}

/// A page that came.
const OK: i64 = 200;

fn rate(all: Failures) -> Rate {
    let rate = all.failed as f64 / all.views as f64;
    let shown = if rate > MARKED_ABOVE { format!("**{rate}**") } else { rate.to_string() };
    Rate { rate, shown }
}

/// Who is known, by the number of the user.
#[derive(Debug, Parameters)]
struct Known {
    /// `1=Ada Lovelace, 2=Grace Hopper`
    users: String,
}

/// The name of a user who is known.
#[map]
fn name(context: &Context<Known>, user: i64) -> Option<String> {
    let mut known = context.parameters().users.split(',').filter_map(|known| known.trim().split_once('='));
    known.find(|(number, _)| number.parse() == Ok(user)).map(|(_, name)| name.to_owned())
}

plugin!(view, error_rate, name);

#[cfg(test)]
mod tests {
    use tidemill_sdk::testing;

    use super::*;

    #[test]
    fn lines_are_views() {
        let out = testing::map::<view>(["http://a.example/\t200\t94709\t7", "x\t200\t1", "x\ty\t1\t2"]);
        assert_eq!(out.rows(), [View { url: "http://a.example/", status: 200, zip: 94709, user: 7 }]);
        assert_eq!(out.rejected(), [(1, "a field is missing"), (2, "a field is no number")]);
    }

    #[test]
    fn many_failures_are_marked() {
        let rows = [(1, 200), (1, 404), (2, 200)].into_iter().chain((0..19).map(|_| (3, 200))).chain([(3, 404)]);
        let rates = testing::reduce::<error_rate, _>(rows).rows::<Rate>();
        let shown: Vec<(i64, &str)> = rates.iter().map(|(zip, rate)| (*zip, rate.shown.as_str())).collect();
        assert_eq!(shown, [(1, "**0.5**"), (2, "0"), (3, "0.05")]);
    }

    #[test]
    fn some_users_are_known() -> Result<(), testing::Failed> {
        let kit = testing::Kit::new().parameter("users", "1=Ada Lovelace, 2=Grace Hopper");
        assert_eq!(kit.map::<name>([2, 3, 1])?.rows(), ["Grace Hopper", "Ada Lovelace"]);
        Ok(())
    }
}

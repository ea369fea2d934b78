//! Users who are more active than most: what each has done is scored and summed, and who has more than a percentile is popular.

use serde::Deserialize;
use tidemill_sdk::prelude::*;

mod t_digest;

use t_digest::Digest;

/// What is read of a message; other fields are passed over.
#[derive(Deserialize)]
struct Message<'a> {
    user_id: i64,
    activity: &'a str,
}

/// What a user has done is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Record)]
struct Scored {
    user: i64,
    score: i64,
}

/// What activities are worth.
#[derive(Debug, Parameters)]
struct Scores {
    #[parameter(default = "profile.picture.like=2, profile.view=1, message.private=3")]
    scores: String,
}

/// What a message is worth: `{"user_id": 1001, "activity": "profile.view"}`. One that is none, or of another activity, is rejected.
#[map]
fn score(context: &Context<Scores>, line: &str) -> Result<Scored, String> {
    let Message { user_id, activity } = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let mut scores = context.parameters().scores.split(',').filter_map(|score| score.trim().split_once('='));
    let score = scores.find(|(name, _)| *name == activity).and_then(|(_, score)| score.parse().ok());
    let score = score.ok_or_else(|| format!("there is no score for {activity:?}"))?;
    Ok(Scored { user: user_id, score })
}

/// The sum of a user's scores since the pipeline began.
#[update_state]
fn total(new: Values<'_, i64>, total: Option<i64>) -> Option<i64> {
    Some(total.unwrap_or(0) + new.iter().sum::<i64>())
}

/// All users are compared with one another: they have one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Record)]
struct Compared {
    all: bool,
    user: i64,
    score: i64,
}

/// A user among all.
#[map]
fn among_all(user: i64, score: i64) -> Compared {
    Compared { all: true, user, score }
}

/// How scores are spread: a t-digest, which is exact as long as there are few.
#[reduce(create = Digest::of, merge = Digest::merge)]
fn digest(all: &mut Digest, score: i64) {
    all.add(score);
}

/// Which part of the scores is not popular.
#[derive(Debug, Parameters)]
struct Limit {
    #[parameter(default = 95.0)]
    percentile: f64,
}

/// The score at a percentile: of n scores in order the one with the number floor(percentile / 100 * n), from 0.
#[map]
fn percentile(context: &Context<Limit>, means: Vec<f64>, weights: Vec<i64>) -> f64 {
    Digest { means, weights }.at(context.parameters().percentile / 100.0)
}

/// Whether a score is above the percentile.
#[map]
fn is_above(score: i64, percentile: f64) -> bool {
    score as f64 > percentile
}

/// A popular user as JSON.
#[output]
fn json(user: i64, score: i64) -> String {
    format!("{{\"user_id\": {user}, \"score\": {score}}}")
}

plugin!(score, total, among_all, digest, percentile, is_above, json);

#[cfg(test)]
mod tests {
    use tidemill_sdk::testing;

    use super::*;

    #[test]
    fn messages_are_scored() {
        let out = testing::map::<score>([
            r#"{"user_id": 7, "activity": "message.private", "more": 1}"#,
            r#"{"user_id": 7, "activity": "sleep"}"#,
        ]);
        assert_eq!(out.rows(), [Scored { user: 7, score: 3 }]);
        assert_eq!(out.rejected(), [(1, "there is no score for \"sleep\"")]);
    }

    #[test]
    fn the_percentile_is_a_score() {
        let scores = [9, 1, 8, 7, 6, 5, 2, 4, 3, 0].map(|score| (true, score));
        let digests = testing::reduce::<digest, _>(scores).rows::<Digest>();
        let digest = &digests[0].1;
        assert_eq!((digest.clone().at(0.8), digest.clone().at(0.0), digest.clone().at(1.0)), (8.0, 0.0, 9.0));
    }
}

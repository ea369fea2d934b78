//! Counts orders by their status: in each batch, and since the start.

use std::borrow::Cow;

use serde::Deserialize;
use tidemill_sdk::prelude::*;

/// What is read of an order's JSON; other fields are passed over.
#[derive(Deserialize)]
struct Order<'a> {
    #[serde(borrow)]
    status: Cow<'a, str>,
}

/// An order's status. A text without escapes is borrowed from the line.
#[derive(Clone, Debug, PartialEq, Eq, Record)]
struct Status<'a> {
    status: Cow<'a, str>,
    count: i64,
}

/// The status of an order, a line of JSON: `{"order_id": 1, "status": "open"}`. A line that is not such an order is rejected.
#[map]
fn status(line: &str) -> Result<Status<'_>, serde_json::Error> {
    let order: Order<'_> = serde_json::from_str(line)?;
    Ok(Status { status: order.status, count: 1 })
}

/// The number of orders of a status.
#[reduce(inverse = |whole, part| whole - part)]
fn sum(a: i64, b: i64) -> i64 {
    a + b
}

/// The number of orders of a status since the pipeline began.
#[update_state]
fn running_total(new: Values<i64>, total: Option<i64>) -> Option<i64> {
    Some(total.unwrap_or(0) + new.iter().sum::<i64>())
}

plugin!(status, sum, running_total);

#[cfg(test)]
mod tests {
    use tidemill_sdk::testing;

    use super::*;

    #[test]
    fn an_order_has_a_status() {
        let out = testing::map::<status>([
            r#"{"order_id": 1, "status": "open"}"#,
            r#" {"status":"sh\u0069pped", "lines": [{"status": 3}]} "#,
            r#"{"status": ""}"#,
        ]);
        let expect = ["open", "shipped", ""].map(|status| Status { status: status.into(), count: 1 });
        assert_eq!(out.rows(), expect);
        assert_eq!(out.origins(), [0, 1, 2]);
        assert_eq!(out.rejected(), []);
    }

    #[test]
    fn what_is_no_order_is_rejected_with_a_reason() {
        let out = testing::map::<status>([
            "{\"status\": \"open\"",
            "{}",
            "",
            "{\"status\": 5}",
            "null",
            "{\"status\": \"a\"} x",
        ]);
        assert_eq!(out.rows(), []);
        let expect = [
            (0, "EOF while parsing an object at line 1 column 17"),
            (1, "missing field `status` at line 1 column 2"),
            (2, "EOF while parsing a value at line 1 column 0"),
            (3, "invalid type: integer `5`, expected a string at line 1 column 12"),
            (4, "invalid type: null, expected struct Order at line 1 column 4"),
            (5, "trailing characters at line 1 column 17"),
        ];
        assert_eq!(out.rejected(), expect);
    }

    #[test]
    fn counts_and_totals_go_side_by_side() -> Result<(), testing::Failed> {
        let mut totals = testing::keyed::<running_total, _>();
        for _ in 0..2 {
            let orders = [("open", 1), ("shipped", 1), ("open", 1)];
            assert_eq!(testing::reduce::<sum, _>(orders).rows::<i64>(), [("open", 2), ("shipped", 1)]);
            totals.batch(orders)?;
        }
        assert_eq!(totals.states(), [("open", 4), ("shipped", 2)]);
        Ok(())
    }

    #[test]
    fn signatures_are_what_pipelines_bind_to() {
        assert_eq!(testing::signature::<status>(), "status(line: text) -> status: text, count: integer");
        assert_eq!(testing::signature::<sum>(), "sum(value: integer) [value: integer] -> value: integer invertible");
        assert_eq!(testing::signature::<running_total>(), "running-total(value: integer) [value: integer]");
    }
}

//! What calls answer, checked, in the guest's memory: it is there only while the consumer looks at it.

use tidemill_model::{
    columns::{Column, Rows},
    limits::Limits,
    schema::Schema,
};

use crate::{
    boundary::wire::{BatchOut, ChangesOut, MappedOut, OriginsOut},
    rejected::RejectedRows,
    validate::{RawColumn, Scratch, all_below, check_batch, check_rejections, numbers, weight},
    verdict::Verdict,
};

/// What a map or output function made of the rows of a chunk.
#[derive(Clone, Copy, Debug)]
pub struct Mapped<'a> {
    /// Rows of the signature's output.
    pub rows: Rows<'a>,
    /// Where they came from.
    pub origins: Origins<'a>,
    /// Input rows that the function will not take.
    pub rejected: RejectedRows<'a>,
}

/// Where output rows came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origins<'a> {
    /// Row i from input row i; there are as many as input rows.
    Same,
    /// For each output row its input row.
    Rows(&'a [u32]),
    /// From several input rows, or none.
    Many,
}

/// What update-states is given: one group a key.
#[derive(Clone, Copy, Debug)]
pub struct UpdateCall<'a> {
    /// One row a group: its key.
    pub keys: Rows<'a>,
    /// New rows, a group's in a run.
    pub rows: Rows<'a>,
    /// For each group where its run ends.
    pub ends: &'a [u32],
    /// One row a group: its state, read only where there is one.
    pub states: Rows<'a>,
    /// For each group 1 where it has a state, else 0.
    pub present: &'a [u8],
    /// For each group why it is called: a sum of 1 new rows, 2 its time has come, 4 it has been idle for too long.
    pub causes: &'a [u8],
}

/// What update-states made of the groups.
#[derive(Clone, Copy, Debug)]
pub struct Changes<'a> {
    /// For each group: 0 keep the state, 1 put the row of `states`, 2 delete it.
    pub actions: &'a [u8],
    /// One row a group of the signature's state, read only where the action is 1.
    pub states: Rows<'a>,
    /// Rows of the signature's output; none where it has no fields.
    pub emitted: Rows<'a>,
    /// For each emitted row its group; `None`: row i belongs to group i, and there are no more rows than groups.
    pub emitted_groups: Option<&'a [u32]>,
    /// For each group when to call it again, the smallest integer for never; `None`: never for any.
    pub wake_at: Option<&'a [i64]>,
    /// Rows of the call's `rows` that the function will not take.
    pub rejected: RejectedRows<'a>,
}

/// Room for the parts of one answer that are misaligned.
#[derive(Debug, Default)]
pub(crate) struct Scratches {
    first: Scratch,
    second: Scratch,
    groups: Scratch,
    times: Scratch,
}

/// How much the answers of an instance were.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Returned {
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
}

/// What every check of an answer needs: where its spans lie, what it may hold, and room for what is misaligned.
pub(crate) struct Checker<'c> {
    pub(crate) memory: &'c [u8],
    pub(crate) limits: &'c Limits,
    pub(crate) scratch: &'c mut Scratches,
    /// Where what passes is counted.
    pub(crate) returned: &'c mut Returned,
}

impl Checker<'_> {
    /// An answer of map-rows or output-rows to `input_rows` rows.
    pub(crate) fn mapped(
        self,
        answer: &MappedOut,
        schema: &Schema,
        input_rows: usize,
        consume: &mut dyn FnMut(Mapped<'_>),
    ) -> Result<(), Verdict> {
        let Checker { memory, limits, scratch, returned } = self;
        let rejected = RejectedRows::of(&answer.rejected, memory);
        check_rejections(rejected.rows(), input_rows, limits)?;
        let columns = check_columns(&answer.rows, memory, schema, limits, (&mut scratch.first, returned))?;
        let len = answer.rows.rows as usize;
        let origins = check_origins(&answer.origins, memory, (len, input_rows), &mut scratch.groups)?;
        let rows = Rows { schema, len, columns: &columns };
        consume(Mapped { rows, origins, rejected });
        Ok(())
    }

    /// An answer of reduce-groups that has a row a group.
    pub(crate) fn reduced(
        self,
        answer: &BatchOut,
        schema: &Schema,
        groups: usize,
        consume: &mut dyn FnMut(Rows<'_>),
    ) -> Result<(), Verdict> {
        let got = answer.rows as usize;
        if got != groups {
            return Err(Verdict::WrongGroups { expected: groups, got });
        }
        let columns =
            check_columns(answer, self.memory, schema, self.limits, (&mut self.scratch.first, self.returned))?;
        consume(Rows { schema, len: groups, columns: &columns });
        Ok(())
    }

    /// An answer of migrate-states to so many old states.
    pub(crate) fn migrated(
        self,
        answer: &BatchOut,
        schema: &Schema,
        states: usize,
        consume: &mut dyn FnMut(Rows<'_>),
    ) -> Result<(), Verdict> {
        let got = answer.rows as usize;
        if got != states {
            return Err(Verdict::WrongStates { expected: states, got });
        }
        let columns =
            check_columns(answer, self.memory, schema, self.limits, (&mut self.scratch.first, self.returned))?;
        consume(Rows { schema, len: states, columns: &columns });
        Ok(())
    }

    /// An answer of update-states to a call with `groups` groups and `input_rows` rows; the schemas are those of the
    /// states and of the emitted rows.
    pub(crate) fn changes(
        self,
        answer: &ChangesOut,
        (state, output): (&Schema, &Schema),
        (groups, input_rows): (usize, usize),
        consume: &mut dyn FnMut(Changes<'_>),
    ) -> Result<(), Verdict> {
        let Checker { memory, limits, scratch, returned } = self;
        let rejected = RejectedRows::of(&answer.rejected, memory);
        check_rejections(rejected.rows(), input_rows, limits)?;
        let actions = check_actions(answer.actions.of(memory), groups)?;
        if answer.states.rows as usize != groups {
            return Err(Verdict::WrongGroups { expected: groups, got: answer.states.rows as usize });
        }
        let states = check_columns(&answer.states, memory, state, limits, (&mut scratch.first, returned))?;
        let emitted = check_columns(&answer.emitted, memory, output, limits, (&mut scratch.second, returned))?;
        let rows = answer.emitted.rows as usize;
        let told = answer.emitted_groups.as_ref().map(|groups| groups.of(memory));
        let emitted_groups = check_emitted_groups(told, (rows, groups), output, &mut scratch.groups)?;
        let wake_at = match &answer.wake_at {
            None => None,
            Some(times) => Some(check_wake_times(times.of(memory), groups, &mut scratch.times)?),
        };
        consume(Changes {
            actions,
            states: Rows { schema: state, len: groups, columns: &states },
            emitted: Rows { schema: output, len: rows, columns: &emitted },
            emitted_groups,
            wake_at,
            rejected,
        });
        Ok(())
    }
}

/// Checks an answer of reduce-groups to a chunk after which others come.
pub(crate) fn check_nothing(answer: &BatchOut) -> Result<(), Verdict> {
    let (rows, columns) = (answer.rows as usize, answer.columns.len());
    if rows == 0 && columns == 0 { Ok(()) } else { Err(Verdict::RowsBeforeLast { rows, columns }) }
}

fn check_origins<'a>(
    told: &OriginsOut,
    memory: &'a [u8],
    (rows, input_rows): (usize, usize),
    scratch: &'a mut Scratch,
) -> Result<Origins<'a>, Verdict> {
    let fault = |what| Err(Verdict::OriginsOutOfRange { what, rows, input_rows });
    match told {
        OriginsOut::Same if rows == input_rows => Ok(Origins::Same),
        OriginsOut::Same => fault("`same` with another number of rows"),
        OriginsOut::Many => Ok(Origins::Many),
        OriginsOut::Rows(told) => match numbers::<u32>(told.of(memory), scratch) {
            Some(told) if told.len() != rows => fault("not one for each row"),
            Some(told) if !all_below(told, input_rows) => fault("a row that was not given"),
            Some(told) => Ok(Origins::Rows(told)),
            None => fault("not a whole number of numbers"),
        },
    }
}

fn check_columns<'a>(
    batch: &BatchOut,
    memory: &'a [u8],
    schema: &'a Schema,
    limits: &Limits,
    (scratch, returned): (&'a mut Scratch, &mut Returned),
) -> Result<Vec<Column<'a>>, Verdict> {
    let got = batch.rows as usize;
    if got > limits.result_rows {
        return Err(Verdict::TooManyRows { limit: limits.result_rows, got });
    }
    let raw: Vec<RawColumn<'a>> = batch
        .columns
        .iter()
        .map(|column| RawColumn {
            validity: column.validity.as_ref().map(|bits| bits.of(memory)),
            offsets: column.offsets.of(memory),
            values: column.values.of(memory),
        })
        .collect();
    let columns = check_batch(schema, got, &raw, scratch)?;
    let bytes = weight(schema, got, &columns);
    if bytes > limits.result_bytes {
        return Err(Verdict::ResultTooLarge { limit: limits.result_bytes });
    }
    returned.rows += got as u64;
    returned.bytes += bytes as u64;
    Ok(columns)
}

fn check_actions(actions: &[u8], groups: usize) -> Result<&[u8], Verdict> {
    let fault = |what| Verdict::WrongActions { what, got: actions.len(), groups };
    if actions.len() != groups {
        return Err(fault("not one for each group"));
    }
    let largest = actions.iter().fold(0, |largest, &action| action.max(largest));
    if largest > 2 { Err(fault("one is none of 0, 1 and 2")) } else { Ok(actions) }
}

fn check_emitted_groups<'a>(
    told: Option<&'a [u8]>,
    (rows, groups): (usize, usize),
    output: &Schema,
    scratch: &'a mut Scratch,
) -> Result<Option<&'a [u32]>, Verdict> {
    let fault = |what| Verdict::EmittedOutOfRange { what, rows, groups };
    if output.is_empty() && rows > 0 {
        return Err(fault("rows from a function whose output has no fields"));
    }
    let Some(told) = told else {
        return if rows <= groups { Ok(None) } else { Err(fault("more rows than groups")) };
    };
    match numbers::<u32>(told, scratch) {
        Some(told) if told.len() != rows => Err(fault("not one for each row")),
        Some(told) if !all_below(told, groups) => Err(fault("a group that was not given")),
        Some(told) => Ok(Some(told)),
        None => Err(fault("not a whole number of numbers")),
    }
}

fn check_wake_times<'a>(bytes: &'a [u8], groups: usize, scratch: &'a mut Scratch) -> Result<&'a [i64], Verdict> {
    let expected = groups.saturating_mul(8);
    match numbers::<i64>(bytes, scratch) {
        Some(times) if bytes.len() == expected => Ok(times),
        _ => Err(Verdict::WrongWakeTimes { expected, got: bytes.len() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Why something is refused; nothing if it is not.
    fn refused<T>(result: Result<T, Verdict>) -> String {
        result.err().map(|verdict| format!("{}: {verdict}", verdict.name())).unwrap_or_default()
    }

    #[track_caller]
    fn check(refused: &str, name: &str, says: &str) {
        assert!(refused.starts_with(name) && refused.contains(says), "{refused:?}");
        assert_eq!(refused.is_empty(), name.is_empty());
    }

    #[test]
    fn there_is_an_action_for_each_group() {
        let actions = |actions: &[u8], groups: usize| refused(check_actions(actions, groups));
        check(&actions(&[], 0), "", "");
        check(&actions(&[0, 1, 2, 2, 0], 5), "", "");
        for wrong in [3, 4, 255] {
            check(&actions(&[0, wrong, 1], 3), "wrong-actions", "one is none of 0, 1 and 2");
        }
        check(&actions(&[0, 1], 3), "wrong-actions", "not one for each group");
        check(&actions(&[0, 1, 1, 1], 3), "wrong-actions", "not one for each group");
    }

    #[test]
    fn emitted_rows_are_of_groups_that_were_given() {
        let emitted = |told: Option<&[u32]>, rows: usize, groups: usize, output: &str| {
            let bytes = told.map(|told| told.iter().flat_map(|group| group.to_le_bytes()).collect::<Vec<u8>>());
            let output: Schema = output.parse().expect("a schema");
            refused(check_emitted_groups(bytes.as_deref(), (rows, groups), &output, &mut Scratch::default()))
        };
        let name = "emitted-out-of-range";
        check(&emitted(None, 0, 0, ""), "", "");
        check(&emitted(None, 0, 3, ""), "", "");
        check(&emitted(None, 1, 3, ""), name, "no fields");
        check(&emitted(Some(&[0]), 1, 3, ""), name, "no fields");
        check(&emitted(None, 3, 3, "n: integer"), "", "");
        check(&emitted(None, 2, 3, "n: integer"), "", "");
        check(&emitted(None, 4, 3, "n: integer"), name, "more rows than groups");
        check(&emitted(Some(&[2, 0, 0, 2]), 4, 3, "n: integer"), "", "");
        check(&emitted(Some(&[2, 0, 3, 2]), 4, 3, "n: integer"), name, "a group that was not given");
        check(&emitted(Some(&[2, 0, 0]), 4, 3, "n: integer"), name, "not one for each row");
        check(&emitted(Some(&[2, 0, 0, 0, 0]), 4, 3, "n: integer"), name, "not one for each row");
        let (output, mut scratch) = ("n: integer".parse().expect("a schema"), Scratch::default());
        let torn = check_emitted_groups(Some(&[0; 7]), (2, 3), &output, &mut scratch);
        check(&refused(torn), name, "not a whole number of numbers");
    }

    #[test]
    fn there_is_a_time_for_each_group() {
        let times =
            |bytes: usize, groups: usize| refused(check_wake_times(&vec![0; bytes], groups, &mut Scratch::default()));
        for (bytes, groups, is_good) in
            [(0, 0, true), (8, 1, true), (24, 3, true), (16, 3, false), (32, 3, false), (20, 3, false)]
        {
            check(&times(bytes, groups), if is_good { "" } else { "wrong-wake-times" }, "");
        }
    }
}

//! How much of a reduce a guest can have at once.

use tidemill_model::{
    limits::Limits,
    schema::{Kind, Schema, Type},
};

/// So large a part of what a call may return goes to accumulators, because an estimate may be wrong.
const PART_OF_RESULT: usize = 4;

/// And of an instance's memory, which holds them more than once: as they came, as the guest keeps them, as it returns
/// them.
const PART_OF_MEMORY: usize = 8;

/// What a text or a list takes of a guest's memory before its first byte, about.
const BLOB_BYTES: usize = 32;

/// Rows after which accumulators whose size is not fixed are looked at for the first time.
pub(super) const FIRST_ROWS: usize = 1 << 12;

/// Accumulators that fit into one instance, and into one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capacity {
    /// So many groups at most; one at least.
    pub(crate) groups: usize,
    /// Bytes of their accumulators, as columns.
    pub(crate) bytes: usize,
}

impl Capacity {
    /// The room for accumulators of this schema in an instance of these limits.
    pub(super) fn of(state: &Schema, limits: &Limits) -> Capacity {
        let bytes = (limits.result_bytes / PART_OF_RESULT).min(limits.memory_bytes / PART_OF_MEMORY);
        Capacity { groups: (bytes / width(state).bytes).min(limits.result_rows).max(1), bytes }
    }
}

/// Bytes of every accumulator of this schema, if they all have the same size.
pub(super) fn fixed_bytes(state: &Schema) -> Option<usize> {
    let width = width(state);
    width.is_fixed.then_some(width.bytes)
}

/// What a row takes at least, and whether that is all.
#[derive(Clone, Copy)]
struct Width {
    bytes: usize,
    is_fixed: bool,
}

fn width(schema: &Schema) -> Width {
    let fields = schema.fields().iter().map(|field| width_of(&field.ty));
    fields.fold(Width { bytes: 1, is_fixed: true }, |all, field| Width {
        bytes: all.bytes + field.bytes,
        is_fixed: all.is_fixed && field.is_fixed,
    })
}

fn width_of(ty: &Type) -> Width {
    match &ty.kind {
        Kind::Integer | Kind::Timestamp | Kind::Float => Width { bytes: 8, is_fixed: true },
        Kind::Boolean => Width { bytes: 1, is_fixed: true },
        Kind::Record(schema) => width(schema),
        Kind::Text | Kind::Bytes | Kind::List(_) | Kind::Any => Width { bytes: BLOB_BYTES, is_fixed: false },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    #[track_caller]
    fn check(state: &str, limits: &Limits, groups: usize, bytes: usize, fixed: Option<usize>) {
        let state = state.parse().unwrap();
        assert_eq!((Capacity::of(&state, limits), fixed_bytes(&state)), (Capacity { groups, bytes }, fixed));
    }

    #[test]
    fn room_follows_limits_and_types() {
        let limits = Limits::default();
        check("n: integer", &limits, (8 << 20) / 9, 8 << 20, Some(9));
        check("n: integer, r: record<a: float, b: boolean>?", &limits, (8 << 20) / 19, 8 << 20, Some(19));
        check("t: text", &limits, (8 << 20) / 33, 8 << 20, None);
        check("n: integer", &Limits { memory_bytes: 1 << 20, ..limits.clone() }, (1 << 17) / 9, 1 << 17, Some(9));
        check("n: integer", &Limits { result_bytes: 400, ..limits.clone() }, 11, 100, Some(9));
        check("n: integer", &Limits { result_rows: 5, ..limits.clone() }, 5, 8 << 20, Some(9));
        check("l: list<text>", &Limits { result_bytes: 4, ..limits }, 1, 1, None);
    }
}

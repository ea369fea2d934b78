//! The functions: their names, kinds and fields.

use crate::bindings::operators::Kind;

/// A function as it is described.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) input: &'static [(&'static str, &'static str)],
    pub(crate) output: &'static [(&'static str, &'static str)],
    pub(crate) state: &'static [(&'static str, &'static str)],
    /// Of the state.
    pub(crate) version: u32,
}

const LINE: &[(&str, &str)] = &[("line", "text")];
const VALUE: &[(&str, &str)] = &[("value", "integer")];
const TOTAL: &[(&str, &str)] = &[("total", "integer")];
const TEXT: &[(&str, &str)] = &[("text", "text")];
const BITS: &[(&str, &str)] = &[("bits", "list<record<on: boolean>>")];
const SUM: &[(&str, &str)] = &[("sum", "integer"), ("was", "text")];

const fn map(name: &'static str) -> Entry {
    Entry { name, kind: Kind::MapRows, input: LINE, output: LINE, state: &[], version: 1 }
}

const fn reduce(name: &'static str) -> Entry {
    Entry { name, kind: Kind::ReduceGroups, input: VALUE, output: TOTAL, state: TOTAL, version: 1 }
}

const fn update(name: &'static str) -> Entry {
    Entry { name, kind: Kind::UpdateStates, input: VALUE, output: &[], state: TOTAL, version: 1 }
}

const fn above(name: &'static str) -> Entry {
    Entry { name, kind: Kind::MapRows, input: VALUE, output: &[("above", "boolean")], state: &[], version: 1 }
}

const fn emitting(name: &'static str) -> Entry {
    Entry { name, kind: Kind::UpdateStates, input: VALUE, output: TOTAL, state: TOTAL, version: 1 }
}

/// An update whose state has another version than the others'.
const fn newer(name: &'static str, version: u32, state: &'static [(&'static str, &'static str)]) -> Entry {
    Entry { name, kind: Kind::UpdateStates, input: VALUE, output: TOTAL, state, version }
}

/// A reduce whose accumulators have another version than the others'.
const fn newer_reduce(name: &'static str, version: u32) -> Entry {
    Entry { name, kind: Kind::ReduceGroups, input: VALUE, output: TOTAL, state: TOTAL, version }
}

/// All functions; what each does is said where it is.
pub(crate) const TABLE: &[Entry] = &[
    // Honest.
    map("identity"),
    Entry {
        name: "length",
        kind: Kind::MapRows,
        input: LINE,
        output: &[("line", "text"), ("length", "integer")],
        state: &[],
        version: 1,
    },
    Entry {
        name: "anything",
        kind: Kind::MapRows,
        input: &[("value", "any")],
        output: &[("value", "any")],
        state: &[],
        version: 1,
    },
    Entry { name: "lines", kind: Kind::OutputRows, input: LINE, output: LINE, state: &[], version: 1 },
    map("odd-rows"),
    Entry { name: "is-yes", kind: Kind::MapRows, input: LINE, output: &[("ok", "boolean")], state: &[], version: 1 },
    Entry { name: "is-panic", kind: Kind::MapRows, input: LINE, output: &[("ok", "boolean")], state: &[], version: 0 },
    Entry { name: "is-fail", kind: Kind::MapRows, input: LINE, output: &[("ok", "boolean")], state: &[], version: 0 },
    map("misaligned"),
    map("counts"),
    Entry { name: "output-counts", kind: Kind::OutputRows, input: LINE, output: LINE, state: &[], version: 1 },
    map("context"),
    Entry {
        name: "is-context",
        kind: Kind::MapRows,
        input: LINE,
        output: &[("ok", "boolean")],
        state: &[],
        version: 1,
    },
    reduce("sum"),
    update("total"),
    emitting("total-emitted"),
    emitting("farewell"),
    update("total-until-zero"),
    update("total-while-busy"),
    update("age"),
    update("in-order"),
    emitting("alarm"),
    emitting("repeats"),
    newer("sum-migrated", 2, SUM),
    newer("sum-migrated-again", 3, SUM),
    newer("alarm-migrated", 2, TOTAL),
    // Takes over accumulators, a thousand times as large.
    newer_reduce("sum-thousandfold", 2),
    // Not the same in another order.
    reduce("last"),
    // Accumulators that are as long as they like.
    Entry { name: "joined", kind: Kind::ReduceGroups, input: VALUE, output: TEXT, state: TEXT, version: 1 },
    update("digits"),
    // Waking without a change.
    emitting("snooze"),
    // Asking for every batch, with a time that has come.
    emitting("always-woken"),
    // Saying much, and where a call stands.
    Entry { name: "is-flood", kind: Kind::MapRows, input: LINE, output: &[("ok", "boolean")], state: &[], version: 1 },
    Entry { name: "lines-flood", kind: Kind::OutputRows, input: LINE, output: LINE, state: &[], version: 1 },
    reduce("sum-flood"),
    update("total-flood"),
    update("chunk"),
    // Counting.
    reduce("sum-counted"),
    update("total-counted"),
    // Taking most rows.
    map("touchy"),
    map("touchy-counted"),
    Entry { name: "touchy-lines", kind: Kind::OutputRows, input: LINE, output: LINE, state: &[], version: 1 },
    reduce("touchy-sum"),
    update("touchy-total"),
    // Making much of little.
    map("tenfold"),
    Entry { name: "bits", kind: Kind::MapRows, input: LINE, output: BITS, state: &[], version: 1 },
    Entry { name: "bits-kept", kind: Kind::UpdateStates, input: VALUE, output: &[], state: BITS, version: 1 },
    // Reading side inputs.
    Entry { name: "scored", kind: Kind::MapRows, input: LINE, output: &[("score", "integer")], state: &[], version: 1 },
    above("is-above"),
    above("keeps-all"),
    above("not-shared"),
    update("weighed"),
    // Not coming back.
    map("loop-forever"),
    map("loops-at-last"),
    map("memory-bomb"),
    map("deep-recursion"),
    map("panics"),
    map("traps"),
    map("fails"),
    map("leaks"),
    map("traps-after"),
    map("bad-allocator"),
    // Too much.
    map("huge-result"),
    map("too-many-rows"),
    map("too-many-rejections"),
    map("log-flood"),
    map("odd-log"),
    map("odd-reasons"),
    map("says-rows"),
    map("many-counters"),
    map("unnamed-counter"),
    // Lies about columns.
    map("outside-memory"),
    map("missing-columns"),
    map("more-columns"),
    map("lying-rows"),
    map("offsets-begin"),
    map("offsets-descend"),
    map("offsets-end"),
    map("offsets-huge"),
    map("values-long"),
    map("bad-utf8"),
    map("cut-character"),
    map("validity-unasked"),
    // Lies about rows.
    map("origins-beyond"),
    map("origins-short"),
    map("origins-odd"),
    map("same-but-fewer"),
    map("rejects-beyond"),
    // At open.
    map("traps-in-open"),
    map("loops-in-open"),
    map("refuses-open"),
    map("other-name"),
    map("other-output"),
    map("open-types"),
    map("bad-types"),
    map("wide-types"),
    // Reduce.
    reduce("more-groups"),
    reduce("rows-early"),
    reduce("reduce-loops"),
    // Update-state.
    update("action-three"),
    update("few-actions"),
    update("few-states"),
    update("short-wake"),
    update("emits-untyped"),
    emitting("emits-beyond"),
    emitting("emits-more"),
    emitting("emits-odd"),
    update("rejects-no-row"),
    // Migrations.
    newer("migrate-few", 2, TOTAL),
    newer("migrate-more-columns", 2, TOTAL),
    newer("migrate-bad-text", 2, SUM),
    newer("migrate-fails", 2, TOTAL),
    newer("migrate-panics", 2, TOTAL),
    newer("migrate-loops", 2, TOTAL),
    newer("migrate-huge-result", 2, TOTAL),
    newer_reduce("migrate-sum-fails", 2),
];

thread_local! {
    static OPENED: std::cell::Cell<&'static str> = const { std::cell::Cell::new("") };
}

/// Remembers the function that this instance serves.
pub(crate) fn set_opened(name: &'static str) {
    OPENED.set(name);
}

/// The function that this instance serves.
pub(crate) fn opened() -> &'static str {
    OPENED.get()
}

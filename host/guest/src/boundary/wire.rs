//! The types of the WIT package as they are lowered and lifted, and the shapes of the exports.

use tidemill_model::{
    columns::{Column, Rows},
    function::{CallContext, Phase},
};
use wasmtime::component::{ComponentType, Lift, Lower};

use super::{Shape, Span, TextSpan};

// === What the guest gets ===

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(record)]
pub(crate) struct ColumnIn<'a> {
    validity: Option<&'a [u8]>,
    offsets: &'a [u8],
    values: &'a [u8],
}

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(record)]
pub(crate) struct BatchIn<'a> {
    rows: u32,
    columns: &'a [ColumnIn<'a>],
}

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(record)]
pub(crate) struct FieldIn<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: &'a str,
}

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(record)]
pub(crate) struct BindingIn<'a> {
    pub(crate) function: u32,
    pub(crate) keys: &'a [FieldIn<'a>],
    pub(crate) input: &'a [FieldIn<'a>],
    pub(crate) parameters: &'a [(&'a str, &'a str)],
}

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(record)]
pub(crate) struct ContextIn {
    #[component(name = "batch-time")]
    batch_time: i64,
    interval: i64,
    watermark: Option<i64>,
    partition: u32,
    partitions: u32,
    chunk: u32,
    last: bool,
}

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum PhaseIn {
    #[component(name = "combine")]
    Combine,
    #[component(name = "merge")]
    Merge,
    #[component(name = "finish")]
    Finish,
    #[component(name = "subtract")]
    Subtract,
}

impl<'a> ColumnIn<'a> {
    pub(crate) fn all(rows: &Rows<'a>) -> Vec<ColumnIn<'a>> {
        let one = |column: &Column<'a>| ColumnIn {
            validity: column.validity,
            offsets: bytemuck::cast_slice(column.offsets),
            values: column.values,
        };
        rows.columns.iter().map(one).collect()
    }
}

impl<'a> BatchIn<'a> {
    /// The batch of `columns`, or `None` if it has more rows than the package's numbers can say.
    pub(crate) fn new(rows: usize, columns: &'a [ColumnIn<'a>]) -> Option<BatchIn<'a>> {
        Some(BatchIn { rows: u32::try_from(rows).ok()?, columns })
    }
}

impl From<&CallContext> for ContextIn {
    fn from(context: &CallContext) -> ContextIn {
        ContextIn {
            batch_time: context.batch_time.0,
            interval: context.interval_micros,
            watermark: None,
            partition: context.partition,
            partitions: context.partitions,
            chunk: context.chunk,
            last: context.last,
        }
    }
}

impl From<Phase> for PhaseIn {
    fn from(phase: Phase) -> PhaseIn {
        match phase {
            Phase::Combine => PhaseIn::Combine,
            Phase::Merge => PhaseIn::Merge,
            Phase::Finish => PhaseIn::Finish,
            Phase::Subtract => PhaseIn::Subtract,
        }
    }
}

// === What the guest answers ===

#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct FieldOut {
    pub(crate) name: String,
    pub(crate) kind: String,
}

#[derive(ComponentType, Lift, Clone, Copy, Default)]
#[component(enum)]
#[repr(u8)]
#[cfg_attr(not(test), expect(dead_code, reason = "lifting makes them from their numbers"))]
pub(crate) enum KindOut {
    #[default]
    #[component(name = "map-rows")]
    MapRows,
    #[component(name = "reduce-groups")]
    ReduceGroups,
    #[component(name = "update-states")]
    UpdateStates,
    #[component(name = "output-rows")]
    OutputRows,
}

#[derive(ComponentType, Lift, Default)]
#[component(record)]
pub(crate) struct SignatureOut {
    pub(crate) name: String,
    pub(crate) kind: KindOut,
    pub(crate) doc: String,
    pub(crate) input: Vec<FieldOut>,
    pub(crate) output: Vec<FieldOut>,
    pub(crate) state: Vec<FieldOut>,
    #[component(name = "state-version")]
    pub(crate) state_version: u32,
    #[component(name = "whole-partition")]
    pub(crate) whole_partition: bool,
    pub(crate) finishes: bool,
    pub(crate) invertible: bool,
    pub(crate) shared: Vec<(String, Vec<FieldOut>)>,
}

#[derive(ComponentType, Lift, Default)]
#[component(record)]
pub(crate) struct DescriptionOut {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) functions: Vec<SignatureOut>,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct ColumnOut {
    pub(crate) validity: Option<Span>,
    pub(crate) offsets: Span,
    pub(crate) values: Span,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct BatchOut {
    pub(crate) rows: u32,
    pub(crate) columns: Vec<ColumnOut>,
}

/// There can be as many as rows, and few reasons are ever read: they stay where they are.
#[derive(ComponentType, Lift, Clone, Copy, Debug)]
#[component(record)]
pub(crate) struct RejectionOut {
    pub(crate) row: u32,
    pub(crate) reason: TextSpan,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct FailureOut {
    pub(crate) reason: String,
    pub(crate) retryable: bool,
}

#[derive(ComponentType, Lift)]
#[component(variant)]
pub(crate) enum OriginsOut {
    #[component(name = "same")]
    Same,
    #[component(name = "rows")]
    Rows(Span),
    #[component(name = "many")]
    Many,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct MappedOut {
    pub(crate) rows: BatchOut,
    pub(crate) origins: OriginsOut,
    pub(crate) rejected: Vec<RejectionOut>,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct ChangesOut {
    pub(crate) actions: Span,
    pub(crate) states: BatchOut,
    pub(crate) emitted: BatchOut,
    #[component(name = "emitted-groups")]
    pub(crate) emitted_groups: Option<Span>,
    #[component(name = "wake-at")]
    pub(crate) wake_at: Option<Span>,
    pub(crate) rejected: Vec<RejectionOut>,
}

// === The exports ===

/// What an entry point answers: its result, or that the whole call failed.
pub(crate) type Answer<T> = Result<T, FailureOut>;

pub(crate) struct Describe;
pub(crate) struct Open;
pub(crate) struct MapRows;
pub(crate) struct ReduceGroups;
pub(crate) struct UpdateStates;
pub(crate) struct MigrateStates;
pub(crate) struct OutputRows;
pub(crate) struct Share;

impl Shape for Describe {
    const NAME: &'static str = "describe";
    type Params<'a> = ();
    type Answer = DescriptionOut;
}

impl Shape for Open {
    const NAME: &'static str = "open";
    type Params<'a> = (BindingIn<'a>,);
    type Answer = Answer<SignatureOut>;
}

impl Shape for Share {
    const NAME: &'static str = "share";
    type Params<'a> = (&'a str, BatchIn<'a>);
    type Answer = Answer<()>;
}

impl Shape for MapRows {
    const NAME: &'static str = "map-rows";
    type Params<'a> = (ContextIn, BatchIn<'a>);
    type Answer = Answer<MappedOut>;
}

impl Shape for ReduceGroups {
    const NAME: &'static str = "reduce-groups";
    type Params<'a> = (ContextIn, PhaseIn, BatchIn<'a>, &'a [u8], u32);
    type Answer = Answer<BatchOut>;
}

impl Shape for UpdateStates {
    const NAME: &'static str = "update-states";
    type Params<'a> = (ContextIn, BatchIn<'a>, BatchIn<'a>, &'a [u8], BatchIn<'a>, &'a [u8], &'a [u8]);
    type Answer = Answer<ChangesOut>;
}

impl Shape for MigrateStates {
    const NAME: &'static str = "migrate-states";
    type Params<'a> = (u32, &'a [FieldIn<'a>], BatchIn<'a>);
    type Answer = Answer<BatchOut>;
}

impl Shape for OutputRows {
    const NAME: &'static str = "output-rows";
    type Params<'a> = (ContextIn, BatchIn<'a>);
    type Answer = Answer<MappedOut>;
}

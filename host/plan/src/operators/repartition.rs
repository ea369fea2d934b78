//! `repartition`: the rows of a stream, spread over other partitions.

use super::{
    Entry, Inputs, OperatorKind, Page,
    page::{Form, Reads},
};
use crate::{
    diagnostics::Diagnostics,
    document::Value,
    graph::{Node, Operator, Role, Way},
    reader::{Reader, values},
    resolve::Plugins,
};

pub(super) struct Repartition;

#[derive(Debug)]
struct RepartitionEntry(u32);

impl OperatorKind for Repartition {
    fn page(&self) -> &'static Page {
        const FORM: Form = Form {
            written: &["repartition = 8"],
            beside: &[],
            rows: "the rows, spread over so many partitions: a source's in chunks of 128 KiB, others evenly. They keep their order",
            holds: "nothing",
        };
        &Page { key: "repartition", reads: Reads::One, forms: &[FORM] }
    }

    fn read(&self, value: &Value, reader: &mut Reader<'_, '_>) -> Option<Box<dyn Entry>> {
        let range = 1..=values::PARTITIONS_MAX.into();
        let partitions = values::integer(value, "`repartition`", range, reader.diagnostics)?;
        Some(Box::new(RepartitionEntry(u32::try_from(partitions).ok()?)))
    }
}

impl Entry for RepartitionEntry {
    fn resolve(&self, inputs: &Inputs<'_>, _: &Plugins<'_>, _: &mut Diagnostics) -> Option<Node> {
        let RepartitionEntry(partitions) = *self;
        let (operator, way) = (Operator::Repartition(partitions), Way::Round { partitions });
        Some(Node::new(operator, inputs.first()?.schema.clone(), Role::Pass, way))
    }
}

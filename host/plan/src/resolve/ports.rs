//! What stands beside a stream and is read as one: its states, and the rows that its function did not take.

use tidemill_model::schema::Schema;

use super::dead_letters;
use crate::{
    diagnostics::{Diagnostic, Diagnostics},
    document::Name,
    graph::{Node, NodeId, Placement, Port, Way},
    operators,
};

/// The stream of what stands beside a node, if there is such a thing; that there is not is reported where it is read.
pub(super) fn beside(
    nodes: &[Node],
    id: NodeId,
    port: Port,
    read_as: &Name,
    diagnostics: &mut Diagnostics,
) -> Option<Node> {
    let of = &nodes[id.0];
    let (schema, placement, way) = match port {
        Port::Rows => return None,
        Port::State => (of.state.clone(), Placement::AsInput, Way::Here),
        Port::Rejected => (rejected(of), Placement::Unknown, way_of_rejected(of)),
    };
    let Some(schema) = schema else {
        diagnostics.push(nothing(of, port, read_as));
        return None;
    };
    let name = read_as.text.clone();
    Some(Node { name, inputs: vec![id], reads: port, placement, ..operators::beside::node(schema, way) })
}

/// What is told of a row that a function did not take.
fn rejected(node: &Node) -> Option<Schema> {
    node.may_fail()?;
    Some(dead_letters::schema(node.letters.key.as_ref(), &node.letters.values))
}

/// Of a node with several parts they come from each of them.
fn way_of_rejected(node: &Node) -> Way {
    if node.parts.len() > 1 { Way::One { rows_max: None } } else { Way::Here }
}

fn nothing(of: &Node, port: Port, read_as: &Name) -> Diagnostic {
    let (message, help) = match port {
        Port::State => ("keeps no state for each key", "an `update-state` does"),
        _ => ("calls no function that could leave a row", "a map, filter, reduce or update-state of a plugin does"),
    };
    Diagnostic::error(read_as.span, format!("stream `{}` {message}", of.name)).label("nothing beside it").help(help)
}

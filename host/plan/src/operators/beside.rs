//! What stands beside a stream, as a stream of its own. It is not written as an operator: who reads `NAME.state` makes one.

use tidemill_model::schema::Schema;

use crate::graph::{Node, Operator, Role, Way};

/// A node that hands on what it reads.
pub(crate) fn node(schema: Schema, way: Way) -> Node {
    Node::new(Operator::Beside, schema, Role::Pass, way)
}

//! Which operator does what a part of a node says. A new one is a line in [`RECIPES`].

use tidemill_model::schema::Schema;
use tidemill_plan::graph::{Keys, Node, Role};

use super::{
    Guests, Operator, Pass, Policy, combine, filter, group, join, map, merge, order, sample, table, top, update_state,
    window, window_merge,
};
use crate::{failure::RunError, presence::Presence};

/// How the operator of a role is made.
pub(crate) struct Recipe {
    role: Role,
    /// Makes it for one partition.
    pub(crate) make: fn(Making<'_>) -> Result<Box<dyn Operator>, RunError>,
    /// What rows it takes, if that is not what the node reads.
    pub(crate) takes: Option<Takes>,
}

type Takes = fn(&Making<'_>) -> Result<Schema, RunError>;

/// What an operator is made from.
pub(crate) struct Making<'a> {
    pub(crate) node: &'a Node,
    /// What it reads; itself, of a source.
    pub(crate) inputs: Vec<&'a Node>,
    pub(crate) guests: &'a Guests,
    /// Whether it has a batch.
    pub(crate) presence: &'a Presence,
    /// Of the pipeline.
    pub(crate) partitions: u32,
    /// Of how many streams the rows of its stage come one after the other.
    pub(crate) origins: u32,
    /// For the hashes of keys.
    pub(crate) seed: u64,
    /// What is done about failing calls, if it makes any.
    pub(crate) policy: Option<Policy>,
}

impl<'a> Making<'a> {
    /// How its rows come to it by key.
    pub(crate) fn keys(&self) -> &'a Keys {
        self.node.keys().unwrap_or_else(|| unreachable!("`{}` has rows by key", self.node.name))
    }
}

static RECIPES: &[Recipe] = &[
    Recipe { role: Role::Pass, make: |_| Ok(Box::new(Pass)), takes: None },
    Recipe { role: Role::Map, make: map::make, takes: None },
    Recipe { role: Role::Filter, make: filter::make, takes: None },
    Recipe { role: Role::Combine, make: combine::make, takes: None },
    Recipe { role: Role::Merge, make: merge::make, takes: Some(merge::takes) },
    Recipe { role: Role::WindowMerge, make: window_merge::make, takes: Some(merge::takes) },
    Recipe { role: Role::UpdateState, make: update_state::make, takes: None },
    Recipe { role: Role::Window, make: window::make, takes: None },
    Recipe { role: Role::Group, make: group::make, takes: None },
    Recipe { role: Role::Join, make: join::make, takes: None },
    Recipe { role: Role::Sort, make: order::make_sort, takes: None },
    Recipe { role: Role::Limit, make: order::make_limit, takes: None },
    Recipe { role: Role::Top, make: top::make, takes: None },
    Recipe { role: Role::Sample, make: sample::make, takes: None },
    Recipe { role: Role::Table, make: table::make, takes: None },
];

impl Recipe {
    /// That of a role.
    pub(crate) fn of(role: Role) -> &'static Recipe {
        let found = RECIPES.iter().find(|recipe| recipe.role == role);
        found.unwrap_or_else(|| unreachable!("{role:?} has no recipe"))
    }
}

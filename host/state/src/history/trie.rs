//! Small tries over times, in one pool of nodes: the shape of each hangs on the times that it has, and on nothing else.

/// No node.
pub(super) const NONE: u32 = u32::MAX;

/// Tries of all keys. Nodes keep their numbers, so that others can be kept beside them.
#[derive(Debug, Default)]
pub(super) struct Tries {
    nodes: Vec<Node>,
    /// For each node whether what it stands for is there: always, of a leaf.
    merged: Vec<bool>,
    free: Vec<u32>,
}

/// A leaf, or an aligned range of times of which both halves have leaves.
#[derive(Clone, Copy, Debug)]
struct Node {
    /// A time in the range.
    at: u64,
    /// The older half; of a leaf its row in the pane.
    left: u32,
    right: u32,
    /// The range has 2 to this many times. A leaf is of one.
    level: u8,
}

impl Node {
    /// Whether a time of the range is in the newer half.
    fn is_right(&self, at: u64) -> bool {
        at >> (self.level - 1) & 1 == 1
    }
}

/// How many of the low bits differ.
fn level_between(one: u64, other: u64) -> u8 {
    (u64::BITS - (one ^ other).leading_zeros()) as u8
}

impl Tries {
    /// How many numbers of nodes there are.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>() + self.merged.capacity() + self.free.capacity() * 4
    }

    /// Whether each node is merged, by number.
    pub(super) fn merged(&self) -> &[bool] {
        &self.merged
    }

    pub(super) fn set_merged(&mut self, node: u32) {
        self.merged[node as usize] = true;
    }

    /// The halves of a node; `None`: it is a leaf.
    pub(super) fn halves(&self, node: u32) -> Option<[u32; 2]> {
        let Node { left, right, level, .. } = self.nodes[node as usize];
        (level > 0).then_some([left, right])
    }

    /// The oldest time below a node, and the row that it has in its pane.
    pub(super) fn first(&self, root: u32) -> (u64, u32) {
        let mut here = root;
        while let Some([left, _]) = self.halves(here) {
            here = left;
        }
        let leaf = self.nodes[here as usize];
        (leaf.at, leaf.left)
    }

    /// Adds a time; gives the root, and the leaf, unless the time was there. What is above it is not merged any more.
    pub(super) fn insert(&mut self, root: u32, at: u64, row: u32) -> (u32, Option<u32>) {
        if root == NONE {
            let leaf = self.leaf(at, row);
            return (leaf, Some(leaf));
        }
        let (mut above, mut here) = (NONE, root);
        loop {
            let node = self.nodes[here as usize];
            let level = level_between(at, node.at);
            if level > node.level {
                let leaf = self.leaf(at, row);
                let mut inner = Node { at, left: here, right: leaf, level };
                if !inner.is_right(at) {
                    (inner.left, inner.right) = (leaf, here);
                }
                let inner = self.add(inner, false);
                return (self.put_below(root, above, at, inner), Some(leaf));
            }
            if node.level == 0 {
                return (root, None);
            }
            self.merged[here as usize] = false;
            above = here;
            here = if node.is_right(at) { node.right } else { node.left };
        }
    }

    /// Takes a time away; gives the root, and the nodes that are free now. What was above it is not merged any more.
    pub(super) fn remove(&mut self, root: u32, at: u64) -> (u32, Vec<u32>) {
        let (mut before, mut above, mut here) = (NONE, NONE, root);
        while here != NONE && self.nodes[here as usize].level > 0 {
            let node = self.nodes[here as usize];
            if level_between(at, node.at) > node.level {
                return (root, Vec::new());
            }
            self.merged[here as usize] = false;
            (before, above) = (above, here);
            here = if node.is_right(at) { node.right } else { node.left };
        }
        if here == NONE || self.nodes[here as usize].at != at {
            return (root, Vec::new());
        }
        self.free.push(here);
        if above == NONE {
            return (NONE, vec![here]);
        }
        let node = self.nodes[above as usize];
        let other = if node.is_right(at) { node.left } else { node.right };
        self.free.push(above);
        (self.put_below(root, before, at, other), vec![here, above])
    }

    /// Puts a node where the way to a time goes on below `above`; gives the root.
    fn put_below(&mut self, root: u32, above: u32, at: u64, node: u32) -> u32 {
        if above == NONE {
            return node;
        }
        let above = &mut self.nodes[above as usize];
        let half = if above.is_right(at) { &mut above.right } else { &mut above.left };
        *half = node;
        root
    }

    fn leaf(&mut self, at: u64, row: u32) -> u32 {
        self.add(Node { at, left: row, right: NONE, level: 0 }, true)
    }

    fn add(&mut self, node: Node, merged: bool) -> u32 {
        if let Some(free) = self.free.pop() {
            self.nodes[free as usize] = node;
            self.merged[free as usize] = merged;
            return free;
        }
        self.nodes.push(node);
        self.merged.push(merged);
        self.nodes.len() as u32 - 1
    }
}

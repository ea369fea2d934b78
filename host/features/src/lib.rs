//! No code: the manifest names the features of the dependencies, so that they are compiled once, whichever crates of the
//! workspace are built or tested.

//! From a pipeline's TOML to a typed graph and the stages that run it. Pure: no file is read and no plugin is called
//! here; what plugins say comes in through [`Functions`].

pub mod graph;

//! The nouns of Tidemill: types and schemas, columns, keys and their placement, times, what a plugin's functions look
//! like, what sources and sinks are configured with, and the ports through which the engine reaches the world.
//!
//! It is not a place for behaviour: no async, no clock, no file system, nothing that runs a pipeline.
//!
//! ```
//! use tidemill_model::schema::Schema;
//!
//! let schema: Schema = "word: text, count: integer?".parse().expect("a schema");
//! assert_eq!(schema.to_string(), "word: text, count: integer?");
//! ```

#![forbid(unsafe_code)]

pub mod columns;
pub mod connector;
pub mod function;
pub mod key;
pub mod limits;
pub mod object_url;
pub mod ports;
pub mod schema;
pub mod table;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod text;
pub mod time;

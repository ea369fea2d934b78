//! Golden vectors of the durable key format. They never change.

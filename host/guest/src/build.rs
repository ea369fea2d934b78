//! Builds guests with cargo.

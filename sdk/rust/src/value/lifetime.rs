//! Types whose lifetime was left out.

/// What a function of `&()` returns for the lifetime `'a`: a macro sees of `Seen` whether it is `Seen<'_>` only so, because
/// `fn(&()) -> Seen` is both.
pub trait For<'a> {
    /// `Seen<'a>`, or `Seen`.
    type Type;
}

impl<'a, F: Fn(&'a ()) -> T, T> For<'a> for F {
    type Type = T;
}

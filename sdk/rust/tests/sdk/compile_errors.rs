//! What the compiler says to an author who got something wrong. `TRYBUILD=overwrite` writes what it says now.

#[test]
fn mistakes_are_told_where_they_are() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}

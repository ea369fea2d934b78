use tidemill_sdk::testing;

use super::*;

#[test]
fn clusters_go_where_points_are() -> Result<(), testing::Failed> {
    let kit = testing::Kit::new().parameter("centers", "0 0;10 10").parameter("decay", "0.5");
    let mut models = kit.keyed::<centers, bool>();
    models.batch([(true, vec![1.0, 0.0]), (true, vec![3.0, 0.0]), (true, vec![9.0, 9.0])])?;
    let center = |x, y, weight| Center { at: vec![x, y], weight };
    assert_eq!(models.states(), [(true, vec![center(2.0, 0.0, 2.0), center(9.0, 9.0, 1.0)])]);
    models.batch([(true, vec![4.0, 0.0])])?;
    assert_eq!(models.states(), [(true, vec![center(3.0, 0.0, 2.0), center(9.0, 9.0, 0.5)])]);
    Ok(())
}

#[test]
fn a_line_is_found() -> Result<(), testing::Failed> {
    let kit = testing::Kit::new().parameter("iterations", "200").parameter("step", "0.5");
    let mut models = kit.keyed::<weights, bool>();
    let example = |x: f64, y: f64| (true, Example { label: 3.0 * x - y, at: vec![x, y] });
    models.batch([example(1.0, 0.0), example(0.0, 1.0), example(1.0, 1.0), example(-1.0, 0.5)])?;
    let found = &models.states()[0].1;
    assert!((found[0] - 3.0).abs() < 0.01 && (found[1] + 1.0).abs() < 0.01, "{found:?}");
    Ok(())
}

#[test]
fn lines_are_points() {
    let out = testing::map::<point>(["1 2.5 -3", "x"]);
    assert_eq!(out.rows(), [Point { model: true, label: 1.0, at: vec![2.5, -3.0] }]);
    assert_eq!(out.rejected().len(), 1);
}

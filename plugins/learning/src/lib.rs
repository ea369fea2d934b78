//! Models that learn from each batch: clusters by k-means, and a line by least squares. The formulas are those of the streaming
//! models of Spark's MLlib; a cluster that dies is not brought back by splitting another.

use tidemill_sdk::prelude::*;

/// A point, of the one model that there is.
#[derive(Clone, Debug, PartialEq, Record)]
struct Point {
    model: bool,
    label: f64,
    at: Vec<f64>,
}

/// A line `label x y ...`, numbers with blanks between them.
#[map]
fn point(line: &str) -> Result<Point, std::num::ParseFloatError> {
    let mut numbers = line.split_whitespace().map(str::parse);
    let label = numbers.next().unwrap_or(Ok(0.0))?;
    Ok(Point { model: true, label, at: numbers.collect::<Result<_, _>>()? })
}

/// The middle of a cluster.
#[derive(Clone, Debug, PartialEq, Record)]
struct Center {
    at: Vec<f64>,
    weight: f64,
}

/// Where clusters begin, and how fast they forget.
#[derive(Debug, Parameters)]
struct Clusters {
    /// Points with `;` between them.
    centers: String,
    /// What the points of earlier batches count in the next one: 1 all, 0 nothing.
    #[parameter(default = 1.0)]
    decay: f64,
}

/// The middles of clusters: each point belongs to the nearest one, which goes towards the mean of its points.
#[update_state]
fn centers(context: &Context<Clusters>, new: Values<'_, Vec<f64>>, centers: Option<Vec<Center>>) -> Vec<Center> {
    let Clusters { centers: first, decay } = context.parameters();
    let mut centers = centers.unwrap_or_else(|| first.split(';').map(center).collect());
    let mut sums: Vec<(Vec<f64>, f64)> = centers.iter().map(|center| (vec![0.0; center.at.len()], 0.0)).collect();
    for at in new.iter() {
        let (sum, count) = &mut sums[nearest(&centers, &at)];
        sum.iter_mut().zip(&at).for_each(|(sum, x)| *sum += x);
        *count += 1.0;
    }
    for (center, (sum, count)) in centers.iter_mut().zip(&sums) {
        center.weight = center.weight * decay + count;
        if *count > 0.0 {
            let part = count / center.weight;
            center.at.iter_mut().zip(sum).for_each(|(x, sum)| *x = (1.0 - part) * *x + part * (sum / count));
        }
    }
    centers
}

fn center(text: &str) -> Center {
    Center { at: text.split_whitespace().filter_map(|x| x.parse().ok()).collect(), weight: 0.0 }
}

fn nearest(centers: &[Center], at: &[f64]) -> usize {
    let distance = |center: &Center| -> f64 { center.at.iter().zip(at).map(|(a, b)| (a - b) * (a - b)).sum() };
    let distances = centers.iter().map(distance).enumerate();
    distances.min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(number, _)| number)
}

/// Clusters, a row each.
#[map]
fn each_center(centers: Vec<Center>) -> Vec<Center> {
    centers
}

/// A point and the number of its cluster.
#[derive(Clone, Debug, PartialEq, Record)]
struct Assigned {
    label: f64,
    cluster: i64,
}

/// Which cluster a point belongs to.
#[map]
fn assign(label: f64, at: Vec<f64>, centers: Vec<Center>) -> Assigned {
    Assigned { label, cluster: nearest(&centers, &at) as i64 }
}

/// How a line is found.
#[derive(Debug, Parameters)]
struct Descent {
    #[parameter(default = 0.1)]
    step: f64,
    #[parameter(default = 50)]
    iterations: i64,
}

/// An example: what comes out where.
#[derive(Clone, Debug, PartialEq, Record)]
struct Example {
    label: f64,
    at: Vec<f64>,
}

/// The weights of a linear model: in each batch so many steps down the mean square of its errors, each shorter than the one before.
#[update_state]
fn weights(context: &Context<Descent>, new: Values<'_, Example>, weights: Option<Vec<f64>>) -> Option<Vec<f64>> {
    let Descent { step, iterations } = context.parameters();
    let examples: Vec<Example> = new.iter().collect();
    let mut weights = weights.or_else(|| Some(vec![0.0; examples.first()?.at.len()]))?;
    for number in 1..=*iterations {
        let mut gradient = vec![0.0; weights.len()];
        for Example { label, at } in &examples {
            let error = predicted(&weights, at) - label;
            gradient.iter_mut().zip(at).for_each(|(sum, x)| *sum += error * x);
        }
        let length = step / (number as f64).sqrt() / examples.len() as f64;
        weights.iter_mut().zip(&gradient).for_each(|(weight, sum)| *weight -= length * sum);
    }
    Some(weights)
}

fn predicted(weights: &[f64], at: &[f64]) -> f64 {
    weights.iter().zip(at).map(|(weight, x)| weight * x).sum()
}

/// What should come out, and what the model says.
#[derive(Clone, Debug, PartialEq, Record)]
struct Predicted {
    label: f64,
    predicted: f64,
}

/// What a model says of a point.
#[map]
fn predict(label: f64, at: Vec<f64>, weights: Vec<f64>) -> Predicted {
    Predicted { label, predicted: predicted(&weights, &at) }
}

plugin!(point, centers, each_center, assign, weights, predict);

#[cfg(test)]
mod tests;

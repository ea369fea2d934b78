//! A mergeable digest of numbers, after Dunning's t-digest: centroids in order, small ones at the ends.

use tidemill_sdk::prelude::*;

/// With more centroids neighbours are put together.
const CENTROIDS_MAX: usize = 1_000;

/// So many are left then, about.
const CENTROIDS: f64 = 200.0;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Record)]
pub struct Digest {
    pub means: Vec<f64>,
    pub weights: Vec<i64>,
}

impl Digest {
    /// Of one number.
    pub fn of(number: i64) -> Digest {
        Digest { means: vec![number as f64], weights: vec![1] }
    }

    /// A number more.
    pub fn add(&mut self, number: i64) {
        self.put(number as f64, 1);
        self.compress();
    }

    /// The numbers of another digest too.
    pub fn merge(&mut self, other: Digest) {
        other.means.into_iter().zip(other.weights).for_each(|(mean, weight)| self.put(mean, weight));
        self.compress();
    }

    /// The number, about, with so large a part of all before it.
    pub fn at(self, part: f64) -> f64 {
        let all: i64 = self.weights.iter().sum();
        let number = ((part * all as f64).floor() as i64).clamp(0, all - 1);
        let mut before = 0;
        let centroids = self.means.iter().zip(&self.weights);
        let mut from_there = centroids.skip_while(|(_, weight)| {
            before += **weight;
            before <= number
        });
        from_there.next().map_or(f64::NAN, |(mean, _)| *mean)
    }

    fn put(&mut self, mean: f64, weight: i64) {
        let place = self.means.partition_point(|other| *other < mean);
        if self.means.get(place) == Some(&mean) {
            self.weights[place] += weight;
        } else {
            self.means.insert(place, mean);
            self.weights.insert(place, weight);
        }
    }

    /// Puts neighbours together as long as each has at most a step of the scale: k(q) = CENTROIDS / 2 pi * asin(2q - 1).
    fn compress(&mut self) {
        if self.means.len() <= CENTROIDS_MAX {
            return;
        }
        let all: i64 = self.weights.iter().sum();
        let scale = |before: i64| CENTROIDS / std::f64::consts::TAU * (2.0 * before as f64 / all as f64 - 1.0).asin();
        let mut made = Digest::default();
        let (mut before, mut began) = (0, 0);
        for (mean, weight) in std::mem::take(&mut self.means).into_iter().zip(std::mem::take(&mut self.weights)) {
            match (made.means.last_mut(), made.weights.last_mut()) {
                (Some(last), Some(so_far)) if scale(before + weight) - scale(began) <= 1.0 => {
                    *so_far += weight;
                    *last += (mean - *last) * weight as f64 / *so_far as f64;
                }
                _ => {
                    began = before;
                    made.means.push(mean);
                    made.weights.push(weight);
                }
            }
            before += weight;
        }
        *self = made;
    }
}

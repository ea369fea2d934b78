//! HyperLogLog, after Flajolet, Fusy, Gandouet and Meunier (2007), with their correction for few values.

use tidemill_sdk::prelude::*;

use super::hash;

/// Bits of a hash that choose a register: 4,096 of them, an error of about 1.04 / 64.
const BITS: u32 = 12;
const REGISTERS: usize = 1 << BITS;

/// For each register the longest run of zeros that it has seen, and one more.
#[derive(Clone, Debug, PartialEq, Eq, Record)]
pub struct Registers {
    runs: Vec<u8>,
}

impl Registers {
    /// Of one value.
    pub fn of(value: &str) -> Registers {
        let mut registers = Registers { runs: vec![0; REGISTERS] };
        registers.add(value);
        registers
    }

    /// A value more.
    pub fn add(&mut self, value: &str) {
        let hash = hash(value, 0);
        let run = &mut self.runs[(hash >> (64 - BITS)) as usize];
        let zeros = (hash << BITS).leading_zeros().min(64 - BITS);
        *run = (*run).max(zeros as u8 + 1);
    }

    /// The values of others too.
    pub fn merge(&mut self, other: &Registers) {
        self.runs.iter_mut().zip(&other.runs).for_each(|(ours, theirs)| *ours = (*ours).max(*theirs));
    }

    /// About how many different values there were.
    pub fn estimate(self) -> i64 {
        let registers = REGISTERS as f64;
        let sum: f64 = self.runs.iter().map(|&run| 1.0 / (1_u64 << run) as f64).sum();
        let estimate = 0.7213 / (1.0 + 1.079 / registers) * registers * registers / sum;
        let empty = self.runs.iter().filter(|&&run| run == 0).count();
        let few = if empty > 0 { registers * (registers / empty as f64).ln() } else { estimate };
        (if estimate <= 2.5 * registers { few } else { estimate }).round() as i64
    }
}

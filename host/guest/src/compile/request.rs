//! What a compiling process is told: one word on its command line.

use std::{fmt, str::FromStr};

use tidemill_model::limits::Limits;

/// Bounds for compiling one component, which comes on standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileRequest {
    /// The process that asks: without it nobody wants the code any more.
    pub(super) parent: u32,
    pub(super) seconds: u64,
    pub(super) memory_bytes: u64,
    pub(super) component_bytes: u64,
}

impl CompileRequest {
    pub(super) fn new(component: &[u8], limits: &Limits) -> CompileRequest {
        CompileRequest {
            parent: std::process::id(),
            seconds: seconds(limits),
            memory_bytes: limits.compile_memory as u64,
            component_bytes: component.len() as u64,
        }
    }
}

/// The kernel counts processors' time in seconds, and none is no limit.
pub(super) fn seconds(limits: &Limits) -> u64 {
    let time = limits.compile_time;
    (time.as_secs() + u64::from(time.subsec_nanos() > 0)).max(1)
}

impl fmt::Display for CompileRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CompileRequest { parent, seconds, memory_bytes, component_bytes } = self;
        write!(f, "{parent},{seconds},{memory_bytes},{component_bytes}")
    }
}

impl FromStr for CompileRequest {
    type Err = String;

    fn from_str(text: &str) -> Result<CompileRequest, String> {
        let numbers: Option<Vec<u64>> = text.split(',').map(|number| number.parse().ok()).collect();
        match numbers.as_deref() {
            Some(&[parent, seconds, memory_bytes, component_bytes]) => {
                let parent = u32::try_from(parent).map_err(|_| "the first number is no process".to_owned())?;
                Ok(CompileRequest { parent, seconds, memory_bytes, component_bytes })
            }
            _ => Err("four numbers are needed: this is for the program itself".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_request_is_read_as_it_was_written() {
        let limits = Limits { compile_time: Duration::from_millis(1_500), compile_memory: 77, ..Limits::default() };
        let request = CompileRequest::new(b"four", &limits);
        assert_eq!((request.seconds, request.memory_bytes, request.component_bytes), (2, 77, 4));
        assert_eq!(request.to_string().parse(), Ok(request));
        for wrong in ["", "1,2,3", "1,2,3,4,5", "1,2,3,x", "1,2,3,-4", "4294967296,2,3,4"] {
            assert!(wrong.parse::<CompileRequest>().is_err(), "{wrong}");
        }
    }
}

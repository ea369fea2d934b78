use tidemill_sdk::prelude::*;

mod other {
    use tidemill_sdk::prelude::*;

    #[map]
    pub fn good(number: i64) -> i64 {
        number
    }
}

#[map]
fn good(number: i64) -> i64 {
    number
}

mod first {
    tidemill_sdk::plugin!(super::good, super::other::good);
}

mod second {
    tidemill_sdk::plugin!();
}

mod third {
    tidemill_sdk::plugin!(|number: i64| number);
}

fn main() {}

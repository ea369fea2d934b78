use tidemill_sdk::prelude::*;

struct Place {
    name: String,
}

#[derive(Record)]
struct Visit {
    user: String,
    place: Place,
}

#[map]
fn visits(line: &str) -> Visit {
    Visit { user: line.to_owned(), place: Place { name: line.to_owned() } }
}

#[map]
fn names(visit: Visit) -> String {
    visit.place.name
}

plugin!(visits, names);

fn main() {}

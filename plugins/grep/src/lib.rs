//! Looks for a text in lines.

use tidemill_sdk::prelude::*;

/// What is looked for.
#[derive(Debug, Parameters)]
struct Wanted {
    #[parameter(default = "the")]
    text: String,
}

/// Whether a line has the text.
#[map]
fn has(context: &Context<Wanted>, line: &str) -> bool {
    line.contains(context.parameters().text.as_str())
}

/// How many lines had it, as a sentence.
#[output]
fn sentence(count: i64) -> String {
    format!("Grep count: {count}")
}

plugin!(has, sentence);

#[cfg(test)]
mod tests {
    use tidemill_sdk::testing;

    use super::*;

    #[test]
    fn lines_have_the_text_or_not() -> Result<(), testing::Failed> {
        assert_eq!(testing::map::<has>(["other", "thy", "the"]).rows(), [true, false, true]);
        let kit = testing::Kit::new().parameter("text", "y");
        assert_eq!(kit.map::<has>(["other", "thy"])?.rows(), [false, true]);
        Ok(())
    }
}

//! What is told of the connectors that there are: the manual's part of each, and the keys that are read.

use tidemill_connect::CONNECTORS;
use tidemill_plan::{
    Manifest,
    connector::{Connector, Page},
};

const MANUAL: &str = include_str!("../../PIPELINE.md");

/// Sources and sinks with their pages, as where they stand in a pipeline.
fn pages() -> impl Iterator<Item = (&'static str, &'static Connector, &'static Page)> {
    CONNECTORS.iter().flat_map(|connector| {
        let source = connector.source.as_ref().map(|form| ("streams", *connector, &form.page));
        let sink = connector.sink.as_ref().map(|form| ("outputs", *connector, &form.page));
        source.into_iter().chain(sink)
    })
}

#[test]
fn the_manual_has_the_page_of_every_connector() {
    for page in CONNECTORS.iter().flat_map(|connector| connector.source_page().into_iter().chain(connector.sink_page()))
    {
        assert!(MANUAL.contains(&page), "PIPELINE.md is to have:\n{page}");
    }
    for connector in CONNECTORS {
        assert!(connector.source.is_some() || connector.sink.is_some(), "`{}` is nothing", connector.key);
    }
}

/// A key that is on a page is read, and one that is not is unknown.
#[test]
fn a_page_has_the_keys_that_there_are() {
    for (section, connector, page) in pages() {
        for (key, is_known) in page.keys.iter().map(|key| (key.0, true)).chain([("zzzzzzzz", false)]) {
            // No key is one whose value is an empty list of lists.
            let text = format!("[{section}.a.{}]\n{key} = [[]]\n", connector.key);
            let (_, diagnostics) = Manifest::read("p.toml", &text, &[], CONNECTORS);
            let shown = diagnostics.render(false);
            assert_eq!(shown.contains("unknown key"), !is_known, "{text}{shown}");
            // It says what is wrong with the value, and with no other.
            let is_queue = connector.key == "queue" && key == "batches";
            assert!(shown.contains("= [[]]") || is_queue, "`{key}` of `{}` is not read:\n{shown}", connector.key);
        }
    }
}

/// The short form of a value is that of a key that there is.
#[test]
fn short_forms_stand_for_keys() {
    use tidemill_plan::connector::Short;
    for (_, connector, page) in pages() {
        let key = match page.short {
            Short::None => continue,
            Short::Text { key, .. } | Short::True { key } => key,
        };
        assert!(page.keys.iter().any(|known| known.0 == key), "`{key}` of `{}`", connector.key);
    }
}

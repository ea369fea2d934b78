//! A core module as cargo made it, with all that its compiler says beside it.

use std::ops::Range;

use wasmparser::{BinaryReaderError, Parser, Payload};

use crate::{component::PREAMBLE_BYTES, section};

/// What makes a component of a module stands in such sections.
const COMPONENT_TYPES: &str = "component-type";

/// A module's sections.
pub(super) struct Module<'a> {
    bytes: &'a [u8],
    sections: Vec<Section<'a>>,
    code: Range<usize>,
}

struct Section<'a> {
    id: u8,
    /// Of a custom section.
    name: Option<&'a str>,
    data: &'a [u8],
    content: Range<usize>,
}

impl<'a> Module<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Module<'a>, BinaryReaderError> {
        let mut module = Module { bytes, sections: Vec::new(), code: 0..0 };
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload?;
            let (name, data) = match &payload {
                Payload::CustomSection(custom) => (Some(custom.name()), custom.data()),
                Payload::CodeSectionStart { range, .. } => {
                    module.code = range.clone();
                    (None, &[][..])
                }
                _ => (None, &[][..]),
            };
            if let Some((id, content)) = payload.as_section() {
                module.sections.push(Section { id, name, data, content });
            }
        }
        Ok(module)
    }

    /// The same without what only says how it was made.
    pub(super) fn stripped(&self) -> Vec<u8> {
        let mut stripped = self.bytes[..PREAMBLE_BYTES].to_vec();
        let needed = |section: &&Section<'_>| section.name.is_none_or(|name| name.starts_with(COMPONENT_TYPES));
        for Section { id, content, .. } in self.sections.iter().filter(needed) {
            section::write_section(&mut stripped, *id, &self.bytes[content.clone()]);
        }
        stripped
    }

    /// A custom section; nothing in it where there is none.
    pub(super) fn custom(&self, name: &str) -> &'a [u8] {
        self.sections.iter().find(|section| section.name == Some(name)).map_or(&[], |section| section.data)
    }

    pub(super) fn code_bytes(&self) -> usize {
        self.code.len()
    }

    /// Where this module's code is in the component that was made of it.
    pub(super) fn code_in(&self, component: &[u8]) -> Option<usize> {
        let code = &self.bytes[self.code.clone()];
        let payloads = Parser::new(0).parse_all(component).filter_map(Result::ok);
        let ranges = payloads.filter_map(|payload| match payload {
            Payload::CodeSectionStart { range, .. } => Some(range),
            _ => None,
        });
        ranges
            .into_iter()
            .find(|range| !code.is_empty() && component.get(range.clone()) == Some(code))
            .map(|range| range.start)
    }
}

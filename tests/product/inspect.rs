//! `tidemill inspect`.

use crate::{
    plugins,
    tool::{Folder, repository},
};

#[test]
pub fn a_component_is_shown() {
    let folder = Folder::new();
    let wasm = plugins::built("wordcount");
    let shown = folder.stdout(&["inspect", wasm.to_str().unwrap()]);
    for part in [
        "wordcount 0.1.0, ",
        "imports tidemill:plugin/host@0.1.0",
        "\nmap split\n  (line: text) -> (word: text, count: integer)\n",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let json = folder.stdout(&["inspect", "--json", wasm.to_str().unwrap()]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["name"], "wordcount");
    assert_eq!(json["functions"][0]["input"], serde_json::json!([{ "name": "line", "type": "text" }]));
    let digest = json["sha256"].as_str().unwrap();
    assert!(shown.contains(&format!("\nsha256 {digest}\n")), "{shown}");
    let pipeline = format!(
        "[pipeline]\nname = \"p\"\ninterval = \"1s\"\n\n[plugins]\nw = {{ path = \"{}\", sha256 = \"{digest}\" }}\n\n\
         [streams.in]\ngenerate = \"words\"\n\n[streams.words]\nfrom = \"in\"\nmap = \"w/split\"\n\n\
         [outputs.words]\nfrom = \"words\"\nprint = true\n",
        wasm.display()
    );
    Folder::new().with("p.toml", pipeline).stdout(&["check", "p.toml"]);
    assert_eq!(json["bytes"], std::fs::metadata(&wasm).unwrap().len());
}

#[test]
fn a_component_for_another_version_of_the_package_is_said() {
    let mut component = std::fs::read(plugins::built("wordcount")).unwrap();
    let (ours, theirs) = (b"@0.1.0", b"@0.3.0");
    while let Some(at) = component.windows(ours.len()).position(|bytes| bytes == ours) {
        component[at..at + theirs.len()].copy_from_slice(theirs);
    }
    let folder = Folder::new().with("later.wasm", component);
    let says = ["was built for tidemill:plugin@0.3.0, and this host has tidemill:plugin@0.1.0"];
    folder.fails(&["inspect", "later.wasm"], 2, &says);
}

#[test]
fn what_is_no_component_is_said() {
    let module = [0, b'a', b's', b'm', 1, 0, 0, 0];
    let folder = Folder::new().with("p.toml", "").with("module.wasm", module).with("cut.wasm", &module[..6]);
    folder.fails(&["inspect", "none.wasm"], 2, &["there is no component `none.wasm`"]);
    folder.fails(&["inspect", "."], 2, &[". is no checkpoint: it has no `log`", "hint: a pipeline's checkpoint"]);
    let wasm = plugins::built("wordcount");
    folder.fails(&["inspect", wasm.to_str().unwrap(), "--keys"], 2, &["is no folder of a checkpoint"]);
    folder.fails(&["inspect", "p.toml"], 2, &["`p.toml` is no Wasm component", "`tidemill check`"]);
    folder.fails(&["inspect", "module.wasm"], 2, &["is no Wasm component"]);
    folder.fails(&["inspect", "cut.wasm"], 2, &["is no Wasm component"]);
    let source = repository().join("Cargo.toml");
    folder.fails(&["inspect", source.to_str().unwrap()], 2, &["is no Wasm component"]);
}

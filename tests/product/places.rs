//! Places where outputs write: no two in one, however they are spelled.

use std::{fs, os::unix::fs::symlink};

use crate::tool::Folder;

/// A pipeline with an output to `out`, another to `place`, and a checkpoint.
fn folder(place: &str, checkpoint: &str) -> Folder {
    let text = format!(
        "[pipeline]\nname = \"p\"\ninterval = \"1s\"\ncheckpoint = \"{checkpoint}\"\n\
         [streams.rows]\nqueue = {{ schema = \"line: text\", batches = [[\"a\", \"b\"]] }}\n\
         [streams.count]\nfrom = \"rows\"\ncount = true\n\
         [outputs.first]\nfrom = \"rows\"\nfiles = \"out\"\n\
         [outputs.second]\nfrom = \"count\"\nfiles = \"{place}\"\n"
    );
    let folder = Folder::new().with("p.toml", text);
    fs::create_dir(folder.path().join("sub")).unwrap();
    symlink("out", folder.path().join("link")).unwrap();
    symlink("../link", folder.path().join("sub/link to a link")).unwrap();
    symlink("circle", folder.path().join("circle")).unwrap();
    symlink("sub/none", folder.path().join("elsewhere")).unwrap();
    symlink(".", folder.path().join("here")).unwrap();
    symlink("kept", folder.path().join("link to kept")).unwrap();
    folder
}

/// What `check` and `run` say of it, with the places there or not yet. A run that is refused makes nothing.
#[track_caller]
fn refused(place: &str, checkpoint: &str, says: &[&str]) {
    for is_there in [false, true] {
        let folder = folder(&place.replace("{here}", "."), checkpoint);
        let absolute = place.replace("{here}", folder.path().to_str().unwrap());
        let set = ["--set".to_owned(), format!("outputs.second.files={absolute}")];
        if is_there {
            fs::create_dir(folder.path().join("out")).unwrap();
            fs::create_dir(folder.path().join("kept")).unwrap();
        }
        for command in [&["check", "p.toml"][..], &["run", "p.toml", "--clock", "manual", "--until-done"]] {
            let arguments: Vec<&str> = command.iter().copied().chain(set.iter().map(String::as_str)).collect();
            folder.fails(&arguments, 2, says);
        }
        let made = |name: &str| fs::read_dir(folder.path().join(name)).map_or(0, |entries| entries.count());
        assert_eq!((made("out"), made("kept")), (0, 0), "{place}");
        assert_eq!(folder.path().join("out").exists(), is_there, "{place}");
    }
}

#[test]
fn two_outputs_in_one_place_are_refused_by_name() {
    let says = ["outputs `first` and `second` write to the same folder", "give each its own folder"];
    let places =
        ["out", "./out/", "link", "link/", "sub/link to a link", "sub/../out", "sub/../sub/../link", "here/here/out"];
    for place in places.into_iter().chain(["none/../out", "{here}/out", "{here}/sub/../link"]) {
        refused(place, "kept", &says);
    }
}

#[test]
fn an_output_in_the_folder_of_the_checkpoint_is_refused_by_name() {
    let says = ["output `second` writes into the folder of the checkpoint", "give each its own folder"];
    for place in ["kept", "kept/out", "sub/../kept/deep/out", "link to kept", "link to kept/out", "{here}/kept/x"] {
        refused(place, "kept", &says);
    }
    refused("kept/out", "here/link to kept", &says);
}

/// Unless it is the place of an output before it, as in the next test.
#[test]
fn a_place_behind_a_link_to_what_is_not_there_is_refused_by_name() {
    let says = ["output `second` is to be in", "`elsewhere` is a link to what is not there", "make what it leads to"];
    for place in ["elsewhere", "elsewhere/out", "elsewhere/deep/out", "here/elsewhere/out"] {
        refused(place, "kept", &[says[0], "elsewhere` is a link to what is not there", says[2]]);
    }
    let says = ["the checkpoint is to be in", says[1], says[2]];
    for checkpoint in ["elsewhere", "elsewhere/kept"] {
        refused("sub/out", checkpoint, &says);
    }
    refused("circle/out", "kept", &["output `second`", "circle"]);
}

#[test]
fn outputs_in_places_of_their_own_are_not_refused() {
    for place in ["out/deep", "sub/out", "link/deep", "outer", "sub/../out2", "kept2"] {
        folder(place, "kept").stdout(&["check", "p.toml"]);
    }
    // From another folder, too.
    let folder = folder("sub/out", "kept");
    let run = ["run", "../p.toml", "--clock", "manual", "--until-done"];
    let mut command = folder.command(&run);
    let ended = crate::running::end_of(command.current_dir(folder.path().join("sub")));
    assert_eq!(ended.code, 0, "{ended:#?}");
    assert!(folder.path().join("out").is_dir() && folder.path().join("sub/out").is_dir());
}

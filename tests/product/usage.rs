//! What is typed wrongly, and help.

use crate::tool::Folder;

#[test]
pub fn help_and_version_go_to_standard_output() {
    let folder = Folder::new();
    let help = folder.stdout(&["--help"]);
    for command in ["new", "build", "check", "run", "inspect", "replay", "generate", "nc", "completions"] {
        assert!(help.contains(&format!("\n  {command} ")), "{command}: {help}");
        assert!(folder.stdout(&[command, "--help"]).contains("Usage: tidemill"), "{command}");
    }
    // A release says its commit, too.
    let version = format!("tidemill {} (plugins: tidemill:plugin@0.1.0)\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(folder.stdout(&["--version"]), version);
}

#[test]
fn shells_complete_commands_and_options() {
    let folder = Folder::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = folder.stdout(&["completions", shell]);
        for word in ["replay", "inspect", "until-done", "log-format"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
        assert!(!script.contains("compile-component"), "{shell}: what is not for people is not completed");
    }
}

/// What the program starts itself with is no command: it is offered nowhere, and guessed for nothing.
#[test]
fn what_is_not_for_people_stands_in_no_list() {
    let folder = Folder::new();
    for arguments in [
        &["--log-format", "json"][..],
        &["-q"],
        &["--help"],
        &["help"],
        &["compile"],
        &["compile-components"],
        &["help", "compile-component"],
        &["--log-format=json", "help", "compile"],
    ] {
        let ended = folder.run(arguments);
        let typed = arguments.iter().filter(|word| word.contains("compile-component")).count();
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(said.matches("compile-component").count() <= typed, "{arguments:?}: {said}");
    }
    folder.fails(&["compile-component"], 2, &["four numbers are needed: this is for the program itself"]);
}

#[test]
fn wrong_usage_ends_with_2() {
    let folder = Folder::new();
    let check = |arguments: &[&str], says: &[&str]| folder.fails(arguments, 2, says);
    check(&[], &["Usage: tidemill"]);
    check(&["rum"], &["unrecognized subcommand 'rum'"]);
    check(&["run"], &["there is no pipeline file `pipeline.toml`"]);
    check(&["replay"], &["--batch <TIME>"]);
    check(&["run", "p.toml", "--batches", "0"], &["0 is not in 1.."]);
    check(&["run", "p.toml", "--batches", "1", "--until-done"], &["cannot be used with"]);
    check(&["run", "p.toml", "--workers", "0"], &["0 is not in 1..=1024"]);
    check(&["run", "p.toml", "--clock", "sun"], &["possible values: system, manual"]);
    check(&["run", "p.toml", "--set", "interval"], &["`interval` is not PATH=VALUE"]);
    check(&["--log-level", "loud", "check", "p.toml"], &["possible values: off, error, warn, info, debug, trace"]);
    check(&["generate", "poems"], &["possible values: words, orders, points, activity"]);
    check(&["generate", "words", "--listen", "here"], &["`here` has no port"]);
    check(&["generate", "words", "--listen", "a:1", "--connect", "a:1"], &["cannot be used with"]);
    check(&["generate", "words", "--vocabulary", "0"], &["0 is not in 1.."]);
    check(&["nc"], &["PORT"]);
    check(&["nc", "9999"], &["a host and a port are needed", "hint: tidemill nc HOST PORT"]);
    check(&["nc", "-l", "http"], &["`http` is no port"]);
    check(&["nc", "-k", "127.0.0.1", "1"], &["-l"]);
}

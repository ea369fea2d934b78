//! Every command of the documents is run as it stands there, but for ports, which are free ones, and for runs without an
//! end, which are given one.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use crate::{
    plugins, producer, project,
    running::Running,
    tool::{Folder, repository},
};

/// Documents with commands, besides those of the plugins.
const DOCUMENTS: [&str; 9] = [
    "README.md",
    "host/ARCHITECTURE.md",
    "host/BENCHMARKS.md",
    "host/checkpoint/CHECKPOINT.md",
    "host/plan/LIMITS.md",
    "host/plan/OPERATORS.md",
    "host/plan/PIPELINE.md",
    "sdk/rust/README.md",
    "CHANGELOG.md",
];

/// A run that shows what is in a checkpoint goes before one that has none yet.
const WITH_CHECKPOINT: &str = r#"
[pipeline]
name = "words"
interval = "1s"
checkpoint = "checkpoint"

[plugins]
wordcount = "plugins/wordcount/wordcount.wasm"

[streams.lines]
queue = { schema = "line: text", batches = [["a b a"], ["b"]] }

[streams.words]
from = "lines"
map = "wordcount/split"

[streams.totals]
from = "words"
by = "word"
update-state = "wordcount/running-total"

[outputs.totals]
from = "totals"
print = true
"#;

#[test]
fn every_command_of_the_documents_does_what_it_should() {
    for plugin in ["wordcount", "quadrant", "orders", "sentiment"] {
        plugins::built(plugin);
    }
    let of_plugins = fs::read_dir(repository().join("plugins")).unwrap().map(|entry| entry.unwrap().path());
    let of_plugins = of_plugins.map(|folder| folder.join("README.md")).filter(|path| path.is_file());
    let mut commands = 0;
    for document in DOCUMENTS.iter().map(|name| repository().join(name)).chain(of_plugins) {
        commands += Document::read(&document).run();
    }
    assert!(commands >= 15, "only {commands} commands were found");
}

/// A document's commands, in order.
struct Document {
    name: PathBuf,
    commands: Vec<Vec<String>>,
}

impl Document {
    fn read(path: &Path) -> Document {
        let text = fs::read_to_string(path).unwrap();
        let mut in_shell = false;
        let mut commands = Vec::new();
        for line in text.lines() {
            if line.starts_with("```") {
                in_shell = line == "```sh";
            }
            let code = line.strip_prefix("    ").or(in_shell.then_some(line)).unwrap_or_default();
            let code = code.split(" #").next().unwrap_or_default();
            match code.split_whitespace().map(str::to_owned).collect::<Vec<_>>() {
                words if words.first().is_some_and(|word| word == "tidemill") => commands.push(words[1..].to_vec()),
                words if words.first().is_some_and(|word| word == "make") => check_target(path, &words[1]),
                _ => {}
            }
        }
        Document { name: path.to_owned(), commands }
    }

    /// Runs the commands; gives their number.
    fn run(&self) -> usize {
        let folder = Folder::new().with("words.toml", WITH_CHECKPOINT);
        symlink(repository().join("plugins"), folder.path().join("plugins")).unwrap();
        folder.stdout(&["run", "words.toml", "--clock", "manual", "--until-done"]);
        let mut ports = Ports::default();
        let mut feeds = Vec::new();
        for command in &self.commands {
            let command: Vec<String> = command.iter().map(|word| ports.freed(word)).collect();
            match command[0].as_str() {
                "nc" | "generate" => {
                    let mut feed = Running::start(&mut folder.command(&words(&command)));
                    feed.wait_for(" on");
                    feeds.push(feed);
                }
                "run" => self.done(&folder, &[command.clone(), with_an_end(&command, &folder, &mut ports)].concat()),
                _ => self.done(&folder, &command),
            }
            if command[0] == "new" {
                fs::copy(repository().join("Cargo.lock"), folder.path().join(&command[1]).join("Cargo.lock")).unwrap();
            }
        }
        self.commands.len()
    }

    fn done(&self, folder: &Folder, command: &[String]) {
        let done = project::tidemill(folder, &words(command));
        assert_eq!(done.code, 0, "{}: {command:?}: {done:#?}", self.name.display());
    }
}

fn words(command: &[String]) -> Vec<&str> {
    command.iter().map(String::as_str).collect()
}

fn check_target(document: &Path, target: &str) {
    let makefile = fs::read_to_string(repository().join("Makefile")).unwrap();
    assert!(makefile.contains(&format!("\n{target}:")), "{}: make has no `{target}`", document.display());
}

/// Free ports in the place of those of a document.
#[derive(Default)]
struct Ports(BTreeMap<String, String>);

impl Ports {
    /// A word, or a pipeline's value, with another port if it has one.
    fn freed(&mut self, text: &str) -> String {
        let Some(at) = text.rfind(|c: char| !c.is_ascii_digit() && c != '"').map_or(Some(0), |at| Some(at + 1)) else {
            return text.to_owned();
        };
        let (before, port) = text.split_at(at);
        let port = port.trim_end_matches('"');
        if port.len() < 4 || !(before.is_empty() || before.ends_with(':')) {
            return text.to_owned();
        }
        let free = || producer::address_of(std::net::Ipv4Addr::LOCALHOST).port().to_string();
        let other = self.0.entry(port.to_owned()).or_insert_with(free);
        text.replace(port, other)
    }
}

/// What is added to a run: an end, short batches, and the ports of its sockets.
fn with_an_end(command: &[String], folder: &Folder, ports: &mut Ports) -> Vec<String> {
    let mut more = Vec::new();
    let pipeline = fs::read_to_string(folder.path().join(&command[1])).unwrap();
    let socket = pipeline.lines().find_map(|line| line.strip_prefix("socket = "));
    if let Some(socket) = socket {
        let value = match socket.strip_prefix("{ listen = ").map(|rest| rest.trim_end_matches([' ', '}'])) {
            Some(address) => format!("{{ listen = {} }}", ports.freed(address)),
            None => ports.freed(socket.trim_matches('"')),
        };
        more.extend(["--set".to_owned(), format!("streams.lines.socket={value}")]);
    }
    if !command.iter().any(|word| word == "--batches" || word == "--until-done") {
        more.extend(["--batches", "3", "--set", "pipeline.interval=100ms"].map(str::to_owned));
    }
    more
}

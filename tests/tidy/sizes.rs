//! Files are short.

use crate::{assert_none, texts};

/// From here on a file begins with `// Long because ...`.
const EXPLAINED_LINES: usize = 500;
/// No file is longer.
const FILE_LINES_MAX: usize = 800;
/// Within how many lines the explanation stands.
const TOP_LINES: usize = 10;

#[test]
fn files_have_at_most_500_lines_or_say_why() {
    let mut wrong = Vec::new();
    for ending in [".rs", ".wit", ".toml", ".md", ".make", "Makefile"] {
        for (path, text) in texts(ending) {
            if let Err(reason) = check_size(&text) {
                wrong.push(format!("{path}: {reason}"));
            }
        }
    }
    assert_none(wrong, "one subject a file: take a part out that has a name");
}

fn check_size(text: &str) -> Result<(), String> {
    let lines = text.lines().count();
    let explained = text.lines().take(TOP_LINES).any(|line| line.contains("Long because"));
    match lines {
        0..=EXPLAINED_LINES => Ok(()),
        _ if lines > FILE_LINES_MAX => Err(format!("{lines} lines, where {FILE_LINES_MAX} are the most")),
        _ if explained => Ok(()),
        _ => Err(format!("{lines} lines, and no `// Long because ...` at its top")),
    }
}

#[test]
fn long_files_need_a_reason() {
    let lines = |n: usize| "x\n".repeat(n);
    assert_eq!(check_size(&lines(500)), Ok(()));
    assert!(check_size(&lines(501)).is_err());
    assert_eq!(check_size(&format!("// Long because it is a table.\n{}", lines(700))), Ok(()));
    assert!(check_size(&format!("// Long because it is a table.\n{}", lines(800))).is_err());
}

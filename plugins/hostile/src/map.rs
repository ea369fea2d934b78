//! Maps (and outputs) of lines, honest and not.

use crate::{
    allocator::{self, Mode},
    bindings::{
        data::{Column, Rejection},
        host::{Level, count, log},
        operators::{Batch, CallContext, Failure, Mapped, Origins},
    },
    columns::{batch, booleans, cut, integers, numbers, read_integers, read_numbers, read_texts, text},
    much, shared,
    table::opened,
    touchy, trouble,
};

pub(crate) fn call(context: &CallContext, rows: Batch) -> Result<Mapped, Failure> {
    let given = rows.rows;
    let answer = match opened() {
        "identity" | "lines" | "anything" => same(rows),
        "length" => lengths(rows),
        "odd-rows" => odd_rows(&rows),
        "is-flood" => {
            trouble::flood();
            same(batch(given, vec![booleans(&vec![true; given as usize])]))
        }
        "lines-flood" => {
            trouble::flood();
            same(rows)
        }
        "is-yes" => is_yes(&rows),
        // Rows that say where the call stands.
        "is-context" => is(&rows, &said_of(context)),
        "is-panic" => is(&rows, "panic"),
        "is-fail" => is(&rows, "fail"),
        "odd-reasons" => odd_reasons(),
        "says-rows" => return said(&rows),
        "misaligned" => {
            allocator::set(Mode::Misaligned);
            let copy = Column { offsets: rows.columns[0].offsets.to_vec(), ..rows.columns[0].clone() };
            let origins = numbers(&(0..given).collect::<Vec<_>>());
            Mapped { rows: batch(given, vec![copy]), origins: Origins::Rows(origins), rejected: Vec::new() }
        }
        "context" => contexts(context, given),
        "scored" => {
            let scores = read_texts(&rows.columns[0]).into_iter().map(|line| shared::last(line).unwrap_or(-1));
            same(batch(given, vec![integers(&scores.collect::<Vec<_>>())]))
        }
        // Without a limit all are above it.
        "is-above" | "keeps-all" | "not-shared" => {
            let limit = shared::last("");
            let above =
                read_integers(&rows.columns[0]).into_iter().map(|value| limit.is_none_or(|limit| value > limit));
            same(batch(given, vec![booleans(&above.collect::<Vec<_>>())]))
        }
        "tenfold" => much::tenfold(&rows),
        "bits" => much::bits_of_lines(&rows),
        "counts" | "output-counts" => {
            count("rows", given.into());
            count("calls", 1);
            same(rows)
        }
        "touchy-counted" => {
            count("rows", given.into());
            return touchy::lines(&rows);
        }
        "touchy" | "touchy-lines" => return touchy::lines(&rows),
        "loops-at-last" if context.last => trouble::loop_forever(),
        "loops-at-last" => same(rows),
        "fails" => return Err(Failure { reason: "it is\nTuesday".to_owned(), retryable: context.last }),
        "leaks" => {
            trouble::leak(1 << 20);
            same(rows)
        }
        "traps-after" => {
            allocator::set(Mode::TrapOnFree);
            std::mem::forget(rows);
            Mapped { rows: batch(1, vec![text(&["seen"])]), origins: Origins::Many, rejected: Vec::new() }
        }
        "bad-allocator" => {
            allocator::set(Mode::Outside);
            same(rows)
        }
        name => return Ok(no_return(name).or_else(|| too_much(name, &rows)).unwrap_or_else(|| lie(name, given))),
    };
    Ok(answer)
}

fn same(rows: Batch) -> Mapped {
    Mapped { rows, origins: Origins::Same, rejected: Vec::new() }
}

fn many(rows: Batch) -> Mapped {
    Mapped { rows, origins: Origins::Many, rejected: Vec::new() }
}

/// What the host said, a line for each row.
fn said_of(context: &CallContext) -> String {
    let CallContext { batch_time, interval, partition, partitions, chunk, last, .. } = context;
    format!("at {batch_time} every {interval}: {partition} of {partitions}, chunk {chunk}, last {last}")
}

fn contexts(context: &CallContext, rows: u32) -> Mapped {
    let line = said_of(context);
    Mapped { rows: batch(rows, vec![text(&vec![line.as_str(); rows as usize])]), ..same(batch(rows, Vec::new())) }
}

fn lengths(mut rows: Batch) -> Mapped {
    let offsets = read_numbers(&rows.columns[0].offsets);
    let lengths: Vec<i64> = offsets.windows(2).map(|pair| i64::from(pair[1] - pair[0])).collect();
    rows.columns.push(integers(&lengths));
    same(rows)
}

/// The rows with odd numbers; the others are rejected.
fn odd_rows(rows: &Batch) -> Mapped {
    let column = &rows.columns[0];
    let offsets = read_numbers(&column.offsets);
    let line = |row: u32| &column.values[offsets[row as usize] as usize..offsets[row as usize + 1] as usize];
    let odd: Vec<u32> = (0..rows.rows).filter(|row| row % 2 == 1).collect();
    let lines: Vec<&str> = odd.iter().filter_map(|&row| std::str::from_utf8(line(row)).ok()).collect();
    let even = (0..rows.rows).filter(|row| row % 2 == 0);
    let rejected = even.map(|row| Rejection { row, reason: format!("row {row} is even") }).collect();
    Mapped { rows: batch(odd.len() as u32, vec![text(&lines)]), origins: Origins::Rows(numbers(&odd)), rejected }
}

/// An answer to the lines `yes` and `no`, a rejection of `bad`; `both` gets both of them, `twice` two answers, any other
/// line nothing at all.
fn is_yes(rows: &Batch) -> Mapped {
    let (mut origins, mut answers, mut rejected) = (Vec::new(), Vec::new(), Vec::new());
    for (row, line) in (0..).zip(read_texts(&rows.columns[0])) {
        let count = match line {
            "yes" | "no" | "both" => 1,
            "twice" => 2,
            _ => 0,
        };
        origins.extend(vec![row; count]);
        answers.extend(vec![line == "yes"; count]);
        if matches!(line, "bad" | "both") {
            rejected.push(Rejection { row, reason: "bad".to_owned() });
        }
    }
    let answered = batch(origins.len() as u32, vec![booleans(&answers)]);
    Mapped { rows: answered, origins: Origins::Rows(numbers(&origins)), rejected }
}

/// Rejects the first two rows, with a reason that is long and one that is no text.
fn odd_reasons() -> Mapped {
    // SAFETY: none; that is the point. Nothing here reads it as text.
    let no_text = unsafe { String::from_utf8_unchecked(b"a\xffb".to_vec()) };
    let reasons = [format!("\n{}", "é".repeat(2_000)), no_text];
    let rejected = (0..).zip(reasons).map(|(row, reason)| Rejection { row, reason }).collect();
    Mapped { rows: batch(0, vec![text(&[])]), origins: Origins::Rows(Vec::new()), rejected }
}

/// Says each line in the way that it begins with, whatever is in it: `log`, `count`, `panic`, `fail`, or `reject`.
fn said(rows: &Batch) -> Result<Mapped, Failure> {
    let (mut kept, mut rejected) = (Vec::new(), Vec::new());
    for (row, line) in (0..).zip(read_texts(&rows.columns[0])) {
        match line.split(' ').next().unwrap_or_default() {
            "log" => log(Level::Info, line),
            "count" => count(line, 1),
            "panic" => trouble::panic_aloud(line),
            "fail" => return Err(Failure { reason: line.to_owned(), retryable: false }),
            "reject" => {
                rejected.push(Rejection { row, reason: line.to_owned() });
                continue;
            }
            _ => {}
        }
        kept.push((row, line));
    }
    let lines: Vec<&str> = kept.iter().map(|&(_, line)| line).collect();
    let origins: Vec<u32> = kept.iter().map(|&(row, _)| row).collect();
    let rows = batch(lines.len() as u32, vec![text(&lines)]);
    Ok(Mapped { rows, origins: Origins::Rows(numbers(&origins)), rejected })
}

/// Whether each line is this one.
fn is(rows: &Batch, wanted: &str) -> Mapped {
    let answers: Vec<bool> = read_texts(&rows.columns[0]).into_iter().map(|line| line == wanted).collect();
    same(batch(rows.rows, vec![booleans(&answers)]))
}

fn no_return(name: &str) -> Option<Mapped> {
    match name {
        "loop-forever" => trouble::loop_forever(),
        "memory-bomb" => trouble::memory_bomb(),
        "deep-recursion" => {
            trouble::deep_recursion(0);
        }
        "panics" => trouble::panic_aloud("the sky fell at src/sky.rs:7:1"),
        "traps" => trouble::trap(),
        _ => {}
    }
    None
}

fn too_much(name: &str, rows: &Batch) -> Option<Mapped> {
    let given = rows.rows;
    let honest = || Batch { rows: given, columns: rows.columns.clone() };
    Some(match name {
        "huge-result" => {
            let column = cut(&[0, 40 << 20], b"");
            many(batch(1, vec![Column { values: vec![b'x'; 40 << 20], ..column }]))
        }
        "too-many-rows" => many(batch(5 << 20, vec![cut(&vec![0; (5 << 20) + 1], b"")])),
        "too-many-rejections" => {
            let rejection = Rejection { row: 0, reason: String::new() };
            Mapped { rejected: vec![rejection; 1_000], ..same(honest()) }
        }
        "log-flood" => {
            trouble::flood();
            same(honest())
        }
        "odd-log" => {
            log(Level::Warn, "\u{1b}[2Jcleared\nthe screen");
            same(honest())
        }
        "many-counters" => {
            for number in 0..1_000 {
                count(&format!("counter-{number}"), 1);
            }
            same(honest())
        }
        "unnamed-counter" => {
            count("", 1);
            same(honest())
        }
        _ => return None,
    })
}

fn lie(name: &str, given: u32) -> Mapped {
    let one = |column| many(batch(1, vec![column]));
    match name {
        "outside-memory" => {
            let mut column = text(&["x"]);
            // Its length is a lie. Leaked, so that nothing frees what is not there.
            let values = std::mem::ManuallyDrop::new(std::mem::take(&mut column.values));
            // SAFETY: none; that is the point. Nothing here reads it.
            column.values = unsafe { Vec::from_raw_parts(values.as_ptr().cast_mut(), 1 << 30, 1 << 30) };
            one(column)
        }
        "missing-columns" => many(batch(1, Vec::new())),
        "more-columns" => many(batch(1, vec![text(&["a"]), text(&["b"])])),
        "lying-rows" => many(batch(7, vec![text(&["a"])])),
        "offsets-begin" => one(cut(&[1, 2], b"ab")),
        "offsets-descend" => many(batch(3, vec![cut(&[0, 2, 1, 2], b"ab")])),
        "offsets-end" => one(cut(&[0, 1], b"ab")),
        "offsets-huge" => one(cut(&[0, u32::MAX], b"ab")),
        "values-long" => many(batch(0, vec![cut(&[0], b"ab")])),
        "bad-utf8" => one(cut(&[0, 2], b"a\xff")),
        "cut-character" => many(batch(2, vec![cut(&[0, 1, 2], "é".as_bytes())])),
        "validity-unasked" => one(Column { validity: Some(vec![1]), ..text(&["a"]) }),
        "origins-beyond" => Mapped { origins: Origins::Rows(numbers(&[given])), ..one(text(&["a"])) },
        "origins-short" => Mapped { origins: Origins::Rows(numbers(&[])), ..one(text(&["a"])) },
        "origins-odd" => Mapped { origins: Origins::Rows(vec![0; 3]), ..one(text(&["a"])) },
        "same-but-fewer" => Mapped { origins: Origins::Same, ..many(batch(0, vec![text(&[])])) },
        "rejects-beyond" => {
            let rejection = Rejection { row: given, reason: "not mine".to_owned() };
            Mapped { rejected: vec![rejection], ..one(text(&["a"])) }
        }
        _ => trouble::panic_aloud(&format!("no map is called {name}")),
    }
}

//! What the documents say is so.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail like tests"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use sendpath_protocol::time::UnixSeconds;
use sendpath_protocol::verdict::Cause;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Documents for users.
const DOCUMENTS: [&str; 7] = [
    "README.md",
    "CHANGELOG.md",
    "docs/463.md",
    "docs/c.md",
    "bindings/go/README.md",
    "bindings/kotlin/README.md",
    "bindings/python/README.md",
];

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_table_of_causes_is_the_one_of_the_code() {
    let readme = read("README.md");
    let rows: Vec<Vec<&str>> = readme
        .lines()
        .filter(|line| line.starts_with("| 4"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let told: Vec<_> = rows
        .iter()
        .map(|row| (row[0].to_owned(), row[1].to_owned(), row[3].to_owned()))
        .collect();
    let known: Vec<_> = Cause::ALL.into_iter().map(row).collect();
    assert_eq!(told, known);
}

/// Number, name and next action as README shows them.
fn row(cause: Cause) -> (String, String, String) {
    let with_end = cause.next(Some(UnixSeconds(1))).as_str();
    let without = cause.next(None).as_str();
    let next = if with_end == without {
        format!("`{without}`")
    } else {
        format!("`{with_end}` if the end is known, else `{without}`")
    };
    let name = format!("`{}`", cause.as_str());
    (cause.code().to_string(), name, next)
}

#[test]
fn every_next_action_is_explained() {
    let readme = read("README.md");
    for cause in Cause::ALL {
        for until in [None, Some(UnixSeconds(1))] {
            let word = cause.next(until).as_str();
            assert!(readme.contains(&format!("\n| `{word}` | ")), "{word}");
        }
    }
}

#[test]
fn every_cause_of_a_463_has_its_place_on_the_operators_page() {
    let page = read("docs/463.md");
    let is_heading = |line: &&str| line.starts_with("### `");
    let headings: String = page.lines().filter(is_heading).collect();
    for cause in Cause::ALL {
        let told = headings.contains(&format!("`{}`", cause.as_str()));
        let of_a_463 = matches!(cause.code(), 401..=410 | 427 | 428);
        assert_eq!(told, of_a_463, "{}", cause.as_str());
    }
}

#[test]
fn what_the_operators_page_prints_is_what_is_printed() {
    let page = read("docs/463.md");
    let explain = read("core/protocol/src/tctoken/explain/mod.rs");
    let (_, shown) = page.split_once("```\ncontact: ").expect("an explanation");
    let (shown, _) = shown.split_once("\n```").expect("an end");
    for line in format!("contact: {shown}").lines() {
        assert!(explain.contains(&format!("\"{line}\"")), "{line}");
    }
    let limits = read("ffi/src/facade/limits.rs");
    let literals = limits.split("r#\"").skip(1);
    let tested: String = literals
        .filter_map(|rest| Some(rest.split_once("\"#")?.0))
        .collect();
    let (_, shown) = page.split_once("```json\n").expect("limits as JSON");
    let (shown, _) = shown.split_once("\n```").expect("an end");
    let shown: String = shown.lines().map(str::trim).collect();
    assert!(tested.contains(&shown), "{shown}");
}

#[test]
fn the_code_shown_is_the_code_compiled() {
    let mut shown = BTreeSet::new();
    for document in DOCUMENTS {
        let text = read(document);
        for part in text.split("<!-- from ").skip(1) {
            let (path, rest) = part.split_once(" -->\n```").expect("a snippet after it");
            let (_, code) = rest.split_once('\n').expect("a language");
            let (code, _) = code.split_once("```").expect("an end");
            assert!(
                occurs(code, &read(path)),
                "{document} shows what is not in {path}:\n{code}"
            );
            shown.insert(path.rsplit('.').next().expect("an ending").to_owned());
        }
    }
    let languages = ["c", "go", "kt", "py", "rs"].map(str::to_owned);
    assert_eq!(shown, BTreeSet::from(languages));
}

/// Whether the lines of `code` follow each other in `file`, all indented by the same amount.
fn occurs(code: &str, file: &str) -> bool {
    let code: Vec<_> = code.lines().collect();
    let file: Vec<_> = file.lines().collect();
    let first = code.first().expect("a line of code");
    file.windows(code.len()).any(|lines| {
        let indent = lines[0].strip_suffix(first);
        indent.is_some_and(|indent| {
            indent.trim().is_empty()
                && lines.iter().zip(&code).all(|(line, shown)| {
                    line.strip_prefix(indent) == Some(*shown)
                        || (line.is_empty() && shown.is_empty())
                })
        })
    })
}

#[test]
fn every_command_of_make_exists() {
    let makefile = read("Makefile");
    let mut named = BTreeSet::new();
    for document in ["README.md", "CONTRIBUTING.md"] {
        let text = read(document);
        let (prose, blocks): (Vec<_>, Vec<_>) = text.split("```").enumerate().partition(is_prose);
        let spans = prose
            .iter()
            .flat_map(|(_, part)| part.split('`').skip(1).step_by(2));
        let lines = blocks.iter().flat_map(|(_, part)| part.lines());
        for command in spans.chain(lines) {
            let command = command.split('#').next().unwrap_or_default();
            let words = command.strip_prefix("make ").into_iter();
            named.extend(words.flat_map(str::split_whitespace).map(str::to_owned));
        }
    }
    assert!(
        named.contains("demo") && named.contains("test"),
        "{named:?}"
    );
    for target in named {
        assert!(makefile.contains(&format!("\n{target}:")), "make {target}");
    }
}

/// Between the fences of code blocks.
fn is_prose(part: &(usize, &str)) -> bool {
    part.0.is_multiple_of(2)
}

#[test]
fn every_name_of_the_c_interface_exists() {
    let header = words(&read("include/sendpath.h"));
    for document in DOCUMENTS {
        for word in words(&read(document)) {
            assert!(
                header.contains(&word) || header.iter().any(|name| is_family(&word, name)),
                "{document} names {word}"
            );
        }
    }
}

#[test]
fn every_function_and_status_of_the_c_interface_is_in_the_changelog() {
    let told = words(&read("CHANGELOG.md"));
    let test_only = "sp_test_panic_next";
    let header = read("include/sendpath.h");
    let functions = words(&header)
        .into_iter()
        .filter(|word| word != test_only && header.contains(&format!("{word}(")));
    let statuses = words(&header)
        .into_iter()
        .filter(|word| word.starts_with("SP_STATUS_"));
    let missing: Vec<_> = functions
        .chain(statuses)
        .filter(|name| !told.contains(name))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Names that begin with `sp_` or `SP_`.
fn words(text: &str) -> BTreeSet<String> {
    text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
        .filter(|word| word.starts_with("sp_") || word.starts_with("SP_"))
        .map(str::to_owned)
        .collect()
}

/// `SP_STATUS_` stands for all of them.
fn is_family(word: &str, name: &str) -> bool {
    word.ends_with('_') && name.starts_with(word)
}

#[test]
fn every_file_that_is_linked_is_there() {
    for document in DOCUMENTS {
        let folder = Path::new(document).parent().expect("a file");
        for link in read(document).split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap_or_default();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let path = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join(folder)
                .join(target);
            assert!(path.exists(), "{document} links {target}");
        }
    }
}

#[test]
fn there_is_one_version() {
    let heading = |text: &str| {
        let line = text.lines().find(|line| line.starts_with("## "));
        line.unwrap_or_default().to_owned()
    };
    assert!(heading(&read("CHANGELOG.md")).starts_with(&format!("## {VERSION}")));
    for (file, line) in [
        ("README.md", format!("This is version {VERSION}.")),
        ("README.md", format!("/sendpath-{VERSION}.jar")),
        (
            "bindings/python/pyproject.toml",
            format!("version = \"{VERSION}\""),
        ),
        (
            "bindings/kotlin/pom.xml",
            format!("<version>{VERSION}</version>"),
        ),
        (
            "examples/kotlin/pom.xml",
            format!("<version>{VERSION}</version>"),
        ),
        ("examples/go/go.mod", format!("bindings/go v{VERSION}")),
    ] {
        assert!(read(file).contains(&line), "{file}: {line}");
    }
    let rust = concat!("; ", env!("CARGO_PKG_RUST_VERSION"), " or newer");
    assert!(read("README.md").contains(rust), "{rust}");
}

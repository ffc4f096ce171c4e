//! The corpus once more: what the fuzzer found, and where it began.
#![expect(
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a helper fails like a test"
)]

use std::fs;
use std::path::PathBuf;

use sendpath_fuzz::TARGETS;

fn files(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(name);
    let Ok(entries) = fs::read_dir(&folder) else {
        panic!("no corpus in {}", folder.display());
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

#[test]
fn nothing_in_the_corpus_breaks_its_target() {
    for target in TARGETS {
        let files = files(target.name);
        assert!(!files.is_empty(), "{} has no corpus", target.name);
        for (path, bytes) in files {
            // The name of the file, for whoever sees the panic.
            println!("{}", path.display());
            (target.run)(&bytes);
        }
    }
}

#[test]
fn every_folder_belongs_to_a_target() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(
            TARGETS.iter().any(|target| *name == *target.name),
            "{name:?} is nobody's"
        );
    }
}

#[test]
fn every_seed_goes_through_its_target() {
    let seeds = sendpath_fuzz::seeds::all();
    for target in TARGETS {
        let mine = seeds.iter().filter(|(name, _)| *name == target.name);
        let count = mine.map(|(_, bytes)| (target.run)(bytes)).count();
        assert!(count > 0, "{} has no seed", target.name);
    }
}

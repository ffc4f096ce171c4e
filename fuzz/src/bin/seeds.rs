//! Writes the seeds: `seeds FOLDER` makes `FOLDER/<target>/<digest>`.
#![expect(clippy::expect_used, reason = "a tool of developers")]

use std::fs;
use std::path::PathBuf;

use sendpath_protocol::crypto::symmetric::sha256;

fn main() {
    let folder = std::env::args().nth(1).expect("a folder to write to");
    for (target, bytes) in sendpath_fuzz::seeds::all() {
        let folder = PathBuf::from(&folder).join(target);
        fs::create_dir_all(&folder).expect("a folder that can be written");
        let name = hex::encode(&sha256(&bytes)[..8]);
        fs::write(folder.join(name), bytes).expect("a file that can be written");
    }
}

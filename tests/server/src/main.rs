//! The model server as a program: one JSON line when it is ready, then one JSON line for each line
//! on standard input. It ends with its input.
//!
//! ```text
//! sendpath-model-server [--listen 127.0.0.1:0] [--seed N] [--time UNIX_SECONDS]
//! {"url": "ws://..", "root_key": "<hex>", "http": "http://.."}
//! ```

use std::error::Error;
use std::io::{self, BufRead, Write};

use sendpath_model_server::{Config, ModelServer, TimeSource};

fn main() -> Result<(), Box<dyn Error>> {
    let server = ModelServer::start(config(std::env::args().skip(1))?)?;
    let mut out = io::stdout().lock();
    let ready = serde_json::json!({
        "url": server.url(),
        "root_key": hex::encode(server.root_key()),
        "http": server.http(),
    });
    writeln!(out, "{ready}")?;
    out.flush()?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        if !line.trim().is_empty() {
            writeln!(out, "{}", server.control_json(&line))?;
            out.flush()?;
        }
    }
    Ok(())
}

fn config(mut args: impl Iterator<Item = String>) -> Result<Config, Box<dyn Error>> {
    let mut config = Config::default();
    while let Some(name) = args.next() {
        let value = args.next().ok_or_else(|| format!("{name} needs a value"))?;
        match &*name {
            "--listen" => config.listen = value.parse()?,
            "--seed" => config.seed = value.parse()?,
            "--time" => config.time = TimeSource::Fixed(value.parse()?),
            _ => return Err(format!("unknown option {name}").into()),
        }
    }
    Ok(config)
}

//! `sluice hash-key`: the line of a key, for the file of those that let in.

use std::io::{BufRead as _, IsTerminal as _};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use sluice_auth::{ApiKeys, KeysError};

use crate::USAGE;
use crate::command_line::HashKeyArguments;

pub(crate) fn hash_key(arguments: &HashKeyArguments) -> ExitCode {
    match line(arguments) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(USAGE)
        }
    }
}

fn line(arguments: &HashKeyArguments) -> anyhow::Result<String> {
    let name = &arguments.name;
    // Before a key is told that has no line.
    if let Err(error) = ApiKeys::line(name, b"") {
        match error {
            KeysError::Name(_) => bail!("`{name}` is not made of letters, digits and `-_.@`"),
            _ => bail!("`{name}` is no name of one word"),
        }
    }
    let key = if arguments.generate {
        let key = generated()?;
        eprintln!("the key of {name}: {key}");
        key
    } else {
        typed()?
    };
    Ok(ApiKeys::line(name, key.as_bytes())?)
}

/// As many random bits as nobody tries out, in digits that any field can hold.
fn generated() -> anyhow::Result<String> {
    let mut bytes = [0; 16];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.ok().context("there is nothing random to be had")?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

/// The first line of standard input.
fn typed() -> anyhow::Result<String> {
    let mut input = std::io::stdin().lock();
    if input.is_terminal() {
        eprintln!("the key, and Enter:");
    }
    let mut line = String::new();
    input
        .read_line(&mut line)
        .context("the key cannot be read from standard input")?;
    let key = line.trim_end_matches(['\r', '\n']);
    if key.is_empty() {
        bail!("there is no key on standard input; `--generate` makes one");
    }
    if key.trim() != key || key.chars().any(char::is_control) {
        bail!("a key that begins or ends with a space, or has control characters, cannot be sent");
    }
    if key.len() < SHORT {
        eprintln!(
            "warning: a key of {} characters can be found out by trying; `--generate` makes one that cannot",
            key.len()
        );
    }
    Ok(key.to_owned())
}

/// Characters of a key that is shorter than it should be.
const SHORT: usize = 20;

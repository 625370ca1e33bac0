//! Other people's programs, run with a limit.

use std::{
    ffi::OsStr,
    io::Write,
    path::Path,
    process::{Command, ExitStatus, Stdio},
};

use anyhow::{Context, Result, ensure};

/// Seconds after which a client that hangs is killed.
const SECONDS_MAX: &str = "90";

/// What a program printed, and how it ended.
#[derive(Debug)]
pub struct Ran {
    /// Its status.
    pub status: ExitStatus,
    /// Standard output.
    pub out: Vec<u8>,
    /// Standard error.
    pub err: String,
}

impl Ran {
    /// Standard output as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }
}

/// Runs a program in a folder, with this on its standard input.
pub fn run<A: AsRef<OsStr>>(program: &str, arguments: &[A], folder: &Path, input: &[u8]) -> Result<Ran> {
    let mut child = Command::new("timeout")
        .args(["--kill-after=5", SECONDS_MAX, program])
        .args(arguments)
        .current_dir(folder)
        .env("HOME", folder)
        .env("LC_ALL", "C.UTF-8")
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {program}"))?;
    let mut stdin = child.stdin.take().context("a pipe was asked for")?;
    let input = input.to_vec();
    let feeding = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output()?;
    // A program that does not read its input to the end breaks the pipe; its status says what that meant.
    let _ = feeding.join();
    Ok(Ran { status: output.status, out: output.stdout, err: String::from_utf8_lossy(&output.stderr).into_owned() })
}

/// Like [`run`], for a program that must succeed.
pub fn succeed<A: AsRef<OsStr>>(program: &str, arguments: &[A], folder: &Path, input: &[u8]) -> Result<Ran> {
    let ran = run(program, arguments, folder, input)?;
    ensure!(ran.status.success(), "{program}: {}\n{}\n{}", ran.status, ran.text(), ran.err);
    Ok(ran)
}

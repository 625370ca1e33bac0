//! The folder of a demo that proved itself once, kept beside the binary and copied by every test that needs a new one.

use std::{
    fs::{self, File},
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

use super::{PortRange, binary};

/// Copies the template; makes it first when there is none of this binary.
pub fn copy_to(folder: &Path) -> Result<()> {
    let template = binary().with_file_name("demo-template");
    let lock = File::create(template.with_extension("lock")).context("locking the template of the demo")?;
    let built = fs::metadata(binary())?.modified()?;
    let version = format!("{built:?}");
    let is_of_this_binary = || fs::read_to_string(template.join("made-by")).is_ok_and(|made_by| made_by == version);
    lock.lock_shared()?;
    if !is_of_this_binary() {
        lock.unlock()?;
        lock.lock()?;
        if !is_of_this_binary() {
            make(&template)?;
            fs::write(template.join("made-by"), version)?;
        }
    }
    copy(&template, folder)
}

fn make(template: &Path) -> Result<()> {
    if template.exists() {
        fs::remove_dir_all(template)?;
    }
    let ports = PortRange::take()?;
    let mut demo = Command::new(binary());
    demo.arg("demo").arg("--dir").arg(template).args(["--port-base", &ports.base.to_string(), "--exit"]);
    let output = demo.stdin(Stdio::null()).output()?;
    let said = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    ensure!(output.status.success(), "sceau demo --exit:\n{}{}", said(&output.stdout), said(&output.stderr));
    fs::remove_file(template.join("demo.env"))?;
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let (entry, kind) = entry.and_then(|entry| entry.file_type().map(|kind| (entry, kind)))?;
        let target = to.join(entry.file_name());
        if kind.is_dir() {
            copy(&entry.path(), &target)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), target)?;
        }
    }
    // Keys and stores are nobody else's.
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    Ok(())
}

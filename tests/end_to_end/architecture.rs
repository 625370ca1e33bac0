//! The table of crates in ARCHITECTURE.md is what `cargo metadata` says.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::server::root;

/// What would bring sockets, files, tasks or another world of its own into a crate marked "none".
const DOES_IO: &[&str] = &[
    "axum",
    "hickory-resolver",
    "hyper",
    "hyper-util",
    "mimalloc",
    "postgres",
    "reqwest",
    "rusqlite",
    "rustix",
    "rustls",
    "sd-notify",
    "socket2",
    "tempfile",
    "tokio",
    "tokio-postgres",
    "tokio-rustls",
    "tokio-util",
];

struct Row {
    may_depend_on: BTreeSet<String>,
    io: String,
}

#[test]
fn crates_depend_on_what_the_table_allows() -> Result<()> {
    let table = table()?;
    let crates = crates()?;
    let names = |keys: Vec<&String>| keys.into_iter().cloned().collect::<BTreeSet<_>>();
    ensure!(
        names(table.keys().collect()) == names(crates.keys().filter(|name| *name != "tests").collect()),
        "ARCHITECTURE.md lists other crates than the workspace has"
    );
    for (name, row) in &table {
        for dependency in &crates[name].normal {
            if crates.contains_key(dependency) {
                ensure!(row.may_depend_on.contains(dependency), "{name} may not depend on {dependency}");
            }
            ensure!(
                row.io != "none" || !DOES_IO.contains(&dependency.as_str()),
                "{name} performs no I/O and may not depend on {dependency}"
            );
        }
        ensure!(!crates[name].normal.contains("testkit"), "{name}: testkit is a dev-dependency only");
    }
    Ok(())
}

#[test]
fn no_crate_is_a_drawer() -> Result<()> {
    for name in crates()?.keys() {
        ensure!(!["common", "utils", "types", "config", "helpers", "misc"].contains(&name.as_str()), "crate {name}");
    }
    Ok(())
}

// `ring` stays in Cargo.lock as an option of rustls-webpki that nothing takes: `cargo tree` tells them apart.
#[test]
fn cryptography_has_one_provider() -> Result<()> {
    let tree = cargo(&["tree", "--workspace", "--edges", "normal,build,dev", "--prefix", "none", "--format", "{p}"])?;
    let versions = |name: &str| {
        let start = format!("{name} v");
        let lines = tree.lines().filter(|line| line.starts_with(&start));
        lines.map(|line| line.trim_end_matches(" (*)")).collect::<BTreeSet<_>>().len()
    };
    ensure!(versions("ring") == 0, "ring is in the tree");
    ensure!(versions("openssl") == 0, "openssl is in the tree");
    ensure!(versions("rustls") == 1, "{} versions of rustls in the tree", versions("rustls"));
    ensure!(versions("aws-lc-rs") == 1, "{} versions of aws-lc-rs in the tree", versions("aws-lc-rs"));
    Ok(())
}

// With that feature every look-up is answered from memory: DNS would be off in the released binary, and nothing would tell.
#[test]
fn mail_auth_asks_the_real_dns() -> Result<()> {
    let tree =
        cargo(&["tree", "--workspace", "--edges", "normal,build,dev", "--prefix", "none", "--format", "{p} {f}"])?;
    let lines: Vec<&str> = tree.lines().filter(|line| line.starts_with("mail-auth v")).collect();
    ensure!(!lines.is_empty(), "mail-auth is not in the tree");
    let tests = |line: &&str| line.split([' ', ',']).any(|feature| feature == "test");
    ensure!(!lines.iter().any(tests), "mail-auth has the feature test: {lines:?}");
    Ok(())
}

fn table() -> Result<BTreeMap<String, Row>> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md"))?;
    let lines = text.lines().skip_while(|line| !line.starts_with("| crate | one sentence |")).skip(2);
    let mut rows = BTreeMap::new();
    for line in lines.take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let &[name, _, may_depend_on, io] = cells.as_slice() else { anyhow::bail!("not four cells: {line}") };
        let may_depend_on = may_depend_on.split(',').map(|name| name.trim().to_owned()).filter(|name| name != "–");
        let row = Row { may_depend_on: may_depend_on.collect(), io: io.to_owned() };
        rows.insert(name.trim_matches('`').to_owned(), row);
    }
    ensure!(!rows.is_empty(), "ARCHITECTURE.md has no table of crates");
    Ok(rows)
}

struct Crate {
    normal: BTreeSet<String>,
}

fn crates() -> Result<BTreeMap<String, Crate>> {
    let metadata: Value = serde_json::from_str(&cargo(&["metadata", "--format-version", "1", "--no-deps"])?)?;
    let mut crates = BTreeMap::new();
    for package in metadata["packages"].as_array().context("no packages")? {
        let name = package["name"].as_str().context("no name")?.to_owned();
        let dependencies = package["dependencies"].as_array().context("no dependencies")?;
        // A dependency's kind is null when it is an ordinary one.
        let normal = dependencies.iter().filter(|dependency| dependency["kind"].is_null());
        let normal = normal.filter_map(|dependency| dependency["name"].as_str().map(str::to_owned)).collect();
        crates.insert(name, Crate { normal });
    }
    Ok(crates)
}

fn cargo(arguments: &[&str]) -> Result<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo).args(arguments).arg("--offline").current_dir(root()).output()?;
    ensure!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

//! Documents that can be checked are checked.

use std::fs;

use anyhow::{Context, Result, ensure};
use tests::server::root;

#[test]
fn every_rfc_says_whether_and_where() -> Result<()> {
    let text = fs::read_to_string(root().join("docs/rfc.md")).context("docs/rfc.md")?;
    let rows: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("| RFC |")).skip(2).collect();
    let rows: Vec<&str> = rows.into_iter().take_while(|line| line.starts_with('|')).collect();
    ensure!(rows.len() > 20, "docs/rfc.md has no table");
    let mut previous = 0;
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let &[number, title, state, place] = cells.as_slice() else { anyhow::bail!("not four cells: {row}") };
        let number: u32 = number.parse().with_context(|| format!("no RFC number: {row}"))?;
        ensure!(number > previous, "RFC {number} is out of order, or twice");
        previous = number;
        ensure!(!title.is_empty(), "RFC {number} has no title");
        ensure!(["yes", "partial", "no"].contains(&state), "RFC {number}: {state} is not yes, partial or no");
        let paths: Vec<&str> = place.split('`').skip(1).step_by(2).collect();
        ensure!(state == "no" || !paths.is_empty(), "RFC {number}: where?");
        for path in paths {
            ensure!(root().join(path).exists(), "RFC {number}: {path} does not exist");
        }
    }
    Ok(())
}

#[test]
fn every_decision_has_its_number() -> Result<()> {
    let mut numbers = Vec::new();
    for file in fs::read_dir(root().join("docs/adr"))? {
        let name = file?.file_name().into_string().unwrap_or_default();
        let (number, title) = name.split_once('-').with_context(|| format!("no number: {name}"))?;
        ensure!(number.len() == 4 && title.ends_with(".md"), "not NNNN-title.md: {name}");
        numbers.push(number.to_owned());
    }
    numbers.sort();
    ensure!(numbers.windows(2).all(|two| two[0] != two[1]), "two decisions have one number: {numbers:?}");
    Ok(())
}

#[test]
fn no_path_of_a_link_in_a_document_is_dead() -> Result<()> {
    let mut documents = vec![root().join("README.md"), root().join("ARCHITECTURE.md")];
    for file in fs::read_dir(root().join("docs"))? {
        documents.push(file?.path());
    }
    for document in documents.iter().filter(|path| path.extension().is_some_and(|extension| extension == "md")) {
        let text = fs::read_to_string(document)?;
        let folder = document.parent().context("a document lies in a folder")?;
        for rest in text.split("](").skip(1) {
            let target = rest.split([')', '#']).next().unwrap_or_default();
            let elsewhere = target.is_empty() || target.contains("://") || target.starts_with("mailto:");
            ensure!(elsewhere || folder.join(target).exists(), "{}: {target} does not exist", document.display());
        }
    }
    Ok(())
}

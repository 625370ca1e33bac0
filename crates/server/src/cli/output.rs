//! Tables for people, JSON for programs.

use clap::Args;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use serde_json::Value;

/// How a list is printed.
#[derive(Clone, Copy, Debug, Args)]
pub struct Form {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

impl Form {
    /// Prints a list: as JSON, or one row of texts for each item.
    pub fn print<T: Serialize>(
        self,
        headings: &[&str],
        items: &[T],
        row: impl Fn(&T) -> Vec<String>,
    ) -> anyhow::Result<()> {
        if self.json {
            say!("{}", serde_json::to_string_pretty(items)?);
            return Ok(());
        }
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(headings);
        for item in items {
            table.add_row(row(item));
        }
        say!("{table}");
        Ok(())
    }
}

/// Prints one thing: as JSON, or line by line.
pub fn print_value(form: Form, value: &Value) -> anyhow::Result<()> {
    match value.as_object() {
        Some(fields) if !form.json => {
            for (name, field) in fields {
                say!("{:<14}{}", name.replace('_', " "), text(field));
            }
        }
        _ => say!("{}", serde_json::to_string_pretty(value)?),
    }
    Ok(())
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// `12.3 MB`: octets for people, in units of 1,000.
pub fn octets(count: u64) -> String {
    let mut amount = count as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if amount < 1_000.0 {
            return if unit == "B" { format!("{count} B") } else { format!("{amount:.1} {unit}") };
        }
        amount /= 1_000.0;
    }
    format!("{amount:.1} TB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_for_people() {
        for (count, expected) in
            [(0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (52_428_800, "52.4 MB"), (u64::MAX, "18446744.1 TB")]
        {
            assert_eq!(octets(count), expected);
        }
    }
}

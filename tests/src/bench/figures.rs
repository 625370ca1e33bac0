//! Samples by name and side, and the table made of them.

use std::{collections::BTreeMap, fmt::Write as _, fs};

use anyhow::Result;

/// All samples of a run, in the order the figures first came.
#[derive(Debug, Default)]
pub struct Figures {
    order: Vec<String>,
    samples: BTreeMap<(String, String), Vec<f64>>,
    machine: String,
}

impl Figures {
    /// Notes what was measured on.
    pub fn machine(&mut self) -> Result<()> {
        let processors = fs::read_to_string("/proc/cpuinfo")?;
        let model = processors.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
        let load = fs::read_to_string("/proc/loadavg")?;
        self.machine = format!(
            "{} × {}, Linux {}, load before {}",
            std::thread::available_parallelism()?,
            model.trim_start_matches([' ', '\t', ':']),
            kernel.trim(),
            load.split(' ').next().unwrap_or_default(),
        );
        Ok(())
    }

    /// Adds one sample of a figure ("10 kB, 1 session, per second") of a side ("ours").
    pub fn add(&mut self, figure: &str, side: &str, sample: f64) {
        if !self.order.iter().any(|known| known == figure) {
            self.order.push(figure.to_owned());
        }
        self.samples.entry((figure.to_owned(), side.to_owned())).or_default().push(sample);
    }

    /// Adds the samples of one figure, and says their median while the bench goes on.
    pub fn all(&mut self, figure: &str, side: &str, samples: &[f64]) {
        for sample in samples {
            self.add(figure, side, *sample);
        }
        eprintln!("    {side:>5}: {figure}: {}", cell(samples));
    }

    /// The Markdown table.
    #[must_use]
    pub fn table(&self) -> String {
        let sides: Vec<&str> = ["ours", "peer", "disk"]
            .into_iter()
            .filter(|side| self.samples.keys().any(|(_, known)| known == side))
            .collect();
        let mut table = format!(
            "{}\n\n| figure | {} |\n| --- |{}\n",
            self.machine,
            sides.join(" | "),
            " ---: |".repeat(sides.len())
        );
        for figure in &self.order {
            let cells = sides.iter().map(|side| {
                self.samples
                    .get(&(figure.clone(), (*side).to_owned()))
                    .map_or_else(|| "–".to_owned(), |samples| cell(samples))
            });
            let _ = writeln!(table, "| {figure} | {} |", cells.collect::<Vec<_>>().join(" | "));
        }
        table
    }
}

/// "median (least–most)".
fn cell(samples: &[f64]) -> String {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (Some(least), Some(most)) = (sorted.first(), sorted.last()) else { return "–".to_owned() };
    let median = quantile(&sorted, 0.5);
    if sorted.len() == 1 {
        number(median)
    } else {
        format!("{} ({}–{})", number(median), number(*least), number(*most))
    }
}

/// The value below which a share of sorted samples lies.
#[must_use]
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the last index")]
    let at = (share * last as f64).round() as usize;
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

/// Three digits that matter.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

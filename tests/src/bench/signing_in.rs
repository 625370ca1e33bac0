//! Connections that sign in and leave: TLS handshake, password, LOGOUT.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{Plan, figures::Figures, target::Target};

/// Repeated logins per second by ten clients, each an account of its own, each with a full handshake.
pub fn rates(figures: &mut Figures, target: &mut Target, plan: &Plan) -> Result<()> {
    let mut rates = Vec::new();
    for _ in 0..plan.runs() {
        let done = AtomicU64::new(0);
        let stop = AtomicBool::new(false);
        let target = &*target;
        let begun = Instant::now();
        std::thread::scope(|scope| -> Result<()> {
            let working: Vec<_> = (0..10)
                .map(|client| {
                    let (done, stop) = (&done, &stop);
                    scope.spawn(move || -> Result<()> {
                        while !stop.load(Ordering::Relaxed) {
                            target.imap(client)?.ok("LOGOUT")?;
                            done.fetch_add(1, Ordering::Relaxed);
                        }
                        Ok(())
                    })
                })
                .collect();
            std::thread::sleep(Duration::from_secs_f64(plan.seconds()));
            stop.store(true, Ordering::Relaxed);
            for thread in working {
                thread.join().map_err(|_| anyhow::anyhow!("a client panicked"))??;
            }
            Ok(())
        })?;
        rates.push(done.into_inner() as f64 / begun.elapsed().as_secs_f64());
    }
    figures.all("repeated logins, 10 clients, per second", target.side, &rates);
    Ok(())
}

//! Keeps room on the disk, and sweeps what nothing refers to; says when mail is refused for want of room, and when no more.

use std::path::PathBuf;
use std::time::Duration;

use store::{Room, Store};
use tokio::time::Instant;

use crate::machine::now;

/// How often the room on the disk is looked at.
const LOOK: Duration = Duration::from_secs(5);

/// How often what nothing refers to is swept when there is room.
const SWEEP: Duration = Duration::from_secs(300);

/// Works until dropped. One task for both, since two removals at a time would leave each other's files behind.
pub async fn keep(store: Store, folder: PathBuf) {
    let mut refusing = false;
    let mut swept: Option<Instant> = None;
    // The server starts first.
    let mut look = tokio::time::interval_at(Instant::now() + LOOK, LOOK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        if swept.is_none_or(|at| at.elapsed() >= SWEEP) {
            swept = Some(Instant::now());
            match store.sweep(now()).await {
                Ok(swept) => tracing::debug!(?swept, "swept"),
                Err(error) => tracing::warn!(%error, "cannot sweep now"),
            }
        }
        look.tick().await;
        match store.keep_room(now()).await {
            Ok(room) => {
                tell(&room, &folder, refusing);
                refusing = !room.enough;
            }
            Err(error) => tracing::debug!(%error, "cannot look after room on the disk now"),
        }
    }
}

/// One line when it begins, one when it is over.
fn tell(room: &Room, folder: &std::path::Path, refusing: bool) {
    let (free_mb, reusable_mb, reserve_mb) = (room.free >> 20, room.reusable >> 20, room.reserve >> 20);
    let folder = folder.display();
    match (refusing, room.enough) {
        (false, false) => tracing::warn!(
            %folder, free_mb, reusable_mb, reserve_mb,
            "the disk is under its reserve: new mail is refused for now (452 4.3.1), reading and deleting go on"
        ),
        (true, true) => tracing::warn!(%folder, free_mb, reusable_mb, reserve_mb, "there is room again: mail is taken"),
        _ => {}
    }
}

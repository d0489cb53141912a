//! Sessions that write to the source all the time.

use crate::journal::{Journal, lock};
use crate::site::{Client, Site};
use crate::tables::{Key, LANES, ROWS, Table, Writes};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

/// Number of writers. Each has its own part of the rows to update and delete, so that they do not wait for each other.
pub const WRITERS: i64 = 2;

/// What writers and lanes share.
pub struct Writing {
    /// One a lane: a writer holds it during a transaction in the lane's tables, and a run that shall be compared holds it
    /// to keep writers out.
    pub lanes: [Mutex<()>; LANES.len()],
    pub is_over: AtomicBool,
    next: AtomicI64,
}

impl Writing {
    pub fn new() -> Self {
        Self {
            lanes: Default::default(),
            is_over: AtomicBool::new(false),
            next: AtomicI64::new(10 * ROWS),
        }
    }

    /// Changes a table that no workflow reads now.
    ///
    /// # Errors
    /// That the source is away for too long.
    pub fn change_once(&self, client: &mut Client, table: &Table) -> Result<(), String> {
        let from = self.next.fetch_add(10, Ordering::SeqCst);
        for sql in [
            format!("{} ON CONFLICT DO NOTHING", table.insertion(from, from + 9)),
            format!(
                "UPDATE {} SET word = 'changed', at = clock_timestamp() WHERE amount > {from}",
                table.name
            ),
            format!(
                "DELETE FROM {} WHERE mod(amount * 100, 1000) < 10",
                table.name
            ),
        ] {
            // Each may be repeated, but for the insertion, whose rows then stand twice where no key forbids it.
            client.rows(&sql)?;
        }
        Ok(())
    }
}

/// Writes until it is over.
pub fn write(number: i64, seed: u64, site: &Site, writing: &Writing, journal: &Journal) {
    let mut random = StdRng::seed_from_u64(seed ^ number.unsigned_abs() << 32);
    let mut client = site.source_client();
    while !writing.is_over.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(random.random_range(20..300)));
        let place = random.random_range(0..LANES.len());
        let tables = LANES[place].tables;
        let table = &tables[random.random_range(0..tables.len())];
        if table.writes == Writes::Nothing {
            continue;
        }
        // Held by a run that shall be compared.
        let Ok(_turn) = writing.lanes[place].try_lock() else {
            continue;
        };
        let from = writing.next.fetch_add(3, Ordering::SeqCst);
        let part = random.random_range(0..40) * WRITERS + number;
        let linger = Duration::from_millis(random.random_range(0..200));
        match transaction(&mut client, table, from, part, linger) {
            Ok(rows) => journal.count("rows written by the writers", rows),
            Err(_) => {
                // The source is away, and took the transaction with it, or has committed it: either is a state like any.
                journal.count("transactions of the writers that broke", 1);
                client = site.source_client();
            }
        }
    }
}

fn transaction(
    client: &mut Client,
    table: &Table,
    from: i64,
    part: i64,
    linger: Duration,
) -> Result<u64, String> {
    let name = table.name;
    client.try_rows("BEGIN")?;
    client.try_rows(&table.insertion(from, from + 2))?;
    let mut rows = 3;
    if table.writes == Writes::Everything {
        let chosen = match table.key {
            Key::Nulls => format!("mod(floor(amount)::integer, 80) = {part}"),
            _ => format!("id % 80 = {part}"),
        };
        for sql in [
            format!(
                "UPDATE {name} SET word = 'word of {from}', at = clock_timestamp() WHERE {chosen} RETURNING 1"
            ),
            format!("DELETE FROM {name} WHERE {chosen} AND id % 5 = 0 RETURNING 1"),
        ] {
            rows += u64::try_from(client.try_rows(&sql)?.len()).unwrap_or_default();
        }
    }
    std::thread::sleep(linger);
    client.try_rows("COMMIT")?;
    Ok(rows)
}

/// Keeps writers out of a lane's tables for as long as the value lives.
pub fn quiet(writing: &Writing, place: usize) -> std::sync::MutexGuard<'_, ()> {
    lock(&writing.lanes[place])
}

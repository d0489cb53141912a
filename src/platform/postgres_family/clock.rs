//! What a server tells of itself.

use crate::platform::catalog::{ClockReading, ServerFacts};
use crate::platform::query::{Query, cells, texts};

/// See [`Catalog::server`](crate::platform::Catalog::server).
pub(in crate::platform) fn server() -> Query<ServerFacts> {
    const SQL: &str = "SELECT version(), CAST(EXTRACT(epoch FROM now()) AS varchar)";
    Query::new(SQL, |row| {
        let [version, clock] = cells(row)?;
        Some(ServerFacts {
            version: version.unwrap_or_default(),
            clock: clock.and_then(|seconds| seconds.parse().ok()),
        })
    })
}

/// A query of four texts: see [`ClockReading`].
pub(in crate::platform) fn clock(sql: &str) -> Query<ClockReading> {
    Query::new(sql, |row| {
        let [utc, local, utc_yesterday, local_yesterday] = texts(row)?;
        Some(ClockReading {
            utc,
            local,
            utc_yesterday,
            local_yesterday,
        })
    })
}

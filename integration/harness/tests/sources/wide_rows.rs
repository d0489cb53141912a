//! Rows of a megabyte stay within the task's memory.

use snowhaul_integration::{LocalRedshift, Migration};

const MEMORY_MB: u64 = 128;

/// The peak of a whole process, both roles in it, in kilobytes.
fn peak_of(migration: &Migration<'_>) -> u64 {
    let mut peak = 0;
    let ended = migration.run_watched(|process| {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
        peak = peak.max(kilobytes.unwrap_or(0));
    });
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    peak
}

#[test]
fn the_peak_of_a_process_follows_the_setting_and_not_the_rows() {
    let database = LocalRedshift::shared().database();
    let sql = database.sql();
    sql.run("CREATE TABLE narrow AS SELECT n AS id FROM generate_series(1, 1000) n");
    // A value of some kilobytes between those of a megabyte: what is held at once follows the widest.
    sql.run("CREATE TABLE wide AS SELECT n AS id, repeat(md5(n::text), CASE WHEN n % 100 = 0 THEN 100 ELSE 32768 END) AS v FROM generate_series(1, 600) n");
    for platform in ["postgresql", "redshift"] {
        let migration = Migration::from(&database)
            .platform(platform)
            .application(&format!(
                "max_parallel_tasks = 1\ntask_fetch_interval = 1\ntask_memory_mb = {MEMORY_MB}"
            ));
        let idle = peak_of(&migration.clone().whole("narrow"));
        let wide = migration.again().whole("wide");
        let peak = peak_of(&wide);
        assert!(
            peak < idle + MEMORY_MB * 1024,
            "{platform}: {peak} kB, and {idle} kB without wide rows"
        );
        let target = wide.target_sql();
        assert_eq!(
            target.number("SELECT COUNT(*) FROM wide WHERE LENGTH(v) = CASE WHEN id % 100 = 0 THEN 3200 ELSE 1048576 END"),
            600
        );
    }
}

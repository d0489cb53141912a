//! Databases of a local Redshift.

use crate::redshift::LocalRedshift;
use crate::source::Source;
use crate::sql::Sql;
use std::fs;

/// A database of a test's own, which belongs to the login `snowhaul`.
#[derive(Debug)]
pub struct Database<'server> {
    server: &'server LocalRedshift,
    name: String,
}

impl<'server> Database<'server> {
    pub(crate) fn new(server: &'server LocalRedshift, name: &str) -> Self {
        let name = name.to_owned();
        Self { server, name }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its server.
    #[must_use]
    pub fn server(&self) -> &'server LocalRedshift {
        self.server
    }

    /// A session of its owner, by PostgreSQL's Python driver.
    #[must_use]
    pub fn sql(&self) -> Sql {
        let (user, password) = self.login();
        self.server.session(&self.name, user, password)
    }

    /// A superuser's session.
    #[must_use]
    pub fn admin(&self) -> Sql {
        self.server.admin(&self.name)
    }

    /// What sessions that `run` opens send to this database, as the server writes it down; queries without the cursor
    /// that the driver puts them into.
    #[must_use]
    pub fn statements_of(&self, run: impl FnOnce()) -> Vec<String> {
        let admin = self.server.admin("postgres");
        let set = format!(
            "ALTER DATABASE {} SET log_statement = 'all'",
            quote(&self.name)
        );
        admin.run(&set);
        run();
        admin.run(&set.replace("'all'", "'none'"));
        let file = self.server.cluster().join("server.log");
        let log =
            fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        logged(&log, &self.name)
    }

    /// Where its server listens for workers of this platform, on 127.0.0.1.
    #[must_use]
    pub fn port_of(&self, platform: &str) -> u16 {
        match platform {
            "redshift" => self.server.redshift_port(),
            _ => self.server.port(),
        }
    }

    /// Name and password of its owner.
    #[must_use]
    pub fn login(&self) -> (&str, &str) {
        ("snowhaul", self.server.owner_password())
    }

    /// `[connections.source.redshift]` of a worker's configuration, for its owner.
    #[must_use]
    pub fn worker_section(&self) -> String {
        let (user, password) = self.login();
        self.worker_section_of(user, password)
    }

    /// The same for another login.
    #[must_use]
    pub fn worker_section_of(&self, user: &str, password: &str) -> String {
        self.section("redshift", self.port_of("redshift"), user, password)
    }

    /// `[connections.source.postgresql]` of a worker's configuration, for its owner.
    #[must_use]
    pub fn postgres_section(&self) -> String {
        let (user, password) = self.login();
        self.postgres_section_of(user, password)
    }

    /// The same for another login.
    #[must_use]
    pub fn postgres_section_of(&self, user: &str, password: &str) -> String {
        self.section("postgresql", self.port_of("postgresql"), user, password)
    }

    /// The section of a worker's configuration that reaches this database as `platform`, at any port of 127.0.0.1.
    #[must_use]
    pub fn section(&self, platform: &str, port: u16, user: &str, password: &str) -> String {
        let mut section = toml::toml! { auth_method = "standard" host = "127.0.0.1" };
        for (key, value) in [
            ("username", user),
            ("password", password),
            ("database", &self.name),
        ] {
            section.insert(key.to_owned(), value.into());
        }
        section.insert("port".to_owned(), i64::from(port).into());
        format!("[connections.source.{platform}]\n{section}")
    }

    /// A worker's whole configuration: this source as a Redshift, the connection `local`, and `application` as the lines
    /// of `[application]`.
    #[must_use]
    pub fn worker_configuration(&self, application: &str) -> String {
        worker_configuration(application, &self.worker_section())
    }
}

impl Source for Database<'_> {
    fn name(&self) -> &str {
        &self.name
    }

    fn platform(&self) -> &'static str {
        "redshift"
    }

    fn schema(&self) -> &'static str {
        "public"
    }

    fn written_name(&self) -> String {
        quote(&self.name)
    }

    fn login(&self) -> (&str, &str) {
        Database::login(self)
    }

    fn port_of(&self, platform: &str) -> u16 {
        Database::port_of(self, platform)
    }

    fn section(&self, platform: &str, port: u16, user: &str, password: &str) -> String {
        Database::section(self, platform, port, user, password)
    }

    fn sql(&self) -> Sql {
        Database::sql(self)
    }
}

/// A worker's whole configuration: the connection `local`, `application` as the lines of `[application]`, and sections of
/// sources.
#[must_use]
pub fn worker_configuration(application: &str, sources: &str) -> String {
    format!(
        "selected_task_source = \"snowflake_stored_procedure\"\n\n[application]\n{application}\n\n\
         [connections.target.snowflake_connection_name]\nconnection_name = \"local\"\n\n{sources}"
    )
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        // A failed test's goes with its server, which may be down.
        if !std::thread::panicking()
            && let Ok(admin) = self.server.try_admin("postgres")
        {
            let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quote(&self.name));
            admin.run(&drop);
        }
    }
}

/// The statements of a database in the server's log, whose entries go on in lines that begin with a tab.
fn logged(log: &str, database: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut is_ours = false;
    for line in log.lines() {
        if let (Some(more), true) = (line.strip_prefix('\t'), is_ours) {
            if let Some(statement) = found.last_mut() {
                statement.push('\n');
                statement.push_str(more);
            }
            continue;
        }
        let entry = line.split_once(&format!("@{database} LOG:  "));
        let statement = entry.and_then(|(_, entry)| entry.split_once(": "));
        is_ours = statement.is_some();
        found.extend(statement.map(|(_, statement)| statement.to_owned()));
    }
    for statement in &mut found {
        // A query whose rows are many stands in a cursor.
        let query = statement
            .split_once("DECLARE snowhaul_rows CURSOR FOR ")
            .map(|(_, query)| query.to_owned());
        if let Some(query) = query {
            *statement = query;
        }
    }
    found
}

/// A name as it stands in SQL.
pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

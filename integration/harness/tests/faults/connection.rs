//! A local Snowflake's connection for the library's own client. Tests of other binaries compile this file too.

use snowhaul::snowflake::Connection;
use snowhaul::snowflake::connection::{Environment, find};
use snowhaul_integration::LocalSnowflake;

/// The connection `local` of a server, as the binary finds it.
pub fn local(server: &LocalSnowflake) -> Connection {
    let home = server.home().to_string_lossy().into_owned();
    let environment = Environment {
        var: &|name| (name == "SNOWFLAKE_HOME").then(|| home.clone()),
        home: None,
    };
    find(Some("local"), &environment).expect("the connection")
}

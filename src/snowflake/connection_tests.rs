//! Connection files, right and wrong.

use super::*;

fn with_file(
    text: &str,
    name: Option<&str>,
    vars: &[(&str, &str)],
) -> Result<Connection, ConnectionError> {
    let home = tempfile::tempdir().expect("temporary directory");
    let file = home.path().join("connections.toml");
    std::fs::write(&file, text).expect("write");
    #[cfg(unix)]
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .expect("chmod");
    let path = home.path().to_string_lossy().into_owned();
    let var = |key: &str| match key {
        "SNOWFLAKE_HOME" => Some(path.clone()),
        _ => vars
            .iter()
            .find(|(k, _)| *k == key)
            .map(|(_, v)| (*v).to_owned()),
    };
    find(
        name,
        &Environment {
            var: &var,
            home: None,
        },
    )
}

#[test]
fn host_port_and_protocol_make_the_address() {
    let connection = with_file("[local]\naccount='a'\nuser='u'\npassword='p'\nhost='127.0.0.1'\nport=8085\nprotocol='http'\n", Some("local"), &[]).expect("a connection");
    assert_eq!(connection.base_url.as_str(), "http://127.0.0.1:8085/");
}

#[test]
fn an_environment_variable_overrides_a_key() {
    let vars = [("SNOWFLAKE_CONNECTIONS_LOCAL_USER", "other")];
    let connection = with_file(
        "[local]\naccount='a_b'\nuser='u'\npassword='p'\n",
        Some("local"),
        &vars,
    )
    .expect("a connection");
    assert_eq!(
        (connection.user.as_str(), connection.base_url.as_str()),
        ("other", "https://a-b.snowflakecomputing.com/")
    );
}

#[test]
fn another_client_is_named_with_its_version() {
    let file = "[local]\naccount='a'\nuser='u'\npassword='p'\n";
    let client = |more: &str| with_file(&format!("{file}{more}"), Some("local"), &[]);
    let ours = client("").expect("a connection").client;
    assert_eq!(ours, ClientApp::default());
    let go = client("client_app_id='Go'\nclient_app_version='1.16.0'\n").expect("a connection");
    assert_eq!((&*go.client.id, &*go.client.version), ("Go", "1.16.0"));
    for wrong in ["client_app_id='Go'\n", "client_app_version='1.16.0'\n"] {
        let error = client(wrong).expect_err("half of it");
        assert!(error.to_string().contains("client_app_"), "{error}");
    }
}

#[test]
fn all_mistakes_are_told_together() {
    let error = with_file("[local]\nrole='r'\n", Some("local"), &[]).expect_err("no connection");
    assert_eq!(error.0.0.len(), 3, "{error}");
    let all_invalid = error.0.0.iter().all(|p| p.code == Code::CONNECTION_INVALID);
    assert!(all_invalid, "{error}");
}

#[test]
fn a_missing_connection_names_those_that_exist() {
    let error = with_file("[production]\naccount='a'\n", Some("prodution"), &[])
        .expect_err("no connection");
    assert!(
        error.to_string().contains("did you mean `production`?"),
        "{error}"
    );
}

#[test]
fn a_syntax_error_does_not_quote_the_secret() {
    let error =
        with_file("[local]\npassword = hunter2\n", Some("local"), &[]).expect_err("no connection");
    assert!(!error.to_string().contains("hunter2"), "{error}");
    assert!(error.to_string().contains("line 2"), "{error}");
}

#[test]
fn debug_shows_no_secret() {
    let connection = with_file(
        "[local]\naccount='a'\nuser='u'\npassword='hunter2'\n",
        Some("local"),
        &[],
    )
    .expect("a connection");
    assert!(!format!("{connection:?}").contains("hunter2"));
}

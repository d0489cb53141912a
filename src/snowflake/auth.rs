//! Logins: for snowflake-connector-rs, and for the client of the stage, whose session is its own.

use super::connection::{Connection, Credentials};
use super::error::SnowflakeError;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::{DecodePrivateKey, EncodePublicKey};
use rsa::signature::{SignatureEncoding, Signer};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sha2::{Digest, Sha256};
use snowflake_connector_rs::{AuthConfig, KeyPairConfig};
use std::path::Path;

/// The login of the connector. Token files are read anew at each call.
pub(super) fn connector_auth(connection: &Connection) -> Result<AuthConfig, SnowflakeError> {
    Ok(match &connection.credentials {
        Credentials::Password(password) => AuthConfig::password(password.expose_secret()),
        Credentials::PatFile(path) => AuthConfig::password(read_token(path)?.expose_secret()),
        Credentials::OAuth(token) => AuthConfig::oauth(token.expose_secret()),
        Credentials::OAuthFile(path) => AuthConfig::oauth(read_token(path)?.expose_secret()),
        Credentials::KeyPair(pem, None) => {
            private_key(pem, None)?;
            AuthConfig::key_pair(KeyPairConfig::from_pem(pem.expose_secret()))
        }
        Credentials::KeyPair(pem, Some(passphrase)) => {
            private_key(pem, Some(passphrase))?;
            AuthConfig::key_pair(KeyPairConfig::from_encrypted_pem(
                pem.expose_secret(),
                passphrase.expose_secret().as_bytes().to_vec(),
            ))
        }
    })
}

/// The `data` of a login request of our own, without the session's parameters.
pub(super) fn login_data(connection: &Connection) -> Result<serde_json::Value, SnowflakeError> {
    let mut data = json!({
        "ACCOUNT_NAME": connection.account,
        "LOGIN_NAME": connection.user,
        "CLIENT_APP_ID": "snowhaul",
        "CLIENT_APP_VERSION": env!("CARGO_PKG_VERSION"),
        "SESSION_PARAMETERS": {"QUERY_TAG": super::client::query_tag("stage")},
    });
    let (authenticator, key, value) = match &connection.credentials {
        Credentials::Password(password) => ("SNOWFLAKE", "PASSWORD", password.clone()),
        Credentials::PatFile(path) => ("SNOWFLAKE", "PASSWORD", read_token(path)?),
        Credentials::OAuth(token) => ("OAUTH", "TOKEN", token.clone()),
        Credentials::OAuthFile(path) => ("OAUTH", "TOKEN", read_token(path)?),
        Credentials::KeyPair(pem, passphrase) => (
            "SNOWFLAKE_JWT",
            "TOKEN",
            jwt(connection, pem, passphrase.as_ref())?,
        ),
    };
    data["AUTHENTICATOR"] = json!(authenticator);
    data[key] = json!(value.expose_secret());
    Ok(data)
}

fn read_token(path: &Path) -> Result<SecretString, SnowflakeError> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        SnowflakeError::refused(format!(
            "the token file {} cannot be read: {error}",
            path.display()
        ))
    })?;
    Ok(text.trim().to_owned().into())
}

/// The key of a key pair. A wrong one is told here: Snowflake is not asked.
fn private_key(
    pem: &SecretString,
    passphrase: Option<&SecretString>,
) -> Result<rsa::RsaPrivateKey, SnowflakeError> {
    match passphrase {
        None => rsa::RsaPrivateKey::from_pkcs8_pem(pem.expose_secret()),
        Some(passphrase) => rsa::RsaPrivateKey::from_pkcs8_encrypted_pem(
            pem.expose_secret(),
            passphrase.expose_secret(),
        ),
    }
    .map_err(|_| {
        let what = match passphrase {
            Some(_) => {
                "is no encrypted RSA key in PKCS#8 PEM, or private_key_file_pwd is not its passphrase"
            }
            None => {
                "is no RSA key in PKCS#8 PEM; if it is encrypted, give its passphrase as private_key_file_pwd"
            }
        };
        SnowflakeError::refused(format!("the private key of the connection {what}"))
    })
}

/// A key-pair token, RS256, as the documentation of key-pair authentication describes it: issuer
/// `ACCOUNT.USER.SHA256:<fingerprint>`, an hour at most.
fn jwt(
    connection: &Connection,
    pem: &SecretString,
    passphrase: Option<&SecretString>,
) -> Result<SecretString, SnowflakeError> {
    let key = private_key(pem, passphrase)?;
    let public = key.to_public_key().to_public_key_der().map_err(|error| {
        SnowflakeError::refused(format!("the private key has no public part: {error}"))
    })?;
    let fingerprint = STANDARD.encode(Sha256::digest(public.as_bytes()));
    // The account without region and cloud, as the documentation asks.
    let account = connection
        .account
        .split('.')
        .next()
        .unwrap_or_default()
        .to_uppercase();
    let subject = format!("{account}.{}", connection.user.to_uppercase());
    let now = chrono::Utc::now().timestamp();
    let claims = json!({"iss": format!("{subject}.SHA256:{fingerprint}"), "sub": subject, "iat": now, "exp": now + 3_000});
    let encode = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!(
        "{}.{}",
        encode(&json!({"alg": "RS256", "typ": "JWT"})),
        encode(&claims)
    );
    let signature = SigningKey::<Sha256>::new(key)
        .sign(signed.as_bytes())
        .to_bytes();
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)).into())
}

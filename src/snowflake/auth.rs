//! Logins.

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
use std::path::Path;

/// The `data` of a login request, without the session's parameters. Token files are read again at each call.
pub(super) fn login_data(connection: &Connection) -> Result<serde_json::Value, SnowflakeError> {
    let mut data = json!({
        "ACCOUNT_NAME": account_name(connection),
        "LOGIN_NAME": connection.user,
        "CLIENT_APP_ID": connection.client.id,
        "CLIENT_APP_VERSION": connection.client.version,
        "CLIENT_ENVIRONMENT": {"APPLICATION": "snowhaul", "OS": std::env::consts::OS},
    });
    // As the drivers do: sent where it can be read, and no reason to fail where it cannot.
    let service_token = connection.service_token.as_deref().map(read_token);
    if let Some(Ok(token)) = service_token
        && !token.expose_secret().is_empty()
    {
        data["SPCS_TOKEN"] = json!(token.expose_secret());
    }
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

/// The account without region and cloud, as the drivers send it and the documentation of key pairs asks.
fn account_name(connection: &Connection) -> &str {
    connection.account.split('.').next().unwrap_or_default()
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

/// The key of a key pair. A wrong one is refused here: Snowflake is not asked.
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
                "is not an encrypted RSA key in PKCS#8 PEM, or private_key_file_pwd is not its passphrase"
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
    let account = account_name(connection).to_uppercase();
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

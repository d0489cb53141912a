//! Key pairs of users of Snowflake.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Runs `openssl` in a directory.
pub fn openssl(directory: &Path, arguments: &[&str]) {
    let output = Command::new("openssl")
        .args(arguments)
        .current_dir(directory)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Makes a private key, as `plain.p8` and, encrypted, as `locked.p8`. Answers the public key.
pub fn make_key_pair(directory: &Path, passphrase: &str) -> String {
    let passphrase = format!("pass:{passphrase}");
    let size = "rsa_keygen_bits:2048";
    for arguments in [
        &[
            "genpkey",
            "-algorithm",
            "RSA",
            "-pkeyopt",
            size,
            "-out",
            "plain.p8",
        ][..],
        &[
            "pkcs8",
            "-topk8",
            "-v2",
            "aes-256-cbc",
            "-in",
            "plain.p8",
            "-passout",
            &passphrase,
            "-out",
            "locked.p8",
        ],
        &["pkey", "-in", "plain.p8", "-pubout", "-out", "public.pem"],
    ] {
        openssl(directory, arguments);
    }
    fs::read_to_string(directory.join("public.pem")).unwrap()
}

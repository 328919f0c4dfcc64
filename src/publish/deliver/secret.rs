//! Where a secret is told becomes the secret, when it is needed: one that was changed works without a restart.
//! This file never lets a secret be printed: its `Debug`, `Display` and `Serialize` say `(secret)`.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

/// Longer than any token, address or password.
const SECRET_BYTES_MAX: u64 = 64 * 1024;
/// Where systemd puts what `LoadCredential=` names.
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";
const READABLE_BY_ALL: u32 = 0o004;

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text itself, for the receiver it belongs to.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(secret)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(secret)")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Where a secret is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In the configuration: only what need not be a secret may be there.
    Told(Secret),
    File(PathBuf),
    /// An environment variable.
    Variable(String),
    /// A file in the folder that systemd gives a service for its credentials.
    Credential(String),
}

/// Why a secret is not to be had, as a sentence.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("cannot read the secret file {}: {source}; check the path, and let daycap's user read it", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("the secret file {} is empty; write the secret into it", .0.display())]
    Empty(PathBuf),
    #[error("the secret file {} is no text of at most {SECRET_BYTES_MAX} bytes; it is to hold the secret alone", .0.display())]
    NoText(PathBuf),
    #[error("the environment has no variable {0:?}, or it is empty; set it for daycap")]
    Variable(String),
    #[error(
        "the credential {0:?} is not to be had, as ${CREDENTIALS_DIRECTORY} is not set; systemd sets it for a unit with \
         LoadCredential={0}:/path/to/the/secret"
    )]
    NoCredentials(String),
}

impl Origin {
    /// The secret as it is now.
    pub fn read(&self) -> Result<Secret, SecretError> {
        self.read_in(|variable| std::env::var_os(variable))
    }

    /// The same in an environment of one's own.
    fn read_in(&self, environment: impl Fn(&str) -> Option<OsString>) -> Result<Secret, SecretError> {
        match self {
            Origin::Told(secret) => Ok(secret.clone()),
            Origin::File(path) => read_file(path),
            Origin::Variable(name) => {
                let text = environment(name).and_then(|text| text.into_string().ok());
                let text = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
                text.map(Secret).ok_or_else(|| SecretError::Variable(name.clone()))
            }
            Origin::Credential(name) => match environment(CREDENTIALS_DIRECTORY) {
                Some(directory) => read_file(&Path::new(&directory).join(name)),
                None => Err(SecretError::NoCredentials(name.clone())),
            },
        }
    }

    /// What a careful administrator would change.
    pub fn doubt(&self) -> Option<String> {
        let Origin::File(path) = self else { return None };
        let mode = path.metadata().ok()?.permissions().mode();
        let is_open = mode & READABLE_BY_ALL != 0;
        is_open.then(|| format!("everybody can read the secret file {}; chmod o-r it", path.display()))
    }
}

/// What the file holds, without the white space around it that editors add.
fn read_file(path: &Path) -> Result<Secret, SecretError> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(SECRET_BYTES_MAX + 1).read_to_string(&mut text));
    match read {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(SecretError::NoText(path.to_owned())),
        Err(source) => Err(SecretError::File { path: path.to_owned(), source }),
        Ok(_) if text.len() as u64 > SECRET_BYTES_MAX => Err(SecretError::NoText(path.to_owned())),
        Ok(_) if text.trim().is_empty() => Err(SecretError::Empty(path.to_owned())),
        Ok(_) => Ok(Secret::new(text.trim())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, set_permissions, write};

    fn refusal(origin: &Origin) -> String {
        origin.read_in(|_| None).expect_err("it is not to be had").to_string()
    }

    #[test]
    fn a_secret_is_never_printed() {
        let secret = Secret::new("hunter2");
        let told = Origin::Told(secret.clone());
        let json = serde_json::to_string(&secret).expect("serialises");
        assert_eq!(format!("{secret} {secret:?} {told:?} {json}"), r#"(secret) (secret) Told((secret)) "(secret)""#);
        assert_eq!(secret.reveal(), "hunter2");
    }

    #[test]
    fn a_secret_is_read_from_a_file_a_variable_or_a_credential() {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path().join("token"), "  hunter2\n").expect("a file");
        let environment = |name: &str| match name {
            "TOKEN" => Some("hunter2\n".into()),
            CREDENTIALS_DIRECTORY => Some(folder.path().into()),
            _ => None,
        };
        let file = Origin::File(folder.path().join("token"));
        for origin in [file, Origin::Variable("TOKEN".into()), Origin::Credential("token".into())] {
            assert_eq!(origin.read_in(environment).expect("it is there").reveal(), "hunter2", "{origin:?}");
        }
    }

    #[test]
    fn a_changed_secret_is_read_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        let origin = Origin::File(path.clone());
        for token in ["first", "second"] {
            write(&path, token).expect("a file");
            assert_eq!(origin.read().expect("it is there").reveal(), token);
        }
    }

    #[test]
    fn a_secret_that_is_not_there_is_told_with_the_remedy() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        let file = Origin::File(path.clone());
        let say = |text: String| text.replace(&path.display().to_string(), "FILE");
        assert_eq!(
            say(refusal(&file)),
            "cannot read the secret file FILE: No such file or directory (os error 2); check the path, and let daycap's user read it"
        );
        write(&path, " \n").expect("a file");
        assert_eq!(say(refusal(&file)), "the secret file FILE is empty; write the secret into it");
        write(&path, [0xff, 0xfe]).expect("a file");
        let no_text = "the secret file FILE is no text of at most 65536 bytes; it is to hold the secret alone";
        assert_eq!(say(refusal(&file)), no_text);
        write(&path, "x".repeat(65_537)).expect("a file");
        assert_eq!(say(refusal(&file)), no_text);
        assert_eq!(
            refusal(&Origin::Variable("TOKEN".into())),
            "the environment has no variable \"TOKEN\", or it is empty; set it for daycap"
        );
        assert_eq!(
            refusal(&Origin::Credential("token".into())),
            "the credential \"token\" is not to be had, as $CREDENTIALS_DIRECTORY is not set; systemd sets it for a unit with LoadCredential=token:/path/to/the/secret"
        );
    }

    #[test]
    fn a_file_that_everybody_can_read_is_doubted() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        write(&path, "hunter2").expect("a file");
        let origin = Origin::File(path.clone());
        for (mode, is_doubted) in [(0o600, false), (0o640, false), (0o644, true)] {
            set_permissions(&path, Permissions::from_mode(mode)).expect("it is ours");
            assert_eq!(origin.doubt().is_some(), is_doubted, "{mode:o}");
        }
    }
}

//! Mails as files, for embedded mode: open them with any mail program, or read them as text.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use lettre::message::Mailbox;

use super::{Mail, Mailer, compose};
use crate::external::DeliveryError;

/// Writes `<id>.eml`. Ids rise with time, so the newest mail is the last in the list; a repeat replaces its file.
pub struct FolderMailer {
    folder: PathBuf,
    from: Mailbox,
}

impl FolderMailer {
    /// A mailer that writes into `folder`, which is made with the first mail.
    ///
    /// # Errors
    /// When the sender's address cannot be used.
    pub fn new(folder: PathBuf, from: &str) -> anyhow::Result<Self> {
        Ok(Self { folder, from: compose::sender(from)? })
    }
}

#[async_trait]
impl Mailer for FolderMailer {
    async fn send(&self, mail: &Mail) -> Result<(), DeliveryError> {
        let content = compose::message(mail, &self.from)?.formatted();
        let (folder, id) = (self.folder.clone(), mail.id);
        let written =
            tokio::task::spawn_blocking(move || write(&folder, &format!("{id}.eml"), &content)).await;
        let fault =
            |error: &dyn std::fmt::Display| DeliveryError::Retryable(format!("writing the file: {error}"));
        let path = written.map_err(|error| fault(&error))?.map_err(|error| fault(&error))?;
        tracing::info!(file = %path.display(), "e-mail written; no SMTP_URL is set");
        Ok(())
    }
}

/// For the owner only, since mails hold one-time links. Whole or not at all: a reader never sees half a mail.
fn write(folder: &Path, name: &str, content: &[u8]) -> io::Result<PathBuf> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let path = folder.join(name);
    let unfinished = folder.join(format!(".{name}.part"));
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    file.write_all(content)?;
    fs::rename(&unfinished, &path)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn a_repeat_replaces_the_file_and_only_the_owner_may_read_it() {
        let folder = std::env::temp_dir().join(format!("beian-mail-{}", uuid::Uuid::now_v7()));
        let mailer = FolderMailer::new(folder.clone(), "icp@example.com").expect("a mailer");
        let mail = Mail {
            id: uuid::Uuid::from_u128(9),
            at: "2026-03-02T01:02:03Z".parse().expect("a time"),
            to: crate::kernel::pii::Sensitive::new("a@example.com"),
            subject: "s".to_owned(),
            text: "t".to_owned(),
            html: "<p>t</p>".to_owned(),
            unsubscribe: None,
        };
        mailer.send(&mail).await.expect("written");
        mailer.send(&mail).await.expect("written again");
        let files: Vec<_> =
            fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
        let mode = fs::metadata(&files[0]).expect("a file").permissions().mode();
        let count = files.len();
        fs::remove_dir_all(&folder).expect("removed");
        assert_eq!((count, mode & 0o777), (1, 0o600));
    }
}

//! Looks for malware in uploads. Without `CLAMAV_ADDR` nothing is looked for; with it, ClamAV's daemon is asked.

use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::config::Config;

/// Longest time for one file: ClamAV unpacks archives inside documents.
const TIME_LIMIT: Duration = Duration::from_secs(20);
/// Largest piece in the INSTREAM protocol; any size up to the daemon's `StreamMaxLength` is allowed.
const PIECE: usize = 64 * 1024;

/// What a scanner found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Clean,
    /// Malware, with the scanner's name for it. The name goes to the log only.
    Infected(String),
}

/// Why a file could not be scanned; trying again may help.
#[derive(Debug, thiserror::Error)]
#[error("the malware scanner is not available: {0}")]
pub struct ScanError(String);

/// Something that looks for malware.
#[async_trait]
pub trait Scanner: Send + Sync {
    /// Looks at the whole content of a file.
    ///
    /// # Errors
    /// When the scanner does not answer. The file must not count as clean then.
    async fn scan(&self, bytes: &[u8]) -> Result<Verdict, ScanError>;
}

/// No scanner: everything counts as clean.
pub struct NoScanner;

#[async_trait]
impl Scanner for NoScanner {
    async fn scan(&self, _bytes: &[u8]) -> Result<Verdict, ScanError> {
        Ok(Verdict::Clean)
    }
}

/// ClamAV's daemon over TCP, by its INSTREAM command (clamd(8)): pieces with their length in network order, then a zero.
pub struct Clamd {
    address: String,
}

impl Clamd {
    /// `host:port` of the daemon; nothing is sent yet.
    pub fn new(address: impl Into<String>) -> Self {
        Self { address: address.into() }
    }

    async fn ask(&self, bytes: &[u8]) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(&self.address).await?;
        stream.write_all(b"zINSTREAM\0").await?;
        for piece in bytes.chunks(PIECE) {
            stream.write_u32(piece.len() as u32).await?;
            stream.write_all(piece).await?;
        }
        stream.write_u32(0).await?;
        let mut answer = Vec::new();
        // An answer is one short line; a peer that talks on is not ClamAV.
        stream.take(4096).read_to_end(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer).trim_end_matches(['\0', '\n']).to_owned())
    }
}

#[async_trait]
impl Scanner for Clamd {
    async fn scan(&self, bytes: &[u8]) -> Result<Verdict, ScanError> {
        let answer = tokio::time::timeout(TIME_LIMIT, self.ask(bytes))
            .await
            .map_err(|_| ScanError("no answer in time".to_owned()))?
            .map_err(|error| ScanError(error.to_string()))?;
        read_answer(&answer)
    }
}

/// `stream: OK`, `stream: <name> FOUND`, or an error such as `INSTREAM size limit exceeded. ERROR`.
fn read_answer(answer: &str) -> Result<Verdict, ScanError> {
    let text = answer.strip_prefix("stream: ").unwrap_or(answer);
    match text.strip_suffix(" FOUND") {
        Some(name) => Ok(Verdict::Infected(name.to_owned())),
        None if text == "OK" => Ok(Verdict::Clean),
        None => Err(ScanError(format!("unexpected answer {text:?}"))),
    }
}

/// The scanner that the settings name.
pub fn of(config: &Config) -> Box<dyn Scanner> {
    match &config.clamav_addr {
        Some(address) => Box::new(Clamd::new(address)),
        None => Box::new(NoScanner),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// A daemon that speaks INSTREAM and calls everything with "EICAR" in it malware.
    async fn daemon() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut command = [0; 10];
            stream.read_exact(&mut command).await.unwrap();
            assert_eq!(&command, b"zINSTREAM\0");
            let mut content = Vec::new();
            loop {
                let length = stream.read_u32().await.unwrap() as usize;
                if length == 0 {
                    break;
                }
                let mut piece = vec![0; length];
                stream.read_exact(&mut piece).await.unwrap();
                content.extend(piece);
            }
            let is_bad = content.windows(5).any(|window| window == b"EICAR");
            let answer: &[u8] =
                if is_bad { b"stream: Eicar-Test-Signature FOUND\0" } else { b"stream: OK\0" };
            stream.write_all(answer).await.unwrap();
        });
        address
    }

    #[tokio::test]
    async fn clean_and_infected_files_are_told_apart() {
        let clean = Clamd::new(daemon().await).scan(&vec![b'a'; PIECE + 1]).await.unwrap();
        assert_eq!(clean, Verdict::Clean);
        let infected = Clamd::new(daemon().await).scan(b"...EICAR...").await.unwrap();
        assert_eq!(infected, Verdict::Infected("Eicar-Test-Signature".to_owned()));
    }

    #[tokio::test]
    async fn a_scanner_that_is_away_or_complains_never_says_clean() {
        assert!(Clamd::new("127.0.0.1:1").scan(b"x").await.is_err());
        assert!(read_answer("INSTREAM size limit exceeded. ERROR").is_err());
        assert!(read_answer("").is_err());
    }
}

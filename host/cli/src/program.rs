//! What a login gets from outside of forge: what a program of the user's prints, and the code that a device shows.

use std::io::{self, IsTerminal as _};
use std::process::Stdio;
use std::time::Duration;

use forge_broker::Error;
use secrecy::SecretString;
use tokio::io::AsyncReadExt as _;
use zeroize::Zeroizing;

/// The most that is read of what a program prints, in bytes: a key with its session's token has about 2,000.
const LONGEST: u64 = 64 << 10;

/// How long a program may take: a little less than a login.
const PATIENCE: Duration = Duration::from_secs(18);

/// What a program prints. It has this process' environment and directory, and its messages go to standard error, since it
/// is the user's own and may ask them something.
pub(crate) async fn output(words: &[String]) -> Result<SecretString, Error> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(Error::Program { program: String::new(), what: "has no name".to_owned() });
    };
    let failed = |what: String| Error::Program { program: program.clone(), what };
    let mut child = tokio::process::Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(format!("can't be started: {error}")))?;
    // Room from the beginning: a buffer that grows leaves copies behind.
    let mut printed = Zeroizing::new(Vec::with_capacity(usize::try_from(LONGEST + 1).unwrap_or_default()));
    let work = async {
        if let Some(stdout) = child.stdout.take() {
            stdout.take(LONGEST + 1).read_to_end(&mut printed).await?;
        }
        child.wait().await
    };
    let status = tokio::time::timeout(PATIENCE, work)
        .await
        .map_err(|_| failed(format!("did not end within {} seconds", PATIENCE.as_secs())))?
        .map_err(|error| failed(format!("can't be read: {error}")))?;
    if !status.success() {
        return Err(failed(format!("did not end well: {status}")));
    }
    if printed.len() as u64 > LONGEST {
        return Err(failed(format!("printed more than {LONGEST} bytes")));
    }
    let text = std::str::from_utf8(&printed).map_err(|_| failed("printed something else than text".to_owned()))?;
    Ok(SecretString::from(text))
}

/// The code of a device, asked of whoever sits at the terminal.
pub(crate) fn code(device: &str) -> Result<SecretString, Error> {
    let needed = || Error::CodeNeeded { device: device.to_owned() };
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(needed());
    }
    let typed = rpassword::prompt_password(format!("code of {device}: ")).map(Zeroizing::new).map_err(|_| needed())?;
    // "AWS STS API Reference, AssumeRole", `TokenCode`: six digits.
    let code: String = typed.chars().filter(char::is_ascii_digit).collect();
    if code.len() == 6 { Ok(SecretString::from(code)) } else { Err(needed()) }
}

//! A message becomes the stdin of a program: JSON, one line. No shell is involved.
//! This file never leaves a program running past its time, nor the children it started.

use std::io;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, Command};
use tokio::time::timeout;

use super::super::message::Message;
use super::DeliveryError;

/// How much of the end of a program's stderr is worth a log line.
const STDERR_BYTES_MAX: usize = 4 * 1024;
/// How long a failed program's stderr is read after its end: what it wrote is there already, and a child it
/// left behind may hold the pipe open for ever.
const STDERR_GRACE: Duration = Duration::from_millis(200);

/// Run `command`, a program and its arguments, with the message as JSON on stdin and `DAYCAP_QUOTA`,
/// `DAYCAP_SOURCE` and `DAYCAP_LEVEL` in an environment that is else the daemon's. Exit code 0 is a delivery, whether the program
/// read its stdin or not. It is killed, with the processes it started, at `time_max` or when this future is
/// dropped.
pub async fn deliver(message: &Message, command: &[String], time_max: Duration) -> Result<(), DeliveryError> {
    let program = command.first().ok_or(DeliveryError::NoCommand)?.clone();
    let mut running =
        start(message, command).map_err(|source| DeliveryError::Start { program: program.clone(), source })?;
    let mut stderr = Vec::new();
    let ended = timeout(time_max, running.talk(&line(message), &mut stderr)).await;
    let stderr = String::from_utf8_lossy(&stderr).into_owned();
    match ended {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(DeliveryError::Failed { program, status, stderr }),
        Ok(Err(source)) => Err(DeliveryError::Lost { program, source }),
        Err(_) => Err(DeliveryError::TimedOut { program, after: time_max, stderr }),
    }
}

/// Texts, integers and finite floats: there is nothing in a message that JSON cannot say.
fn line(message: &Message) -> String {
    let json = serde_json::to_string(message).expect("a message is plain data");
    json + "\n"
}

/// A started program, leader of its own process group, which is killed when this is dropped before its end.
struct Running {
    child: Child,
    group: Option<Pid>,
}

fn start(message: &Message, command: &[String]) -> io::Result<Running> {
    let child = Command::new(&command[0])
        .args(&command[1..])
        .env("DAYCAP_QUOTA", message.quota.as_deref().unwrap_or_default())
        .env("DAYCAP_SOURCE", message.source.as_deref().unwrap_or_default())
        .env("DAYCAP_LEVEL", message.level.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    Ok(Running { child, group })
}

impl Running {
    /// Feed and listen until the program ends.
    async fn talk(&mut self, input: &str, stderr: &mut Vec<u8>) -> io::Result<ExitStatus> {
        let (stdin, pipe) = (self.child.stdin.take(), self.child.stderr.take());
        let mut talking = pin!(async {
            tokio::join!(feed(stdin, input), listen(pipe, stderr));
        });
        let (status, said_all) = tokio::select! {
            () = &mut talking => (self.child.wait().await?, true),
            status = self.child.wait() => (status?, false),
        };
        self.group = None;
        // A program that has ended before its pipes did not want its stdin, or has left a child that holds its
        // stderr. Neither is waited for, but what a failure said is still read.
        if !status.success() && !said_all {
            let _ = timeout(STDERR_GRACE, talking).await;
        }
        Ok(status)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            // Nothing can be done for a group that is gone already.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Write all, then close. A program may end without reading: that is its choice, not a failure.
async fn feed(stdin: Option<ChildStdin>, input: &str) {
    if let Some(mut stdin) = stdin {
        let _ = stdin.write_all(input.as_bytes()).await;
    }
}

/// Keep the last bytes of what is said, to its end. What cannot be read is not said.
async fn listen(pipe: Option<ChildStderr>, tail: &mut Vec<u8>) {
    let Some(mut pipe) = pipe else { return };
    let mut buffer = [0; STDERR_BYTES_MAX];
    while let Ok(read @ 1..) = pipe.read(&mut buffer).await {
        tail.extend_from_slice(&buffer[..read]);
        tail.drain(..tail.len().saturating_sub(STDERR_BYTES_MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::example;
    use std::path::Path;

    const LONG: Duration = Duration::from_secs(30);
    const SHORT: Duration = Duration::from_millis(100);

    fn alert(message: String) -> Message {
        Message { message, ..example::alert() }
    }

    /// Run this shell script, with the directory as its `$1`.
    async fn run(script: &str, directory: &Path, time_max: Duration) -> Result<(), DeliveryError> {
        run_with(&alert("80% used".to_owned()), script, directory, time_max).await
    }

    async fn run_with(
        alert: &Message,
        script: &str,
        directory: &Path,
        time_max: Duration,
    ) -> Result<(), DeliveryError> {
        let file = directory.join("notify.sh");
        std::fs::write(&file, script).expect("a script is written");
        let command = ["sh".to_owned(), file.display().to_string(), directory.display().to_string()];
        deliver(alert, &command, time_max).await
    }

    fn directory() -> tempfile::TempDir {
        tempfile::tempdir().expect("a fresh directory")
    }

    #[tokio::test]
    async fn the_alert_arrives_as_json_on_stdin_with_quota_and_level_in_the_environment() {
        let directory = directory();
        let script = "cat > $1/stdin; echo $DAYCAP_QUOTA $DAYCAP_LEVEL ${PATH:+inherited} > $1/environment";
        run(script, directory.path(), LONG).await.expect("it is delivered");
        let stdin = std::fs::read_to_string(directory.path().join("stdin")).expect("stdin was kept");
        let received: Message = serde_json::from_str(&stdin).expect("JSON");
        assert_eq!(received, alert("80% used".to_owned()));
        assert!(stdin.ends_with("}\n") && stdin.contains(r#""level":"projected""#), "{stdin}");
        let environment = std::fs::read_to_string(directory.path().join("environment")).expect("it was kept");
        assert_eq!(environment, "maps projected inherited\n");
    }

    #[tokio::test]
    async fn trouble_arrives_with_its_source_and_level() {
        let directory = directory();
        let script = "cat > $1/stdin; echo \"$DAYCAP_QUOTA,$DAYCAP_SOURCE,$DAYCAP_LEVEL\" > $1/environment";
        run_with(&example::trouble(), script, directory.path(), LONG).await.expect("it is delivered");
        let kept = |name| std::fs::read_to_string(directory.path().join(name)).expect("it was kept");
        assert_eq!(kept("environment"), ",/srv/crm/api.log,stale\n");
        let received: Message = serde_json::from_str(&kept("stdin")).expect("JSON");
        assert_eq!(received, example::trouble());
    }

    #[tokio::test]
    async fn arguments_are_passed_without_a_shell() {
        let directory = directory();
        let file = directory.path().join("a file; $(touch no)");
        let command = ["touch".to_owned(), file.display().to_string()];
        deliver(&alert(String::new()), &command, LONG).await.expect("it is delivered");
        assert!(file.exists());
    }

    #[tokio::test]
    async fn a_failure_carries_the_exit_code_and_what_was_said() {
        let error = run("cat > /dev/null; echo no route to pager >&2; exit 7", directory().path(), LONG).await;
        let error = error.expect_err("it failed").to_string();
        assert_eq!(error, "\"sh\" ended with exit status: 7; it said: no route to pager");
    }

    #[tokio::test]
    async fn of_a_flood_on_stderr_the_end_is_kept() {
        let flood = "i=0; while [ $i -lt 3000 ]; do echo line $i >&2; i=$((i+1)); done; exit 1";
        match run(flood, directory().path(), LONG).await {
            Err(DeliveryError::Failed { stderr, .. }) => {
                assert!(stderr.len() <= STDERR_BYTES_MAX && stderr.ends_with("line 2999\n"), "{stderr}");
            }
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_missing_program_is_named() {
        let error = deliver(&alert(String::new()), &["/no/such/pager".to_owned()], LONG).await;
        let error = error.expect_err("there is none").to_string();
        assert!(error.starts_with("cannot run \"/no/such/pager\": No such file"), "{error}");
        let error = deliver(&alert(String::new()), &[], LONG).await.expect_err("nothing to run");
        assert_eq!(error.to_string(), "the command is empty; name the program to run");
    }

    #[tokio::test]
    async fn a_program_that_does_not_read_its_stdin_is_no_failure() {
        let larger_than_a_pipe = alert("x".repeat(1 << 20));
        run_with(&larger_than_a_pipe, "exit 0", directory().path(), LONG).await.expect("it is delivered");
    }

    #[tokio::test]
    async fn a_program_past_its_time_is_killed_with_the_children_it_started() {
        let directory = directory();
        // The child reads a fifo that nobody writes, and says its id first.
        let script = "mkfifo $1/never; echo waiting >&2; cat $1/never & echo $! > $1/id; wait";
        let error = run(script, directory.path(), SHORT * 5).await.expect_err("it never ends").to_string();
        assert_eq!(error, "\"sh\" took longer than 500ms and was killed; it said: waiting");
        let id = std::fs::read_to_string(directory.path().join("id")).expect("the child said its id");
        assert!(is_dying(id.trim()), "the child still runs");
    }

    /// Whether this process has gone, is a zombie, or has a KILL pending that it cannot refuse.
    fn is_dying(id: &str) -> bool {
        let Ok(status) = std::fs::read_to_string(format!("/proc/{id}/status")) else { return true };
        let field =
            |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("").trim().to_owned();
        let pending = ["SigPnd:", "ShdPnd:"].map(|name| u64::from_str_radix(&field(name), 16).unwrap_or(0));
        let killed = 1 << 8;
        field("State:").starts_with(['Z', 'X']) || pending.iter().any(|signals| signals & killed != 0)
    }

    #[tokio::test]
    async fn a_background_child_that_keeps_stderr_open_does_not_hold_up_a_delivery() {
        let directory = directory();
        let script = "mkfifo $1/never; cat $1/never & echo $! > $1/id; exit 0";
        run(script, directory.path(), LONG).await.expect("it is delivered");
        let id = std::fs::read_to_string(directory.path().join("id")).expect("the child said its id");
        let id = id.trim().parse().ok().and_then(Pid::from_raw).expect("an id");
        rustix::process::kill_process(id, Signal::KILL).expect("the test ends what it started");
    }
}

//! A client at work in a thread: it appends numbered lines to its log at a steady pace, and reopens or pauses
//! when told to, as clients do around a rotation.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::lines::line;

/// Between two commands it writes so many lines a millisecond: some 20,000 a second.
const LINES_A_PACE: u64 = 20;
const PACE: Duration = Duration::from_millis(1);

pub enum Command {
    /// Go on in a new file under the log's name; say when that is done.
    Reopen(Sender<()>),
    /// Write nothing from `paused` on, until `resume` says something or is dropped.
    Pause { paused: Sender<()>, resume: Receiver<()> },
}

pub struct Writer {
    commands: Sender<Command>,
    thread: JoinHandle<u64>,
}

/// The writer pauses for as long as this lives.
pub struct Pause {
    _resume: Sender<()>,
}

impl Writer {
    /// Write to this log, this line first.
    pub fn start(log: &Path, first: u64) -> Writer {
        let (commands, told) = channel();
        let log = log.to_owned();
        Writer { commands, thread: std::thread::spawn(move || write(&log, first, &told)) }
    }

    /// For others who may tell it something.
    pub fn commands(&self) -> Sender<Command> {
        self.commands.clone()
    }

    /// It may write to the old file until the answer comes.
    pub fn reopen(&self) -> Receiver<()> {
        let (done, answer) = channel();
        self.commands.send(Command::Reopen(done)).expect("the writer runs");
        answer
    }

    pub fn pause(&self) -> Pause {
        let (paused, answer) = channel();
        let (resume, resumed) = channel();
        self.commands.send(Command::Pause { paused, resume: resumed }).expect("the writer runs");
        answer.recv().expect("the writer runs");
        Pause { _resume: resume }
    }

    /// The number after the last line's. Nobody may be left who could tell it something.
    pub fn finish(self) -> u64 {
        drop(self.commands);
        self.thread.join().expect("the writer ran to its end")
    }
}

fn write(log: &Path, first: u64, told: &Receiver<Command>) -> u64 {
    let mut file = open(log);
    let mut next = first;
    loop {
        match told.recv_timeout(PACE) {
            Ok(Command::Reopen(done)) => {
                file = open(log);
                done.send(()).unwrap_or_default();
            }
            Ok(Command::Pause { paused, resume }) => {
                paused.send(()).expect("somebody waits for the pause");
                // Either way the pause is over.
                let _ = resume.recv();
            }
            Err(RecvTimeoutError::Timeout) => {
                (next..next + LINES_A_PACE).for_each(|number| write_line(&mut file, number));
                next += LINES_A_PACE;
            }
            Err(RecvTimeoutError::Disconnected) => return next,
        }
    }
}

/// In two pieces, as writers with buffers do.
fn write_line(file: &mut File, number: u64) {
    let line = line(number);
    let (first, second) = line.as_bytes().split_at(number as usize % line.len());
    file.write_all(first).expect("writes");
    file.write_all(second).expect("writes");
}

fn open(log: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(log).expect("opens")
}

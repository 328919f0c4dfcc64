//! The bugs that are sown, each as an exchange of text, and what has to catch it. A text that is no longer found exactly
//! once fails the test by its bug's name, so that the table cannot rot.
//! Who else has a bug is told by the sources read for this project: the names are those of tailers and log shippers.

pub struct Bug {
    pub name: &'static str,
    /// Who had it, when their sources were read.
    pub also_in: &'static str,
    /// What goes wrong.
    pub story: &'static str,
    pub edits: &'static [Edit],
    /// The test that has to fail.
    pub caught_by: &'static str,
}

pub struct Edit {
    pub file: &'static str,
    /// Exactly once in the file: an expression, or statements that end in `;` or `}`.
    pub right: &'static str,
    pub wrong: &'static str,
}

const GENTLE: &str = "model::tests::gentle_histories_count_every_line_once_1";
const HARSH: &str = "model::tests::harsh_histories_count_no_line_twice_and_tell_what_is_lost_1";
const ODD_LINES: &str = "model::tests::every_odd_line_counts_once";

pub const BUGS: &[Bug] = &[
    Bug {
        name: "half-a-line-counts",
        also_in: "nxadm/tail, OTel, linemux",
        story: "what stands behind the last LF is given out as a line, and its rest as another",
        edits: &[Edit {
            file: "src/collect/lines.rs",
            right: "    if buffer.len() < limit {
        return Ok(None);
    }",
            wrong: "if !buffer.is_empty() && buffer.len() < limit {
                let end = start + buffer.len() as u64;
                buffer.push(b'\\n');
                return Ok(Some(Chunk { start, end, written: None }));
            }
            if buffer.len() < limit {
                return Ok(None);
            }",
        }],
        caught_by: GENTLE,
    },
    Bug {
        name: "mark-past-half-a-line",
        also_in: "nxadm/tail",
        story: "the mark is where reading ended, not where the last line did",
        edits: &[Edit {
            file: "src/collect/lines.rs",
            right: "        buffer.truncate(last + 1);
        return Ok(Some(Chunk { start, end: start + buffer.len() as u64, written: None }));",
            wrong: "let end = start + buffer.len() as u64;
            buffer.truncate(last + 1);
            return Ok(Some(Chunk { start, end, written: None }));",
        }],
        caught_by: GENTLE,
    },
    Bug {
        name: "long-line-ends-the-log",
        also_in: "Fluent Bit",
        story: "behind a line that is longer than the buffer, nothing is read any more",
        edits: &[Edit { file: "src/collect/lines.rs", right: "line_end(file, from, searched)?", wrong: "None" }],
        caught_by: ODD_LINES,
    },
    Bug {
        name: "text-must-be-utf8",
        also_in: "linemux, OTel",
        story: "what is read together with a byte that is not UTF-8 is left out",
        edits: &[Edit {
            file: "src/harvest.rs",
            right: "        self.decoders.decode(&piece.reading, &piece.default_service, &self.buffer, &piece.chunk);",
            wrong: "if std::str::from_utf8(&self.buffer).is_ok() {
                self.decoders.decode(&piece.reading, &piece.default_service, &self.buffer, &piece.chunk);
            }",
        }],
        caught_by: ODD_LINES,
    },
    Bug {
        name: "truncated-only-if-shorter",
        also_in: "mtail, nxadm/tail, Promtail, Beats",
        story: "a log that was truncated and has outgrown its mark is read on in the middle of a line",
        edits: &[Edit {
            file: "src/collect/follow.rs",
            right: "before.filter(|bytes| Fingerprint::of(bytes) == self.mark.anchor)",
            wrong: "before",
        }],
        caught_by: GENTLE,
    },
    Bug {
        name: "renamed-log-not-drained",
        also_in: "nxadm/tail, linemux, mtail",
        story: "what was not read of a log when it was rotated is never read",
        edits: &[Edit {
            file: "src/collect/scan.rs",
            right: "            log.path.clone_from(&found.path);",
            wrong: "log.path.clone_from(&found.path);
            log.mark.offset = stamp.size;
            let _ = log.take_anchor();",
        }],
        caught_by: GENTLE,
    },
    Bug {
        name: "head-is-identity",
        also_in: "Vector, OTel, Beats",
        story: "files that begin alike are one log: the mark of one is applied to the other",
        edits: &[Edit {
            file: "src/collect/judge.rs",
            right: "window == Some(known.mark.anchor)",
            wrong: "window.is_none() || window.is_some()",
        }],
        caught_by: GENTLE,
    },
    Bug {
        name: "archive-is-another-log",
        also_in: "Promtail, Alloy, Beats",
        story: "a copy of a log whose own file is gone is counted again",
        edits: &[Edit { file: "src/collect/judge.rs", right: "Verdict::Copy(known.mark.id)", wrong: "Verdict::New" }],
        caught_by: GENTLE,
    },
    Bug {
        name: "copy-is-another-log",
        also_in: "Promtail, Alloy, linemux",
        story: "a copy is counted again while the log that it was made of is still there",
        edits: &[Edit {
            file: "src/collect/judge.rs",
            right: "log.window(common)? == Some(survey.end)",
            wrong: "log.window(common)?.is_none()",
        }],
        caught_by: GENTLE,
    },
    Bug {
        name: "gz-read-from-its-start",
        also_in: "Fluent Bit, OTel",
        story: "of a log that was compressed, everything is read again",
        edits: &[Edit {
            file: "src/collect/scan.rs",
            right: "Log::new(known, place(found), content, survey, arrivals)",
            wrong: "{
                let mut known = known;
                if content.packing.is_some() {
                    known.resume = 0;
                }
                Log::new(known, place(found), content, survey, arrivals)
            }",
        }],
        caught_by: GENTLE,
    },
    Bug {
        name: "gz-rest-skipped",
        also_in: "Vector",
        story: "of a log that was compressed before it was read to its end, the rest is never read",
        edits: &[Edit {
            file: "src/collect/scan.rs",
            right: "        if has_unread {
            self.enqueue(id);
        }",
            wrong:
                "if has_unread && self.followed.get(&id).is_some_and(|log| !log.is_archive() || log.mark.offset == 0) {
                self.enqueue(id);
            }",
        }],
        caught_by: GENTLE,
    },
    Bug {
        name: "footers-skip-nothing",
        also_in: "Vector, Beats, OTel",
        story: "lines that a commit saved before it was killed count again",
        edits: &[Edit {
            file: "src/harvest.rs",
            right: "counted.values().all(|mark| *mark <= chunk.start)",
            wrong: "counted.len() < usize::MAX",
        }],
        caught_by: GENTLE,
    },
    Bug {
        name: "state-before-days",
        also_in: "Fluent Bit",
        story: "the position is saved before what was read up to it",
        edits: &[
            Edit {
                file: "src/commit.rs",
                right: "ledger.commit(&commit.tally, &commit.marks, &commit.at_least)",
                wrong: "{
                    drop(state::save(state_dir, &commit.state));
                    ledger.commit(&commit.tally, &commit.marks, &commit.at_least)
                }",
            },
            Edit { file: "src/commit.rs", right: "save(&mut commit, state_dir).err()", wrong: "None::<anyhow::Error>" },
        ],
        caught_by: GENTLE,
    },
    Bug {
        name: "footer-marks-replaced",
        also_in: "-",
        story: "a day's file knows the marks of its latest commit only",
        edits: &[Edit { file: "src/count/ledger.rs", right: "union(footer.marks, marks)", wrong: "marks.to_vec()" }],
        caught_by: GENTLE,
    },
    Bug {
        name: "lost-state-starts-empty",
        also_in: "Vector",
        story: "without a state, no log is known to be counted",
        edits: &[Edit {
            file: "src/resume.rs",
            right: "known_logs(&state, &footers)",
            wrong: "known_logs(&state, &footers[..0])",
        }],
        caught_by: GENTLE,
    },
    Bug {
        name: "no-second-check",
        also_in: "all but Fluent Bit",
        story: "what was read while its log was truncated is believed",
        edits: &[Edit {
            file: "src/collect/follow.rs",
            right: "self.is_unchanged(file, &before, &chunk, buffer)?",
            wrong: "file.metadata()?.len() < u64::MAX",
        }],
        caught_by: "collect::tail::tests::a_log_truncated_between_a_read_and_its_second_check_is_read_anew",
    },
    Bug {
        name: "shorter-means-new",
        also_in: "all",
        story: "a log that lost its last line is read again from its first",
        edits: &[Edit {
            file: "src/collect/scan.rs",
            right: "mark.ladder.foothold(of_mark)?",
            wrong: "mark.ladder.foothold(of_mark).filter(|foothold| foothold.offset == u64::MAX)?",
        }],
        caught_by: HARSH,
    },
    Bug {
        name: "deleted-log-not-drained",
        also_in: "Fluent Bit, Beats",
        story: "what was not read of a log when it was deleted is never read, though it is open",
        edits: &[Edit {
            file: "src/collect/scan.rs",
            right: "log.file.as_ref().and_then(|file| file.metadata().ok())",
            wrong: "None::<std::fs::Metadata>",
        }],
        caught_by: "collect::tail::tests::a_deleted_log_is_read_to_its_end_and_let_go",
    },
    Bug {
        name: "losses-are-silent",
        also_in: "all",
        story: "nobody is told that a log was destroyed before it was read to its end",
        edits: &[Edit {
            file: "src/collect/loss.rs",
            right: "            self.losses.push(Loss { source: missing.source, path, what: missing.what.to_owned(), since, until });",
            wrong: "drop((path, missing.what, since, until));",
        }],
        caught_by: HARSH,
    },
    Bug {
        name: "unfinished-archive-is-read",
        also_in: "OTel",
        story: "a compressed file that is still being written is taken for all there is",
        edits: &[Edit {
            file: "src/collect/packed.rs",
            right: "decoder.by_ref().take(BLOCK_BYTES as u64).read_to_end(&mut recent)?",
            wrong: "decoder.by_ref().take(BLOCK_BYTES as u64).read_to_end(&mut recent).unwrap_or(0)",
        }],
        caught_by: "collect::tail::tests::a_gz_is_left_until_it_is_whole",
    },
];

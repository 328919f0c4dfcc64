//! Reads one log from beginning to end, once: a plain file, a .gz, or standard input.

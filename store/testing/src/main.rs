//! Runs a command with a PostgreSQL server for its tests: `store-testing [--durable] COMMAND…`.

use std::process::{Command, ExitCode};

use store_testing::{SERVER_VARIABLE, Server};

fn main() -> ExitCode {
    let mut arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let durable = arguments.first().is_some_and(|first| first == "--durable");
    if durable {
        arguments.remove(0);
    }
    let Some((program, arguments)) = arguments.split_first() else {
        eprintln!("usage: store-testing [--durable] COMMAND…");
        return ExitCode::from(64);
    };
    let server = match Server::start(durable) {
        Ok(server) => server,
        Err(problem) => {
            eprintln!("no PostgreSQL for the tests: {problem}");
            return ExitCode::FAILURE;
        }
    };
    let mut command = Command::new(program);
    let ended = command.args(arguments).env(SERVER_VARIABLE, server.url()).status();
    match ended {
        Ok(status) => {
            ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
        }
        Err(error) => {
            eprintln!("{}: {error}", program.display());
            ExitCode::from(127)
        }
    }
}

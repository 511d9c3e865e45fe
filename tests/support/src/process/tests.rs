use super::*;
use crate::eventually;

/// Long enough for a starved machine; nothing waits for all of it.
const SOON: Duration = Duration::from_secs(60);
/// Nothing comes in this time.
const MOMENT: Duration = Duration::from_millis(50);

fn shell(script: &str) -> Process {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    Process::start(command).unwrap()
}

#[tokio::test]
async fn lines_of_both_outputs_are_found_in_order() {
    let mut process = shell("echo one; echo two; echo one more");
    let starts_with_one = |line: &str| line.starts_with("one");
    assert_eq!(process.line("a one", SOON, starts_with_one).await.unwrap(), "one");
    assert_eq!(process.line("a one", SOON, starts_with_one).await.unwrap(), "one more");
    let mut process = shell("echo complaint >&2");
    assert_eq!(process.line("a complaint", SOON, |_| true).await.unwrap(), "complaint");
}

#[tokio::test]
async fn a_line_that_never_comes_is_an_error_that_shows_the_output() {
    let mut process = shell("echo ready; cat");
    process.line("ready", SOON, |line| line == "ready").await.unwrap();
    let error = process.line("the end", MOMENT, |line| line == "end").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "no the end within 50 ms; the process printed:\nready"
    );
}

#[tokio::test]
async fn the_end_of_the_process_ends_the_wait() {
    let mut process = shell("echo last words");
    let error = process
        .line("an answer", SOON, |line| line == "answer")
        .await
        .unwrap_err();
    assert!(
        matches!(&error, ProcessError::Ended { printed, .. } if printed == "last words"),
        "{error}"
    );
    assert!(process.exit(SOON).await.unwrap().success());
}

#[tokio::test]
async fn input_is_passed_on_until_it_is_closed() {
    let mut process = shell("cat");
    process.write_line("hello").await.unwrap();
    assert_eq!(process.line("the echo", SOON, |_| true).await.unwrap(), "hello");
    process.close_input();
    assert!(process.exit(SOON).await.unwrap().success());
    assert!(process.write_line("too late").await.is_err());
}

#[tokio::test]
async fn a_signal_reaches_the_process() {
    let mut process = shell("trap 'echo asked; exit 3' TERM; echo ready; while :; do read -r line; done");
    process.line("ready", SOON, |line| line == "ready").await.unwrap();
    process.signal(Signal::TERM).unwrap();
    process.write_line("").await.unwrap();
    process.line("the answer", SOON, |line| line == "asked").await.unwrap();
    assert_eq!(process.exit(SOON).await.unwrap().code(), Some(3));
    assert!(process.signal(Signal::TERM).is_err());
}

#[tokio::test]
async fn a_process_that_runs_on_is_an_error() {
    let mut process = shell("echo ready; cat");
    process.line("ready", SOON, |line| line == "ready").await.unwrap();
    assert!(matches!(process.exit(MOMENT).await, Err(ProcessError::Deadline { .. })));
}

#[tokio::test]
async fn a_dropped_process_takes_its_children_with_it() {
    let mut process = shell("sleep 1000 & echo $!; wait");
    let child = process.line("the child's id", SOON, |_| true).await.unwrap();
    let child = Pid::from_raw(child.parse().unwrap()).unwrap();
    rustix::process::test_kill_process(child).unwrap();
    drop(process);
    // An orphan that was killed is reaped by init, soon; until then it is a zombie.
    let gone = || async { is_gone(child).then_some(()) };
    eventually("the end of the child", SOON, gone).await.unwrap();
}

fn is_gone(pid: Pid) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    status.map_or(true, |status| status.contains(") Z "))
}

#[test]
fn old_lines_are_forgotten() {
    let mut printed = Printed::default();
    for number in 0..=KEPT_LINES {
        printed.push(number.to_string());
    }
    assert_eq!((printed.fresh.len(), printed.last.len()), (KEPT_LINES, SHOWN_LINES));
    assert_eq!(printed.take(&|line| line == "0"), None);
    assert_eq!(printed.take(&|line| line == "1").as_deref(), Some("1"));
    assert_eq!(printed.fresh.front().map(String::as_str), Some("2"));
}

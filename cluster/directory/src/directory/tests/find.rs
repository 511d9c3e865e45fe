//! How long it may take to find out where an actor is.

use super::*;
use futures::future::join_all;

#[tokio::test(start_paused = true)]
async fn who_looks_for_an_actor_waits_no_longer_than_its_deadline_and_many_look_once() {
    let (network, [one, _two, _three]) = three().await;
    // Nothing that n2 answers arrives.
    network.cut(&name("n2"), &name("n1"));
    let question = Payload::of(&Echo { text: String::new() }, Format::Binary).expect("encodes");
    let ask = async |count: usize, deadline: Duration| {
        let began = Instant::now();
        let asks = (0..count).map(|_| one.directory.ask(address("user:nobody"), question.clone(), deadline));
        let answers = join_all(asks).await;
        let codes = answers
            .into_iter()
            .map(|answer| answer.expect_err("nobody is there").code);
        (codes.collect::<Vec<_>>(), began.elapsed())
    };
    let (codes, took) = ask(200, SECOND / 10).await;
    assert!(
        codes.iter().all(|code| *code == ErrorCode::DeadlineExceeded),
        "{codes:?}"
    );
    assert!(took < SECOND / 5, "{took:?}");
    let (codes, took) = ask(1000, SECOND * 20).await;
    assert!(codes.iter().all(|code| *code == ErrorCode::NotFound), "{codes:?}");
    assert!(took < LOCATE_DEADLINE * 2, "{took:?}");
}

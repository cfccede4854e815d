//! Answers of servers on the loopback, and what is none.

use testkit::{Script, ScriptedServer, refused_address};
use tokio::runtime::Builder;

use super::*;

const LIMITS: Limits = Limits {
    timeout: Duration::from_secs(30),
    body: 10,
};

fn get(fetcher: &Fetcher, url: &str) -> Result<Response<Bytes>, FetchError> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(fetcher.get(url, "application/json"))
}

fn fetcher(schemes: Schemes, limits: Limits) -> Fetcher {
    let nobody = Authorities {
        file: None,
        certificates: Vec::new().into(),
    };
    Fetcher::new(Some(&nobody), schemes, limits).expect("a fetcher")
}

#[test]
fn an_answer_comes_whole_whatever_its_status() {
    let server = ScriptedServer::start([
        Script::ok("0123456789"),
        Script::answer(
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        ),
    ]);
    let fetcher = fetcher(Schemes::HttpOrHttps, LIMITS);
    let url = format!("http://{}/keys?a=b", server.address());
    let answer = get(&fetcher, &url).expect("an answer");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.body(), "0123456789");
    let asked = server.received(0);
    let asked = String::from_utf8_lossy(&asked);
    assert!(asked.starts_with("GET /keys?a=b HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("accept: application/json\r\n"), "{asked}");
    let answer = get(&fetcher, &url).expect("an answer");
    assert_eq!(answer.status(), 302, "nothing is followed");
}

#[test]
fn what_is_too_long_or_late_or_not_there_is_an_error() {
    let server = ScriptedServer::start([
        Script::ok("0123456789a"),
        Script::answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n0123456789a\r\n"),
        Script::silent(),
    ]);
    let url = format!("http://{}/", server.address());
    let patient = fetcher(Schemes::HttpOrHttps, LIMITS);
    for _ in 0..2 {
        assert_eq!(get(&patient, &url).map(drop), Err(FetchError::TooLong(10)));
    }
    let moment = Duration::from_millis(1);
    let hasty = fetcher(
        Schemes::HttpOrHttps,
        Limits {
            timeout: moment,
            ..LIMITS
        },
    );
    assert_eq!(get(&hasty, &url).map(drop), Err(FetchError::Late(moment)));

    let only_https = fetcher(Schemes::Https, LIMITS);
    assert!(matches!(
        get(&only_https, &url),
        Err(FetchError::Unreachable(_))
    ));
    let refused = get(&patient, &format!("http://{}/", refused_address()));
    let Err(FetchError::Unreachable(reason)) = refused else {
        panic!("{refused:?}");
    };
    assert!(reason.contains("refused"), "{reason}");
    assert!(matches!(get(&patient, "http:///"), Err(FetchError::Url(_))));
}

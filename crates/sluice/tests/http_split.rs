//! Routes whose requests are shared between upstreams, through the real binary.

mod example;
mod explained;
mod split_kit;

use example::Example;
use explained::explained;
use split_kit::file;
use testkit::{
    Balancer, EchoReply, EchoServer, RawClient, Response, Script, ScriptedServer, refused_address,
};

/// Two servers, each with an upstream of its own, and routes in front.
struct Site {
    balancer: Balancer,
    servers: [EchoServer; 2],
}

impl Site {
    fn new(routes: &str) -> Self {
        let servers = ["v1", "v2"].map(EchoServer::start);
        let addresses = servers.each_ref().map(EchoServer::address);
        Self {
            balancer: Balancer::start(SLUICE, &file(addresses, routes)),
            servers,
        }
    }

    fn client(&self) -> RawClient {
        RawClient::connect(self.balancer.address("web"))
    }
}

fn ask(client: &mut RawClient, path: &str, fields: &str) -> Response {
    client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
    client.response("GET")
}

/// The name of the server that answers.
fn served_by(client: &mut RawClient, fields: &str) -> String {
    EchoReply::from_response(&ask(client, "/", fields)).server
}

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");
const EVEN: &str = r#"split = [{ upstream = "v1" }, { upstream = "v2" }]"#;

#[test]
fn requests_go_by_weight() {
    let site = Site::new(
        r#"
[[routes]]
name = "canary"
split = [{ upstream = "v1", weight = 80 }, { upstream = "v2", weight = 20 }]
"#,
    );
    let mut client = site.client();
    let count = 2_000;
    let second = (0..count)
        .filter(|_| served_by(&mut client, "Cookie: uid=7\r\n") == "v2")
        .count();
    // Seven times the standard deviation of 18.
    assert!((274..=526).contains(&second), "{second} of {count}");
    let metrics = site.balancer.metrics_after(count);
    let side = |upstream| [("route", "canary"), ("upstream", upstream), ("code", "2xx")];
    let of = |upstream| metrics.value("sluice_split_requests_total", &side(upstream));
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let expected = second as f64;
    assert_eq!(of("v2"), Some(expected));
    assert_eq!(of("v1"), Some(2_000.0 - expected));
    for upstream in ["v1", "v2"] {
        let side = [("route", "canary"), ("upstream", upstream)];
        let failures = metrics.value("sluice_split_failures_total", &side);
        assert_eq!(failures, Some(0.0));
    }
}

#[test]
fn a_side_without_weight_gets_nothing() {
    let site = Site::new(
        "[[routes]]\nsplit = [{ upstream = \"v1\", weight = 0 }, { upstream = \"v2\", weight = 1 }]\n",
    );
    let mut client = site.client();
    for number in 0..50 {
        let fields = format!("Cookie: uid={number}\r\n");
        assert_eq!(served_by(&mut client, &fields), "v2");
    }
}

#[test]
fn a_user_stays_on_a_side_and_only_movers_move() {
    let routes = |share: u32| {
        format!(
            "[[routes]]\nsplit-by = \"cookie:uid\"\nsplit = [{{ upstream = \"v1\", weight = {} }}, {{ upstream = \"v2\", weight = {share} }}]\n",
            100 - share
        )
    };
    let mut site = Site::new(&routes(10));
    let addresses = site.servers.each_ref().map(EchoServer::address);
    let sides = |site: &Site| -> Vec<bool> {
        let mut client = site.client();
        let mut side = |user: u32| {
            let fields = format!("Cookie: a=b; uid=user-{user}\r\n");
            let first = served_by(&mut client, &fields);
            assert_eq!(served_by(&mut site.client(), &fields), first);
            first == "v2"
        };
        (0..100).map(&mut side).collect()
    };
    let mut before = sides(&site);
    for share in [30, 60, 100] {
        site.balancer.reload(&file(addresses, &routes(share)));
        let after = sides(&site);
        let came_back = before.iter().zip(&after).filter(|(was, is)| **was && !**is);
        assert_eq!(came_back.count(), 0, "at {share}%");
        let count = |sides: &[bool]| sides.iter().filter(|side| **side).count();
        assert!(count(&after) > count(&before), "at {share}%");
        before = after;
    }
    assert!(before.iter().all(|side| *side));
}

#[test]
fn a_header_and_an_address_decide_as_well() {
    let site = Site::new(&format!(
        "[[routes]]\nmatch.path = \"/h\"\nsplit-by = \"header:x-user\"\n{EVEN}\n[[routes]]\nsplit-by = \"client-ip\"\n{EVEN}\n"
    ));
    let mut client = site.client();
    let mut seen = [0; 2];
    for user in 0..40 {
        let fields = format!("X-User: {user}\r\n");
        let side = EchoReply::from_response(&ask(&mut client, "/h", &fields)).server;
        let again = EchoReply::from_response(&ask(&mut client, "/h", &fields)).server;
        assert_eq!(side, again);
        seen[usize::from(side == "v2")] += 1;
    }
    assert!(seen.iter().all(|count| *count > 5), "{seen:?}");
    let side = served_by(&mut client, "");
    for _ in 0..20 {
        assert_eq!(served_by(&mut site.client(), ""), side);
    }
}

#[test]
fn a_client_is_assigned_a_side_and_keeps_it() {
    let site = Site::new(&format!(
        "[[routes]]\nsplit-by = {{ assign = \"ab\", ttl = \"7d\", domain = \"example.com\" }}\n{EVEN}\n"
    ));
    let mut client = site.client();
    let mut seen = [0; 2];
    for _ in 0..40 {
        let response = ask(&mut client, "/", "");
        let side = EchoReply::from_response(&response).server;
        let cookie = response.field("set-cookie").expect("a cookie").to_owned();
        let (pair, attributes) = cookie.split_once("; ").expect("attributes");
        assert_eq!(
            attributes,
            "Path=/; Max-Age=604800; Domain=example.com; SameSite=Lax; HttpOnly"
        );
        let (name, value) = pair.split_once('=').expect("a name");
        assert_eq!((name, value.len()), ("ab", 16));
        for _ in 0..3 {
            let again = ask(&mut client, "/", &format!("Cookie: x=1; {pair}\r\n"));
            assert_eq!(EchoReply::from_response(&again).server, side);
            assert_eq!(again.field("set-cookie"), None, "it has it");
        }
        seen[usize::from(side == "v2")] += 1;
    }
    // Chance decides: forty times the same is one of 2^39.
    assert!(seen.iter().all(|count| *count > 0), "{seen:?}");
    // What is no cookie of ours is replaced.
    let forged = ask(&mut client, "/", "Cookie: ab=v2\r\n");
    assert!(forged.field("set-cookie").is_some());
}

#[test]
fn theservers_own_cookies_stay() {
    let answer =
        "HTTP/1.1 200 OK\r\nSet-Cookie: own=1\r\nSet-Cookie: other=2\r\nContent-Length: 0\r\n\r\n";
    let server = ScriptedServer::start([Script::answer(answer).forever()]);
    let addresses = [server.address(), server.address()];
    let routes = format!("[[routes]]\nsplit-by.assign = \"ab\"\n{EVEN}\n");
    let balancer = Balancer::start(SLUICE, &file(addresses, &routes));
    let response = ask(&mut RawClient::connect(balancer.address("web")), "/", "");
    let cookies = response.fields("set-cookie");
    assert_eq!(cookies[..2], ["own=1", "other=2"]);
    assert!(cookies[2].starts_with("ab="), "{cookies:?}");
    assert_eq!(cookies.len(), 3);
}

#[test]
fn failures_are_those_of_the_side_and_retries_stay_there() {
    let failing = ScriptedServer::start([Script::answer(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
    )
    .forever()]);
    let spare = EchoServer::start("spare");
    let routes = r#"
[[routes]]
name = "failing"
match.path = "/failing"
split = [{ upstream = "v1", weight = 0 }, { upstream = "v2", weight = 1 }]
retry = { attempts = 3, on = ["503"], backoff = "1ms" }

[[routes]]
name = "falling-back"
split = [{ upstream = "v1", weight = 1 }, { upstream = "v2", weight = 0 }]
fallback = { upstream = "v3" }

[upstreams.v3]
servers = ["<spare>"]
"#;
    let routes = routes.replace("<spare>", &spare.address().to_string());
    let addresses = [refused_address(), failing.address()];
    let balancer = Balancer::start(SLUICE, &file(addresses, &routes));
    let mut client = RawClient::connect(balancer.address("web"));
    assert_eq!(ask(&mut client, "/failing", "").status, 503);
    assert_eq!(
        failing.requests(),
        3,
        "tries on the only server of the side"
    );
    let reply = EchoReply::from_response(&ask(&mut client, "/other", ""));
    assert_eq!(reply.server, "spare");
    let metrics = balancer.metrics_after(2);
    let failures = |route, upstream| {
        let labels = [("route", route), ("upstream", upstream)];
        metrics.value("sluice_split_failures_total", &labels)
    };
    assert_eq!(failures("failing", "v2"), Some(1.0));
    assert_eq!(failures("failing", "v1"), Some(0.0));
    assert_eq!(failures("falling-back", "v1"), Some(1.0));
}

#[test]
fn explain_says_which_side_and_why() {
    let site = Site::new(&format!(
        "[[routes]]\nname = \"user\"\nmatch.path = \"/u\"\nsplit-by = \"cookie:uid\"\nsplit = [{{ upstream = \"v1\", weight = 9 }}, {{ upstream = \"v2\" }}]\n\
         [[routes]]\nname = \"assigned\"\nmatch.path = \"/a\"\nsplit-by.assign = \"ab\"\n{EVEN}\n\
         [[routes]]\nname = \"all\"\n{EVEN}\n"
    ));
    let file = site.balancer.file();
    let said = |url: &str, fields: &[&str]| {
        let mut words = vec!["GET", url];
        for field in fields {
            words.extend(["-H", field]);
        }
        explained(&file, &words)
    };
    let user = said("http://a/u", &["cookie: uid=user-1"]);
    assert!(
        user.contains("side      v1 (weight 9 of 10: 90.0%)\n"),
        "{user}"
    );
    let mut client = site.client();
    let side = EchoReply::from_response(&ask(&mut client, "/u", "Cookie: uid=user-1\r\n")).server;
    let expected =
        format!("split     by cookie:uid: goes to {side}, each time\nupstream  {side}\n");
    assert!(user.contains(&expected), "{user}");
    let nobody = said("http://a/u", &[]);
    assert!(
        nobody.contains("split     by cookie:uid: the request has none, so chance decides\n"),
        "{nobody}"
    );
    assert!(nobody.contains("upstream  v1\n") && nobody.contains("upstream  v2\n"));
    let assigned = said("http://a/a", &[]);
    assert!(
        assigned.contains("by cookie ab, which is ours: the request has none, so chance decides and the answer sets it\n"),
        "{assigned}"
    );
    let all = said("http://a/", &[]);
    assert!(
        all.contains("split     by chance, each request by itself\n"),
        "{all}"
    );
}

#[test]
fn the_ab_test_example() {
    let [plain, bold] = ["plain", "bold"].map(EchoServer::start);
    let balancer = Example::read("ab-test.toml")
        .listener("127.0.0.1:8080", "web")
        .server("127.0.0.1:9001", plain.address())
        .server("127.0.0.1:9002", bold.address())
        .run();
    let mut client = RawClient::connect(balancer.address("web"));
    let first = ask(&mut client, "/checkout/x", "");
    let side = EchoReply::from_response(&first).server;
    let cookie = first.field("set-cookie").expect("a cookie");
    let pair = cookie.split(';').next().expect("a pair");
    assert!(pair.starts_with("checkout-test="), "{cookie}");
    for _ in 0..10 {
        let again = ask(&mut client, "/checkout/y", &format!("Cookie: {pair}\r\n"));
        assert_eq!(EchoReply::from_response(&again).server, side);
    }
    let elsewhere = ask(&mut client, "/", "");
    assert_eq!(elsewhere.field("set-cookie"), None);
    assert_eq!(EchoReply::from_response(&elsewhere).server, "plain");
}

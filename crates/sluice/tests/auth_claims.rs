//! What a token says, and as whom a client was let in: in texts, in matches, and as keys of limits.

mod http_proxy;
mod jwt_kit;

use std::fs;

use http_proxy::{Setup, start};
use jwt_kit::Issuer;
use testkit::{
    Balancer, EchoReply, EchoServer, Frame, Gate, Http2Client, RawClient, Response, Script,
    ScriptedServer, TempDir, digest, flag, kind, request,
};

/// `open:sesame`, by `bcrypt` of Python.
const ALICE: &str = "alice:$2b$04$RpyysdhuB6Usicz96SOF2OdGU2K0auVjTXK9ETMIkZJbJvv6GaL3u\n";
/// The same user and password.
const AS_ALICE: &str = "Authorization: Basic YWxpY2U6b3BlbjpzZXNhbWU=\r\n";
/// `secret`, and `hunter2`.
const KEYS: &str = "shop 2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\n\
     cart f52fbd32b2b3b86ff88ef6c490628285f482af15ddcb29541f94bcf526a3f6c7\n";

/// Two issuers whose tokens let in by `tokens` and `others`, and files of `keys` and `people`.
struct House {
    issuer: Issuer,
    other: Issuer,
    folder: TempDir,
    app: EchoServer,
}

impl House {
    fn new() -> Self {
        let (issuer, other) = (Issuer::new(), Issuer::new());
        let folder = TempDir::new().expect("a folder");
        for (name, text) in [
            ("tokens.pem", &*issuer.pem()),
            ("others.pem", &*other.pem()),
            ("users", ALICE),
            ("keys", KEYS),
        ] {
            fs::write(folder.path().join(name), text).expect("a file");
        }
        Self {
            issuer,
            other,
            folder,
            app: EchoServer::start("app"),
        }
    }

    fn start(&self, tables: &str) -> Balancer {
        let beside = self.folder.path().display();
        let tables = format!(
            "[auth.tokens]\njwt = {{ public-key = \"file:{beside}/tokens.pem\" }}\n\
             [auth.others]\njwt = {{ public-key = \"file:{beside}/others.pem\" }}\n\
             [auth.keys]\napi-key = {{ header = \"x-api-key\", keys = \"file:{beside}/keys\" }}\n\
             [auth.people]\nbasic = {{ users = \"file:{beside}/users\" }}\n\
             {tables}"
        );
        let setup = Setup {
            listener: "protocols = [\"h1\", \"h2\"]",
            tables: &tables,
            ..Setup::default()
        };
        start(&[self.app.address()], setup)
    }
}

/// A route for whatever no other one takes, so that every way to come in is used.
const REST: &str = "[[routes]]\nname = \"rest\"\nauth = [\"tokens\", \"others\", \"keys\", \"people\"]\nrespond.body = \"rest\"\n";

fn ask(balancer: &Balancer, target: &str, fields: &str) -> Response {
    balancer.ask(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n"))
}

#[test]
fn texts_speak_of_claims() {
    let house = House::new();
    let tables = format!(
        r#"
[[routes]]
match.path = "/fields"
auth = ["tokens", "keys"]
upstream = "app"
request-headers.set = {{ x-user = "{{claim:sub}}", x-roles = "{{claim:/access/roles}}", x-plan = "{{claim:https://a.example/plan}}", x-none = "{{claim:none}}" }}
response-headers.set = {{ x-for = "[{{claim:sub}}] of [{{claim:tenant}}] at [{{upstream}}]", x-not = "{{claim:none}}" }}

[[routes]]
match.path = "/own/{{file}}"
auth = "tokens"
upstream = "app"
rewrite.path = "/tenants/{{claim:tenant}}/{{file}}"

[[routes]]
match.path = "/home"
auth = "tokens"
redirect.to = "https://a.example/{{claim:sub}}"

[[routes]]
match.path = "/me"
auth = "tokens"
respond.json = {{ name = "{{claim:sub}}" }}
{REST}"#
    );
    let balancer = house.start(&tables);
    let shown = house.issuer.shows(
        r#"{"sub":"ann","tenant":"a/b c","access":{"roles":["x","y"]},"https://a.example/plan":3}"#,
    );
    // The second time it is remembered.
    for _ in 0..2 {
        let answer = ask(&balancer, "/fields", &shown);
        assert_eq!(answer.field("x-for"), Some("[ann] of [a/b c] at [app]"));
        assert_eq!(answer.field("x-not"), None);
        let reply = EchoReply::from_response(&answer);
        assert_eq!(reply.fields("x-user"), ["ann"]);
        assert_eq!(reply.fields("x-roles"), ["x,y"]);
        assert_eq!(reply.fields("x-plan"), ["3"]);
        assert_eq!(reply.field("x-none"), None);
    }
    // A key lets in as well, and claims nothing.
    let answer = ask(
        &balancer,
        "/fields",
        "X-Api-Key: secret\r\nX-User: root\r\n",
    );
    assert_eq!(answer.field("x-for"), Some("[] of [] at [app]"));
    assert_eq!(EchoReply::from_response(&answer).field("x-user"), None);
    // Nobody was let in.
    let answer = ask(&balancer, "/fields", "");
    assert_eq!(
        (answer.status, answer.field("x-for")),
        (401, Some("[] of [] at []"))
    );

    let reply = EchoReply::from_response(&ask(&balancer, "/own/x", &shown));
    assert_eq!(reply.target, "/tenants/a%2Fb%20c/x");
    let climbing = house.issuer.shows(r#"{"tenant":".."}"#);
    assert_eq!(ask(&balancer, "/own/x", &climbing).status, 400);
    let of_nobody = house.issuer.shows(r#"{"sub":"ann"}"#);
    assert_eq!(ask(&balancer, "/own/x", &of_nobody).status, 400);
    let moved = ask(&balancer, "/home", &shown);
    assert_eq!(moved.field("location"), Some("https://a.example/ann"));
    let odd = house
        .issuer
        .shows(r#"{"sub":"a\r\nX-Evil: \"1\"","tenant":"\r\n"}"#);
    let moved = ask(&balancer, "/home", &odd);
    assert_eq!(moved.field("x-evil"), None, "{moved:?}");
    let answer = ask(&balancer, "/fields", &odd);
    assert_eq!(answer.field("x-evil"), None, "{answer:?}");
    assert_eq!(
        answer.field("x-for"),
        Some("[a  X-Evil: \"1\"] of [  ] at [app]")
    );
    let me = ask(&balancer, "/me", &odd).text().to_owned();
    assert!(me.contains(r#"X-Evil: \"1\""#), "{me}");
}

#[test]
fn routes_go_by_claims() {
    let house = House::new();
    let tables = format!(
        r#"
[[routes]]
name = "admin"
match.claims = {{ role = "admin", tenant = "*" }}
auth = "tokens"
respond.body = "admin"

[[routes]]
name = "guests"
match.path = "/x/*"
match.not = {{ claims = {{ "/access/roles" = "member" }} }}
auth = ["keys", "tokens"]
respond.body = "guests"
{REST}"#
    );
    let balancer = house.start(&tables);
    let route = |target: &str, fields: &str| {
        let answer = ask(&balancer, target, fields);
        assert_eq!(answer.status, 200, "{fields}");
        answer.text().to_owned()
    };
    let admin = r#"{"role":["user","admin"],"tenant":"t"}"#;
    assert_eq!(route("/", &house.issuer.shows(admin)), "admin");
    assert_eq!(route("/", &house.issuer.shows(admin)), "admin");
    assert_eq!(
        route("/", &house.issuer.shows(r#"{"role":"admin"}"#)),
        "rest"
    );
    // It is right, and of somebody whom the route does not ask.
    assert_eq!(route("/", &house.other.shows(admin)), "rest");
    assert_eq!(route("/", "X-Api-Key: secret\r\n"), "rest");
    let key = "X-Api-Key: secret\r\n";
    let expired = house
        .issuer
        .signed(r#"{"role":"admin","tenant":"t","exp":1000000000}"#);
    let forged = house
        .issuer
        .token(admin)
        .replace("eyJhbGciOiJFUzI1NiJ9", "eyJhbGciOiJub25lIn0");
    for wrong in [expired, forged] {
        let shown = format!("Authorization: Bearer {wrong}\r\n{key}");
        assert_eq!(route("/", &shown), "rest");
    }
    // Two of them count as none.
    let twice = house.issuer.shows(admin).repeat(2);
    assert_eq!(route("/", &format!("{twice}{key}")), "rest");

    let member = house.issuer.shows(r#"{"access":{"roles":["member"]}}"#);
    assert_eq!(route("/x/y", &member), "rest");
    assert_eq!(route("/x/y", &house.issuer.shows("{}")), "guests");
    assert_eq!(
        route(
            "/x/y",
            &house
                .other
                .shows(r#"{"access":{"roles":"member"}}"#)
                .replace("\r\n", "\r\nX-Api-Key: secret\r\n")
        ),
        "guests"
    );

    // To look at a token lets nobody in.
    let metrics = balancer.metrics_after(11);
    let allowed = |auth: &str| {
        metrics.count(
            "sluice_auth_total",
            &[("auth", auth), ("outcome", "allowed")],
        )
    };
    assert_eq!(
        (allowed("tokens"), allowed("others"), allowed("keys")),
        (5, 1, 5)
    );
}

#[test]
fn limits_go_by_who_the_client_is() {
    let house = House::new();
    let tables = format!(
        r#"
[[routes]]
match.path = "/users"
auth = ["tokens", "others"]
rate-limits = ["per-user"]
respond.body = "here"

[[routes]]
match.path = "/names"
auth = ["keys", "people", "tokens", "others"]
rate-limits = ["per-name"]
respond.body = "here"

[[routes]]
match.path = "/plans"
auth = ["tokens", "keys"]
rate-limits = ["per-plan"]
respond.body = "here"

[[routes]]
match.path = "/partners"
auth = ["keys", "people", "tokens"]
rate-limits = ["per-partner"]
respond.body = "here"
{REST}
[rate-limits.per-user]
rate = "1/d"
burst = 2
key = "jwt:sub"

[rate-limits.per-name]
rate = "1/d"
burst = 2
key = ["route", "auth-name"]

[rate-limits.per-plan]
rate = "1/d"
burst = 1
key = "auth-name"
classes = [{{ match.claims = {{ plan = "gold" }}, rate = "3/d" }}]

[rate-limits.per-partner]
rate = "1/d"
key = "auth-name"
classes = [
    {{ auth = ["keys", "people"], auth-name = ["shop", "alice"], rate = "3/d" }},
    {{ auth = "people", rate = "4/d" }},
    {{ auth = "keys", rate = "2/d" }},
]
"#
    );
    let balancer = house.start(&tables);
    let statuses = |target: &str, fields: &str, count: usize| -> Vec<u16> {
        (0..count)
            .map(|_| ask(&balancer, target, fields).status)
            .collect()
    };
    let [ann, bob] = ["ann", "bob"].map(|name| format!(r#"{{"sub":"{name}"}}"#));
    assert_eq!(
        statuses("/users", &house.issuer.shows(&ann), 3),
        [200, 200, 429]
    );
    assert_eq!(statuses("/users", &house.issuer.shows(&bob), 1), [200]);
    // Those without share one quota.
    assert_eq!(statuses("/users", &house.issuer.shows("{}"), 2), [200, 200]);
    assert_eq!(statuses("/users", &house.other.shows("{}"), 1), [429]);
    // Who is not let in takes nothing.
    assert_eq!(statuses("/users", "", 3), [401; 3]);

    assert_eq!(
        statuses("/names", "X-Api-Key: secret\r\n", 3),
        [200, 200, 429]
    );
    assert_eq!(statuses("/names", "X-Api-Key: hunter2\r\n", 1), [200]);
    // The first time the password is waited for.
    assert_eq!(statuses("/names", AS_ALICE, 3), [200, 200, 429]);
    let as_shop = house.issuer.shows(r#"{"sub":"shop"}"#);
    assert_eq!(
        statuses("/names", &as_shop, 3),
        [200, 200, 429],
        "a token that says so is not the key of that name"
    );
    let by_others = house.other.shows(r#"{"sub":"shop"}"#);
    assert_eq!(
        statuses("/names", &by_others, 1),
        [200],
        "of another issuer"
    );

    let gold = house.issuer.shows(r#"{"sub":"ann","plan":"gold"}"#);
    assert_eq!(statuses("/plans", &gold, 4), [200, 200, 200, 429]);
    assert_eq!(statuses("/plans", &house.issuer.shows(&bob), 2), [200, 429]);
    assert_eq!(statuses("/plans", "X-Api-Key: secret\r\n", 2), [200, 429]);

    // A class may be for those alone whom one of the route's `auth` has let in.
    for (shown, rate) in [
        ("X-Api-Key: secret\r\n", 3),
        ("X-Api-Key: hunter2\r\n", 2),
        (AS_ALICE, 3),
        (&as_shop, 1),
    ] {
        let mut expected = vec![200; rate];
        expected.push(429);
        assert_eq!(statuses("/partners", shown, rate + 1), expected, "{shown}");
    }
}

#[test]
fn clients_stay_on_their_side_and_server_by_what_their_tokens_say() {
    let house = House::new();
    let servers = ["1", "2", "3"].map(EchoServer::start);
    let addresses = servers
        .each_ref()
        .map(|server| server.address().to_string());
    let balancer = house.start(&format!(
        r#"
[[routes]]
match.path = "/split"
auth = ["tokens", "keys"]
split = [{{ upstream = "app" }}, {{ upstream = "hashed" }}]
split-by = "jwt:org"

[[routes]]
match.path = "/hashed"
auth = ["tokens", "keys"]
upstream = "hashed"
{REST}
[upstreams.hashed]
servers = {addresses:?}
balance = {{ policy = "maglev", key = "auth-name" }}
"#
    ));
    let server = |target: &str, fields: &str| {
        EchoReply::from_response(&ask(&balancer, target, fields)).server
    };
    let servers_of = |target: &str, claim: &str| {
        let mut all = Vec::new();
        for number in 0..24 {
            let of = |other: u32| {
                let token = format!(r#"{{"{claim}":"{number}","other":{other}}}"#);
                server(target, &house.issuer.shows(&token))
            };
            let first = of(0);
            let is_on_app = first == "app";
            for other in 1..4 {
                let next = of(other);
                let stays = if target == "/split" {
                    (next == "app") == is_on_app
                } else {
                    next == first
                };
                assert!(stays, "{claim} {number}: {first}, {next}");
            }
            all.push(first);
        }
        all.sort();
        all.dedup();
        all
    };
    let sides = servers_of("/split", "org");
    assert!(
        sides.len() > 1 && sides.contains(&"app".to_owned()),
        "{sides:?}"
    );
    // Which they are depends on their ports: that all share one never comes about.
    assert!(servers_of("/hashed", "sub").len() >= 2);
    let of_shop = server("/hashed", "X-Api-Key: secret\r\n");
    for _ in 0..3 {
        assert_eq!(server("/hashed", "X-Api-Key: secret\r\n"), of_shop);
    }
}

#[test]
fn trying_out_passwords_is_limited_before_they_are_checked() {
    let house = House::new();
    let tables = format!(
        r#"
[[routes]]
match.path = "/in"
auth = "people"
rate-limits = ["per-name", "per-address"]
response-headers.set = {{ x-route = "in" }}
respond.body = "here"
{REST}
[rate-limits.per-name]
rate = "1/d"
burst = 2
key = "auth-name"
fields = true

[rate-limits.per-address]
rate = "1/d"
burst = 4
fields = true
"#
    );
    let balancer = house.start(&tables);
    let wrong = "Authorization: Basic Ym9iOmh1bnRlcjM=\r\n";
    let [first, second] = [wrong, wrong].map(|fields| ask(&balancer, "/in", fields));
    assert_eq!((first.status, second.status), (401, 401));
    assert_eq!(first.field("x-route"), Some("in"));
    // All that there is to be said is said once.
    let right = ask(&balancer, "/in", AS_ALICE);
    assert_eq!((right.status, right.fields("x-route").len()), (200, 1));
    let told = right.fields("ratelimit");
    let full_in = [("per-address", 3), ("per-name", 1)];
    assert_eq!(told.len(), full_in.len(), "{told:?}");
    for (field, (name, days)) in told.into_iter().zip(full_in) {
        let seconds = field.strip_prefix(&format!("\"{name}\";r=1;t="));
        let seconds: u64 = seconds.and_then(|text| text.parse().ok()).expect(field);
        // As long ago as the first try may be.
        let most = days * 24 * 60 * 60;
        assert!((most - 1_000..=most).contains(&seconds), "{field}");
    }
    let statuses: Vec<u16> = [wrong, wrong, AS_ALICE]
        .map(|fields| ask(&balancer, "/in", fields).status)
        .into();
    assert_eq!(statuses, [401, 429, 429]);
}

/// Whether it was asked before the password was checked, or after.
#[test]
fn what_one_limit_refuses_costs_nothing_of_the_others() {
    let house = House::new();
    let tables = format!(
        r#"
[[routes]]
match.path = "/in"
auth = "people"
rate-limits = ["per-name", "per-address"]
respond.body = "here"

[[routes]]
match.path = "/left"
rate-limits = ["per-address"]
respond.body = "here"

[[routes]]
match.path = "/used"
auth = "keys"
rate-limits = ["per-name"]
respond.body = "here"
{REST}
[rate-limits.per-name]
key = "global"
classes = [{{ auth-name = ["alice", "shop"], rate = "1/d" }}]

[rate-limits.per-address]
rate = "1/d"
burst = 9
fields = true
"#
    );
    let balancer = house.start(&tables);
    let left = || {
        let answer = ask(&balancer, "/left", "");
        let told = answer.field("ratelimit").expect("how it stands").to_owned();
        told.split(';').nth(1).expect("how many").to_owned()
    };
    let wrong = "Authorization: Basic Ym9iOmh1bnRlcjM=\r\n";
    assert_eq!(ask(&balancer, "/in", wrong).status, 401);
    assert_eq!(left(), "r=7", "trying out passwords costs");
    assert_eq!(ask(&balancer, "/used", "X-Api-Key: secret\r\n").status, 200);
    assert_eq!(ask(&balancer, "/in", AS_ALICE).status, 429);
    assert_eq!(left(), "r=6", "the next one, and no more");
    let labels = [("limit", "per-address"), ("outcome", "allowed")];
    let allowed = balancer.metrics();
    let allowed = allowed.count("sluice_rate_limit_requests_total", &labels);
    assert_eq!(allowed, 3, "what came to nothing is not counted");
}

/// A service that lets in, once each of its gates is open.
fn service(gates: impl IntoIterator<Item = Gate>) -> ScriptedServer {
    let yes = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\nX-User: ann\r\n\r\n";
    let scripts = gates
        .into_iter()
        .map(|gate| Script::new().read_request().wait(&gate).write(yes));
    ScriptedServer::start(scripts)
}

fn asking(service: &ScriptedServer) -> String {
    format!(
        "[auth.ask]\nforward = {{ url = \"http://{}/\", copy-headers = [\"x-user\"], timeout = \"60s\" }}\n",
        service.address()
    )
}

#[test]
fn a_request_that_waits_for_its_client_to_be_known_stays_as_it_was_sent() {
    let house = House::new();
    let gates = [Gate::new(), Gate::new()];
    let service = service(gates.iter().map(Gate::clone));
    let balancer = house.start(&format!(
        r#"{}
[[routes]]
match.json = {{ "/a" = "1" }}
auth = "ask"
upstream = "app"

[[routes]]
match.path = "/wait"
auth = "ask"
upstream = "app"
{REST}
[logs]
access = {{ format = "json", to = "stdout" }}
"#,
        asking(&service)
    ));
    let mut client = RawClient::connect(balancer.address("web"));
    // A body in pieces, one of them with the head, and the next request right behind it.
    client.send("POST /wait HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234");
    service.wait_for_received(0, "\r\n\r\n");
    gates[0].open();
    client.send("56789POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}GET /x HTTP/1.1\r\nHost: a\r\nX-Api-Key: secret\r\n\r\n");
    let reply = EchoReply::from_response(&client.response("POST"));
    assert_eq!(reply.body_digest, digest(b"0123456789"));
    assert_eq!(reply.fields("x-user"), ["ann"]);
    gates[1].open();
    let reply = EchoReply::from_response(&client.response("POST"));
    assert_eq!(reply.body_digest, digest(b"{\"a\":1}"));
    assert_eq!(reply.fields("x-user"), ["ann"]);
    assert_eq!(client.response("GET").text(), "rest");
    let ids: Vec<_> = String::from_utf8(service.received_in_all())
        .expect("text")
        .lines()
        .filter_map(|line| line.strip_prefix("X-Request-ID: "))
        .map(str::to_owned)
        .collect();
    assert_eq!(reply.fields("x-request-id"), [&*ids[1]], "the same for all");
    balancer.wait_for_stdout(&ids[1]);
    let lines = balancer.stdout().matches(&*ids[0]).count();
    assert_eq!(lines, 1, "one line in the log");
}

#[test]
fn who_does_not_wait_to_be_known_has_used_the_limits_before_that() {
    let house = House::new();
    let gate = Gate::new();
    let service = service([gate.clone()]);
    let limit = "rate-limits = [\"per-address\"]";
    let balancer = house.start(&format!(
        "{}[rate-limits.per-address]\nrate = \"1/d\"\nburst = 9\nfields = true\n\
         [[routes]]\nmatch.path = \"/wait\"\nauth = \"ask\"\n{limit}\nupstream = \"app\"\n\
         [[routes]]\nmatch.path = \"/left\"\n{limit}\nrespond = {{}}\n{REST}",
        asking(&service)
    ));
    let mut client = Http2Client::connect(balancer.address("web"));
    client.send(&[Frame::get(1, "/wait")]);
    service.wait_for_received(0, "\r\n\r\n");
    client.send(&[Frame::reset(1, 8)]);
    balancer.wait_for_metrics("the stream to end", |metrics| {
        metrics.count("sluice_request_ends_total", &[("end", "client-closed")]) == 1
    });
    let left = ask(&balancer, "/left", "");
    let left = left.field("ratelimit").expect("how it stands");
    assert!(left.contains(";r=7;"), "{left}");
    gate.open();
}

/// Whatever the file says meanwhile.
#[test]
fn a_request_that_waits_for_its_client_to_be_known_is_decided_upon_by_one_file() {
    let house = House::new();
    let gate = Gate::new();
    let service = service([gate.clone()]);
    let wait = "[[routes]]\nmatch.path = \"/wait\"";
    let limits = "[rate-limits.none]\nrate = \"1/d\"\nkey = \"global\"\n";
    let mut balancer = house.start(&format!(
        "{}{limits}{wait}\nauth = \"ask\"\nupstream = \"app\"\n[[routes]]\nmatch.path = \"/none\"\nrate-limits = [\"none\"]\nrespond = {{}}\n{REST}",
        asking(&service)
    ));
    assert_eq!(ask(&balancer, "/none", "").status, 200);
    let mut client = RawClient::connect(balancer.address("web"));
    client.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    service.wait_for_received(0, "\r\n\r\n");

    let file = fs::read_to_string(balancer.file()).expect("the file");
    let before = format!("{wait}\nauth = \"ask\"\nupstream = \"app\"");
    let others = format!(
        "{wait}\nmatch.method = \"PUT\"\nauth = \"ask\"\nrespond = {{}}\n{wait}\nauth = \"keys\"\nrate-limits = [\"none\"]\nrespond.body = \"new\""
    );
    assert!(file.contains(&before), "{file}");
    balancer.reload(&file.replace(&before, &others));
    assert_eq!(ask(&balancer, "/wait", "").status, 401);
    assert_eq!(ask(&balancer, "/wait", "X-Api-Key: secret\r\n").status, 429);
    gate.open();
    let reply = EchoReply::from_response(&client.response("GET"));
    assert_eq!(
        (&*reply.server, reply.field("x-user")),
        ("app", Some("ann"))
    );
    client.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response("GET").status, 401, "the next one");
}

/// Whatever becomes of the keys meanwhile.
#[test]
fn a_request_that_waits_for_its_client_to_be_known_comes_to_the_route_that_has_asked() {
    let house = House::new();
    let gates = [Gate::new(), Gate::new()];
    let service = service([gates[0].clone()]);
    let jwks = format!("{{\"keys\":[{}]}}", house.issuer.jwk());
    let keys = Script::new().read_request().wait(&gates[1]).write(format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{jwks}",
        jwks.len()
    ));
    let idp = ScriptedServer::start([keys.forever()]);
    let balancer = house.start(&format!(
        r#"{}
[auth.fetched]
jwt = {{ jwks = "http://{}/keys" }}

[[routes]]
match.claims = {{ role = "admin" }}
auth = "fetched"
respond.body = "admin"

[[routes]]
match.path = "/wait"
auth = "ask"
upstream = "app"
{REST}"#,
        asking(&service),
        idp.address()
    ));
    let shown = house.issuer.shows(r#"{"role":"admin"}"#);
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(format!("GET /wait HTTP/1.1\r\nHost: a\r\n{shown}\r\n"));
    // In vain it has waited for keys.
    service.wait_for_received(0, "\r\n\r\n");
    gates[1].open();
    balancer.wait_for_metrics("keys to be fetched", |metrics| {
        let labels = [("auth", "fetched"), ("outcome", "success")];
        metrics.count("sluice_auth_key_fetches_total", &labels) >= 1
    });
    assert_eq!(ask(&balancer, "/wait", &shown).text(), "admin");
    gates[0].open();
    let reply = EchoReply::from_response(&client.response("GET"));
    assert_eq!(
        (&*reply.server, reply.field("x-user")),
        ("app", Some("ann"))
    );
}

#[test]
fn streams_that_wait_do_not_hinder_each_other() {
    let house = House::new();
    let gate = Gate::new();
    let service = service([gate.clone()]);
    let balancer = house.start(&format!(
        "{}[[routes]]\nmatch.path = \"/wait\"\nauth = \"ask\"\nupstream = \"app\"\n{REST}",
        asking(&service)
    ));
    let mut client = Http2Client::connect(balancer.address("web"));
    client.send(&[
        Frame::headers(1, 0, &request("POST", "/wait")),
        Frame::data(1, flag::END_STREAM, "hello"),
    ]);
    service.wait_for_received(0, "\r\n\r\n");
    let fields = [&request("GET", "/")[..], &[("x-api-key", "secret")]].concat();
    client.send(&[Frame::headers(3, flag::END_STREAM, &fields)]);
    assert_eq!(client.expect(kind::HEADERS, 3).status(), 200);
    gate.open();
    assert_eq!(client.expect(kind::HEADERS, 1).status(), 200);
    let (body, _) = client.body(1);
    let reply: EchoReply = serde_json::from_slice(&body).expect("an echo");
    assert_eq!(reply.body_digest, digest(b"hello"));
    assert_eq!(reply.fields("x-user"), ["ann"]);
}

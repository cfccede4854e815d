//! What a token says, and as whom a client was let in: in texts, in matches, and as keys of limits.

mod auth_kit;
mod http_proxy;
mod jwt_kit;

use auth_kit::{House, REST, ask};
use testkit::{EchoReply, EchoServer};

/// The user of the house, with her password.
const AS_ALICE: &str = "Authorization: Basic YWxpY2U6b3BlbjpzZXNhbWU=\r\n";
/// Whom the file of users does not know: `bob:hunter3`.
const AS_BOB: &str = "Authorization: Basic Ym9iOmh1bnRlcjM=\r\n";

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
    let [first, second] = [AS_BOB, AS_BOB].map(|fields| ask(&balancer, "/in", fields));
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
    let statuses: Vec<u16> = [AS_BOB, AS_BOB, AS_ALICE]
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
    assert_eq!(ask(&balancer, "/in", AS_BOB).status, 401);
    assert_eq!(left(), "r=7", "trying out passwords costs");
    assert_eq!(ask(&balancer, "/used", "X-Api-Key: secret\r\n").status, 200);
    assert_eq!(ask(&balancer, "/in", AS_ALICE).status, 429);
    assert_eq!(left(), "r=6", "the next one, and no more");
    let labels = [("limit", "per-address"), ("outcome", "allowed")];
    let allowed = balancer.metrics();
    let allowed = allowed.count("sluice_rate_limit_requests_total", &labels);
    assert_eq!(allowed, 3, "what came to nothing is not counted");
}

//! What the tests of sessions share: a balancer before some servers, and who asks it.

use std::net::SocketAddr;

use testkit::{Balancer, EchoReply, RawClient, Response, Script, ScriptedServer, run};

pub(crate) const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");

/// Two workers before `servers`, which take turns.
pub(crate) fn configuration(
    servers: impl Iterator<Item = SocketAddr>,
    sticky: &str,
    more: &str,
) -> String {
    let servers: Vec<_> = servers.map(|server| server.to_string()).collect();
    format!(
        "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\ntrusted-proxies = [\"127.0.0.0/8\"]\n\
         [upstreams.app]\nservers = {servers:?}\nbalance = \"round-robin\"\nsticky = {{ {sticky} }}\n{more}"
    )
}

/// On a connection of its own, so by any worker.
pub(crate) fn ask(balancer: &Balancer, fields: &str) -> Response {
    let mut client = RawClient::connect(balancer.address("web"));
    client.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
    client.response("GET")
}

/// The name of the server that answers.
pub(crate) fn served_by(balancer: &Balancer, fields: &str) -> String {
    let response = ask(balancer, fields);
    assert_eq!(response.status, 200);
    EchoReply::from_response(&response).server
}

/// A server that begins a session of this name with each answer.
#[allow(
    dead_code,
    reason = "one of the files that share this does not need it"
)]
pub(crate) fn application(session: &str) -> ScriptedServer {
    let set =
        format!("Set-Cookie: other=1\r\nset-cookie: JSESSIONID={session}; Path=/; HttpOnly\r\n");
    let body = session.len();
    ScriptedServer::start([Script::answer(format!(
        "HTTP/1.1 200 OK\r\n{set}Content-Length: {body}\r\n\r\n{session}"
    ))])
}

/// `sluice drain app/ADDRESS` and the like.
pub(crate) fn set(balancer: &Balancer, word: &str, address: SocketAddr) {
    let file = balancer.file();
    let server = format!("app/{address}");
    let arguments = [word, &server, "-c", file.to_str().expect("UTF-8")];
    let finished = run(SLUICE, &arguments);
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""));
}

//! Hashes made by others: `bcrypt` and `argon2-cffi` of Python.

use super::*;

const ALICE: &str = "$2b$04$RpyysdhuB6Usicz96SOF2OdGU2K0auVjTXK9ETMIkZJbJvv6GaL3u";
const LONG: &str = "$2b$04$y0cENGiUwdCjVg1b2HPfPuu7IYbuunxPe8x4b4H3hmzOBJXhwK1xm";
const BOB: &str = "$argon2id$v=19$m=16,t=1,p=1$NXfc302ijZGBuZKk64vN8w$pw5cImGqb3OrLlQpw9qE0c/aoYVVGmCfHUf/elSkTuI";

#[test]
fn passwords_are_known_by_their_hashes() {
    let text = format!("# people\nalice:{ALICE}\n\nbob:{BOB}\nlong:{LONG}\n");
    let users = Users::parse(&text).expect("users");
    assert!(users.has("alice", b"open:sesame"));
    assert!(users.has("bob", b"hunter2"));
    assert!(users.has("long", &[b'x'; 72]));
    for (name, password) in [
        ("alice", "open:sesam"),
        ("alice", "hunter2"),
        ("alice", ""),
        ("bob", "hunter"),
        ("bob", ""),
        ("nobody", "open:sesame"),
        ("", "open:sesame"),
    ] {
        assert!(!users.has(name, password.as_bytes()), "{name} {password}");
    }
    let shown = format!("{users:?}");
    assert!(shown.contains("alice") && !shown.contains("$2"), "{shown}");
}

#[test]
fn wrong_files() {
    use PasswordsError::{Empty, Line, Name, Slow, Twice, Unknown, Weak};
    let dear = ALICE.replace("$04$", "$17$");
    let large = BOB.replace("m=16", "m=999999999");
    for (text, error) in [
        ("", Empty),
        ("alice", Line(1)),
        (":$2b$04$", Line(1)),
        ("a b:x", Name(1)),
        ("\nalice:secret", Unknown(2)),
        ("alice:$apr1$salt$digest", Weak(1, "MD5")),
        ("alice:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", Weak(1, "SHA-1")),
        ("alice:$6$salt$digest", Weak(1, "SHA-2")),
        ("alice:$2b$04$short", Unknown(1)),
        (
            "alice:$2b$03$RpyysdhuB6Usicz96SOF2OdGU2K0auVjTXK9ETMIkZJbJvv6GaL3u",
            Unknown(1),
        ),
        ("alice:$argon2id$v=16$m=16,t=1,p=1$AAAA$AAAA", Unknown(1)),
        (&format!("alice:{dear}"), Slow(1)),
        (&format!("bob:{large}"), Slow(1)),
        (&format!("alice:{ALICE}\nalice:{BOB}"), Twice(2)),
    ] {
        assert_eq!(Users::parse(text), Err(error), "{text}");
    }
}

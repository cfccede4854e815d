use super::*;

fn parts(text: &str) -> Result<Vec<Part>, TemplateError> {
    Template::parse(text, &["id", "userId"]).map(|template| template.parts.into())
}

fn text(text: &str) -> Part {
    Part::Text(text.into())
}

#[test]
fn reading() {
    use Part::Variable as V;
    for (template, expected) in [
        ("", vec![]),
        ("healthy\n", vec![text("healthy\n")]),
        ("{host}", vec![V(Variable::Host)]),
        ("a{host}b", vec![text("a"), V(Variable::Host), text("b")]),
        (
            "{id}{userId}",
            vec![V(Variable::Capture(0)), V(Variable::Capture(1))],
        ),
        ("{header:X-A}", vec![V(Variable::Header("x-a".into()))]),
        ("{cookie:Sid}", vec![V(Variable::Cookie("Sid".into()))]),
        ("{{host}}", vec![text("{host}")]),
        ("{{nothing}}", vec![text("{nothing}")]),
        ("{{host}", vec![text("{"), V(Variable::Host)]),
        ("{\"a\": {\"b\": {}}}", vec![text("{\"a\": {\"b\": {}}}")]),
        (
            "{\"ip\": \"{client-ip}\"}",
            vec![text("{\"ip\": \""), V(Variable::ClientIp), text("\"}")],
        ),
        (
            "{claim:https://example.com/a}",
            vec![V(Variable::Claim("https://example.com/a".into()))],
        ),
        ("{", vec![text("{")]),
        ("}{{", vec![text("}{{")]),
        ("{a b}é{é}", vec![text("{a b}é{é}")]),
        ("{a:'b'}", vec![text("{a:'b'}")]),
    ] {
        assert_eq!(parts(template), Ok(expected), "{template}");
    }
}

#[test]
fn refused() {
    for (template, expected) in [
        (
            "é{hots}",
            "there is no variable `hots`: write `{{hots}}` if the braces are meant literally",
        ),
        (
            "é{host:x}",
            "there is no variable `host:x`: write `{{host:x}}` if the braces are meant literally",
        ),
        (
            "é{id:x}",
            "there is no variable `id:x`: write `{{id:x}}` if the braces are meant literally",
        ),
        ("é{claim}", "`claim` needs the name of one: `{claim:NAME}`"),
        (
            "é{header}",
            "`header` needs the name of one: `{header:NAME}`",
        ),
        (
            "é{cookie:}",
            "`cookie` needs the name of one: `{cookie:NAME}`",
        ),
        ("é{header:a/b}", "`a/b` cannot be the name of a header"),
    ] {
        let error = parts(template).expect_err(template);
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.at(), 2..template.len(), "{template}");
    }
}

#[test]
fn every_variable_that_is_named_can_be_read() {
    for name in Template::VARIABLES {
        let template = Template::parse::<&str>(&format!("{{{name}}}"), &[]).expect(name);
        assert_eq!(template.variables().count(), 1);
        assert_eq!(template.as_literal(), None);
    }
}

#[test]
fn rendering() {
    let template = Template::parse("/new/{id}?{query}", &["id"]).expect("a template");
    let mut out = b"Location: ".to_vec();
    template.render(
        |variable, out| match variable {
            Variable::Capture(0) => out.extend(b"a\r\nSet-Cookie: b\0"),
            Variable::Query => {}
            other => unreachable!("{other:?}"),
        },
        &mut out,
    );
    assert_eq!(out, b"Location: /new/a  Set-Cookie: b ?");
    assert_eq!(Template::literal("{host}").as_literal(), Some("{host}"));
    assert_eq!(Template::literal(""), Template::default());
    assert_eq!(Template::default().as_literal(), Some(""));
}

//! A message becomes a title and a text for people, by the words of the configuration where it has some. A value that
//! comes from a log cannot call everybody in a chat. This file never loses a message: where its template fails, it is
//! said in daycap's own words.

use std::io;

use minijinja::value::{Serde, Value};
use minijinja::{Environment, Error, ErrorKind, Output, State, UndefinedBehavior};
use serde_json::{Map, Value as Json};

use super::super::message::{Message, Status};
use super::super::{example, text};

/// Steps of a rendering: some ten times what a page of words takes.
const FUEL: u64 = 20_000;
/// Longer than any channel takes.
const RENDERED_BYTES_MAX: usize = 32 * 1024;
/// What a subject or a heading shows.
const TITLE_CHARACTERS_MAX: usize = 200;

/// The templates of one `[[notify]]`, in Jinja's syntax, over the message's fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wording {
    pub title: Option<String>,
    pub text: Option<String>,
    /// Where people find the page.
    pub link: Option<String>,
}

/// A message as a person reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// One line.
    pub title: String,
    pub text: String,
}

/// Whose markup values could be taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escape {
    None,
    /// `&`, `<` and `>` are entities, and so `<!channel>` is text.
    Entities,
    /// A character of no width stands behind `@` and `<`: `@everyone` and `<users/all>` are text.
    Mentions,
}

impl Wording {
    /// The title and the text.
    pub fn words(&self, message: &Message, escape: Escape) -> Words {
        let link = self.link.as_deref();
        let own = |template: &Option<String>| render(template.as_deref()?, message, link, escape).ok();
        let title = own(&self.title).unwrap_or_else(|| escaped(&title(message), escape));
        let said = own(&self.text).unwrap_or_else(|| escaped(&message.message, escape));
        let title = text::printable(&title.split_whitespace().collect::<Vec<_>>().join(" "));
        Words { title: title.chars().take(TITLE_CHARACTERS_MAX).collect(), text: said.trim().to_owned() }
    }

    /// Whether somebody has written these words on purpose, mentions and all.
    pub fn is_own(&self) -> bool {
        self.title.is_some() || self.text.is_some()
    }

    /// Try every template on a message of each shape.
    pub fn check(&self) -> Result<(), String> {
        for (key, template) in [("title", &self.title), ("text", &self.text)] {
            if let Some(template) = template {
                check(key, template).map(drop)?;
            }
        }
        Ok(())
    }
}

/// The message's own, which an older daycap did not write.
fn title(message: &Message) -> String {
    if !message.title.is_empty() {
        return message.title.clone();
    }
    let what = message.quota.as_ref().map(|quota| format!("quota {quota}"));
    let what = what.or_else(|| message.source.clone()).unwrap_or_else(|| "counting".to_owned());
    match message.status {
        Status::Firing => format!("{what}: {}", message.level),
        Status::Resolved => format!("{what}: {} is over", message.level),
    }
}

/// What a template gives on a message of each shape, or what is wrong with it: the line, and the remedy.
pub fn check(key: &str, template: &str) -> Result<Vec<String>, String> {
    let messages = example::messages();
    let complain = |error: &Error| format!("{key}: {}", explain(error));
    environment(Escape::None).template_from_str(template).map_err(|error| complain(&error))?;
    unknown_name(template, &messages[0]).map_or(Ok(()), |complaint| Err(format!("{key}: {complaint}")))?;
    let rendered = messages.iter().map(|message| {
        let rendered = render(template, message, None, Escape::None);
        rendered.map_err(|error| format!("{}, of a message like {:?}", complain(&error), title(message)))
    });
    rendered.collect()
}

/// A name that no message has.
fn unknown_name(template: &str, message: &Message) -> Option<String> {
    let environment = environment(Escape::None);
    let names = environment.template_from_str(template).ok()?.undeclared_variables(false);
    let known = fields(message, None);
    let functions = environment.globals().map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
    let mut unknown = names.into_iter().filter(|name| !known.contains_key(name) && !functions.contains(name));
    let (name, known) = (unknown.next()?, known.keys().map(String::as_str).collect::<Vec<_>>().join(", "));
    Some(format!("a message has no {name:?}; it has {known}"))
}

fn explain(error: &Error) -> String {
    let line = error.line().map_or_else(String::new, |line| format!("line {line}: "));
    let why = match error.kind() {
        ErrorKind::OutOfFuel => "it goes on for too long".to_owned(),
        ErrorKind::UndefinedError => "it uses what is not there".to_owned(),
        ErrorKind::WriteFailure => format!("it gives more than {RENDERED_BYTES_MAX} bytes"),
        kind => error.detail().map_or_else(|| kind.to_string(), |detail| format!("{kind}: {detail}")),
    };
    format!("{line}{why}")
}

/// Render one template. Every field is there in each message, and empty where it says nothing: only a slip of the pen is
/// an error.
pub fn render(template: &str, message: &Message, link: Option<&str>, escape: Escape) -> Result<String, Error> {
    let environment = environment(escape);
    let fields = Value::from(Serde(fields(message, link)));
    let mut rendered = Bounded(Vec::new());
    environment.template_from_str(template)?.render_captured_to(fields, &mut rendered)?;
    Ok(String::from_utf8_lossy(&rendered.0).into_owned())
}

fn environment(escape: Escape) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_formatter(move |output, _, value| write(output, value, escape));
    environment.add_filter("thousands", |number: Option<u64>| number.map_or_else(String::new, text::thousands));
    environment.add_filter("likelihood", |share: Option<f64>| share.map_or_else(String::new, text::likelihood));
    environment.add_filter("local", local);
    environment
}

/// `{{ exhausted_at | local }}`: as the clocks show it in the quota's zone.
fn local(state: &State, instant: Option<String>) -> String {
    let zone = state.lookup("zone").and_then(|zone| zone.as_str().map(str::to_owned)).unwrap_or_default();
    let instant = instant.and_then(|instant| instant.parse().ok());
    instant.map_or_else(String::new, |instant| text::instant(instant, &zone))
}

/// What is none is nothing; what a filter has made safe on purpose stays as it is.
fn write(output: &mut Output, value: &Value, escape: Escape) -> Result<(), Error> {
    let text = if value.is_none() { String::new() } else { value.to_string() };
    let text = if value.is_safe() { text } else { escaped(&text, escape) };
    Ok(output.write_str(&text)?)
}

fn escaped(text: &str, escape: Escape) -> String {
    match escape {
        Escape::None => text.to_owned(),
        Escape::Entities => {
            text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('@', "@\u{200b}")
        }
        Escape::Mentions => text.replace('@', "@\u{200b}").replace('<', "<\u{200b}"),
    }
}

/// The message's fields, those that only other messages have, and the link.
fn fields(message: &Message, link: Option<&str>) -> Map<String, Json> {
    let of = |message: &Message| match serde_json::to_value(message).expect("a message is plain data") {
        Json::Object(fields) => fields,
        _ => unreachable!("a message is an object"),
    };
    let mut fields: Map<String, Json> =
        example::messages().iter().flat_map(of).map(|(name, _)| (name, Json::Null)).collect();
    fields.extend(of(message));
    fields.insert("link".to_owned(), link.into());
    fields
}

/// Takes so many bytes and no more.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > RENDERED_BYTES_MAX {
            return Err(io::Error::other("too much is rendered"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn show(wording: &Wording, escape: Escape, expected: Expect) {
        let words = example::messages().into_iter().map(|message| {
            let Words { title, text } = wording.words(&message, escape);
            format!("{title} | {text}\n")
        });
        expected.assert_eq(&words.collect::<String>());
    }

    fn text(template: &str) -> Wording {
        Wording { text: Some(template.to_owned()), ..Wording::default() }
    }

    #[test]
    fn without_templates_a_message_has_a_title_and_its_sentence() {
        show(
            &Wording::default(),
            Escape::None,
            expect![[r#"
            maps is forecast to exceed its limit (79% used) | quota "maps" is forecast to exceed its limit: 7,900 of 10,000 used (79%)
            maps is forecast to exceed its limit (79% used) | quota "maps" is forecast to exceed its limit: 7,900 of 10,000 used (79%)
            /srv/crm/api.log is silent | source "/srv/crm/api.log" has been silent for 9 h 00 min
            /srv/crm/api.log is silent | source "/srv/crm/api.log" has been silent for 9 h 00 min
        "#]],
        );
    }

    #[test]
    fn a_template_says_the_fields_in_its_own_words_and_nothing_where_a_message_has_none() {
        let template = "{{ used | thousands }}/{{ limit | thousands }}, {{ exceed_probability | likelihood }}, \
                        {{ exhausted_at | local }}{% for part in top or [] %} {{ part.service }}{% endfor %}";
        show(
            &text(template),
            Escape::None,
            expect![[r#"
            maps is forecast to exceed its limit (79% used) | 7,900/10,000, 97 %, 2026-11-22 08:45 PST geo
            maps is forecast to exceed its limit (79% used) | 7,900/10,000, 97 %,
            /srv/crm/api.log is silent | /, ,
            /srv/crm/api.log is silent | /, ,
        "#]],
        );
    }

    #[test]
    fn a_value_calls_nobody_but_a_template_does() {
        let mut message = example::alert();
        message.message = "<!channel> @everyone <users/all> R&D".to_owned();
        let wording = text("<!here> @team {{ message }}");
        let said = |escape| wording.words(&message, escape).text;
        assert_eq!(said(Escape::None), "<!here> @team <!channel> @everyone <users/all> R&D");
        assert_eq!(
            said(Escape::Entities),
            "<!here> @team &lt;!channel&gt; @\u{200b}everyone &lt;users/all&gt; R&amp;D"
        );
        assert_eq!(
            said(Escape::Mentions),
            "<!here> @team <\u{200b}!channel> @\u{200b}everyone <\u{200b}users/all> R&D"
        );
        let plain = Wording::default().words(&message, Escape::Mentions);
        assert_eq!(plain.text, "<\u{200b}!channel> @\u{200b}everyone <\u{200b}users/all> R&D");
    }

    #[test]
    fn what_is_wrong_with_a_template_is_said_with_its_line() {
        let wrong = [
            "{{ usd }}",
            "a\n{{ used",
            "{{ used | thousand }}",
            "a\n\n{{ used.percent }}",
            "{{ message + 1 }}",
            "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
            "{{ message * 9999 }}",
            "{% include \"other\" %}",
        ];
        let complaints = wrong.map(|template| check("text", template).expect_err(template));
        expect![[r#"
            text: a message has no "usd"; it has at, confidence, exceed_probability, exhausted_at, id, level, limit, link, message, p10, p50, p90, quiet, quota, resets_at, severity, since, source, status, sustainable_per_minute, title, top, used, zone
            text: line 2: syntax error: unexpected end of input, expected end of variable block
            text: line 1: unknown filter: filter thousand is unknown, of a message like "maps is forecast to exceed its limit (79% used)"
            text: line 3: it uses what is not there, of a message like "maps is forecast to exceed its limit (79% used)"
            text: line 1: invalid operation: tried to use + operator on unsupported types string and number, of a message like "maps is forecast to exceed its limit (79% used)"
            text: line 1: it goes on for too long, of a message like "maps is forecast to exceed its limit (79% used)"
            text: it gives more than 32768 bytes, of a message like "maps is forecast to exceed its limit (79% used)"
            text: line 1: syntax error: unknown statement include"#]].assert_eq(&complaints.join("\n"));
    }

    /// The check has seen every shape, but tomorrow's messages may have another.
    #[test]
    fn a_template_that_fails_on_a_message_does_not_lose_it() {
        let message = example::alert();
        assert_eq!(text("{{ quota.name.first }}").words(&message, Escape::None).text, message.message);
    }
}

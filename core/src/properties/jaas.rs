//! `sasl.jaas.config`: `org.apache.kafka.common.security.plain.PlainLoginModule required username="…" password="…";`.

use alloc::string::String;
use core::{iter::Peekable, str::Chars};

/// Why a text is not taken. Nothing of the text is in it, because there is no telling where its password begins.
pub(super) type Why = &'static str;

/// Who the text says that the client is.
pub(super) struct Login {
    pub(super) module: Module,
    pub(super) user: String,
    pub(super) password: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Module {
    Plain,
    Scram,
}

#[derive(PartialEq, Eq)]
enum Token {
    Word(String),
    Quoted(String),
    Equals,
    End,
}

struct Tokens<'a>(Peekable<Chars<'a>>);

impl Tokens<'_> {
    fn next(&mut self) -> Result<Option<Token>, Why> {
        while self.0.next_if(|c| c.is_whitespace()).is_some() {}
        let Some(first) = self.0.next() else { return Ok(None) };
        Ok(Some(match first {
            '=' => Token::Equals,
            ';' => Token::End,
            '"' | '\'' => Token::Quoted(self.quoted(first)?),
            '/' | '#' => return Err("comments are not read"),
            first => {
                let mut word = String::from(first);
                let ends = |c: &char| c.is_whitespace() || matches!(c, '=' | ';' | '"' | '\'');
                while let Some(c) = self.0.next_if(|c| !ends(c)) {
                    word.push(c);
                }
                Token::Word(word)
            }
        }))
    }

    /// Up to the quote that it began with, with the escapes that Java has there.
    fn quoted(&mut self, quote: char) -> Result<String, Why> {
        let mut text = String::new();
        loop {
            match self.0.next() {
                None | Some('\n') => return Err("a quotation mark is not closed"),
                Some(c) if c == quote => return Ok(text),
                Some('\\') => text.push(match self.0.next() {
                    Some('n') => '\n',
                    Some('t') => '\t',
                    Some('r') => '\r',
                    Some(c) if c.is_ascii_digit() => return Err("escapes by number are not read"),
                    Some(c) => c,
                    None => return Err("a quotation mark is not closed"),
                }),
                Some(c) => text.push(c),
            }
        }
    }
}

/// # Errors
/// For a module that is not there, and for whatever is not of that form.
pub(super) fn login(text: &str) -> Result<Login, Why> {
    let mut tokens = Tokens(text.chars().peekable());
    let Some(Token::Word(class)) = tokens.next()? else { return Err("must begin with a login module") };
    let module = match class.rsplit('.').next().unwrap_or_default() {
        "PlainLoginModule" => Module::Plain,
        "ScramLoginModule" => Module::Scram,
        "OAuthBearerLoginModule" => {
            return Err("OAUTHBEARER has its tokens from the program: leave it out, and set `Config::sasl`");
        }
        "Krb5LoginModule" => return Err("GSSAPI is not there: PLAIN and SCRAM are"),
        _ => return Err("must begin with PlainLoginModule or ScramLoginModule"),
    };
    match tokens.next()? {
        Some(Token::Word(flag)) if ["required", "requisite", "sufficient", "optional"].contains(&&*flag) => {}
        _ => return Err("the login module must be followed by `required`"),
    }
    let (mut user, mut password) = (None, None);
    loop {
        let name = match tokens.next()? {
            Some(Token::Word(name)) => name,
            Some(Token::End) => break,
            _ => return Err("must be names with values, and a semicolon behind the last"),
        };
        let (Some(Token::Equals), Some(Token::Word(value) | Token::Quoted(value))) = (tokens.next()?, tokens.next()?)
        else {
            return Err("must be names with values, and a semicolon behind the last");
        };
        match &*name {
            "username" => user = Some(value),
            "password" => password = Some(value),
            "tokenauth" if value == "false" => {}
            "tokenauth" => return Err("delegation tokens are not there yet"),
            "serviceName" => {}
            _ => return Err("has an option beside username and password"),
        }
    }
    if tokens.next()?.is_some() {
        return Err("must be one login module");
    }
    match (user, password) {
        (Some(user), Some(password)) => Ok(Login { module, user, password }),
        _ => Err("must have username and password"),
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    fn read(text: &str) -> Result<(Module, String, String), Why> {
        login(text).map(|login| (login.module, login.user, login.password))
    }

    #[test]
    fn the_usual_forms_are_read() {
        let plain = "org.apache.kafka.common.security.plain.PlainLoginModule required";
        let scram = "org.apache.kafka.common.security.scram.ScramLoginModule   required";
        let expected = |module| Ok((module, "alice".into(), "a b;=\"'\\".into()));
        for (text, module) in [
            (format!(r#"{plain} username="alice" password="a b;=\"'\\";"#), Module::Plain),
            (format!(r#"{scram} password='a b;="\'\\' username = alice ;  "#), Module::Scram),
            (
                format!("{scram}\n  username=\"alice\"\n  password=\"a b;=\\\"'\\\\\"\n  tokenauth=\"false\";"),
                Module::Scram,
            ),
        ] {
            assert_eq!(read(&text), expected(module), "{text}");
        }
    }

    #[test]
    fn what_is_not_of_that_form_is_told_without_any_of_it() {
        for (text, why) in [
            ("", "begin with a login module"),
            ("x.Other required username=u password=p;", "PlainLoginModule or ScramLoginModule"),
            (
                "x.OAuthBearerLoginModule required;",
                "OAUTHBEARER has its tokens from the program: leave it out, and set `Config::sasl`",
            ),
            ("com.sun.security.auth.module.Krb5LoginModule required;", "GSSAPI"),
            ("PlainLoginModule username=u password=p;", "`required`"),
            ("PlainLoginModule required username=u password=p", "semicolon"),
            ("PlainLoginModule required username=u password=\"p;", "not closed"),
            ("PlainLoginModule required username=u;", "username and password"),
            ("PlainLoginModule required username=u password=\"\\101\";", "by number"),
            ("PlainLoginModule required username=u password=p debug=true;", "an option"),
            ("PlainLoginModule required username=u password=p; x.PlainLoginModule required;", "one login module"),
            ("ScramLoginModule required username=u password=p tokenauth=true;", "delegation"),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}

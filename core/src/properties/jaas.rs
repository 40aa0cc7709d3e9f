//! `sasl.jaas.config`: `org.apache.kafka.common.security.plain.PlainLoginModule required username="…" password="…";`.

use alloc::{string::String, vec::Vec};
use core::{iter::Peekable, str::Chars};

/// Why a text is not taken. Nothing of the text is in it, because there is no telling where its password begins.
pub(super) type Why = &'static str;

/// Who the text says that the client is.
pub(super) struct Login {
    pub(super) module: Module,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) scope: Option<String>,
    pub(super) extensions: Vec<(String, String)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Module {
    Plain,
    Scram,
    Bearer,
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
        "OAuthBearerLoginModule" => Module::Bearer,
        "Krb5LoginModule" => return Err("GSSAPI is not there: PLAIN, SCRAM and OAUTHBEARER are"),
        _ => return Err("must begin with PlainLoginModule, ScramLoginModule or OAuthBearerLoginModule"),
    };
    match tokens.next()? {
        Some(Token::Word(flag)) if ["required", "requisite", "sufficient", "optional"].contains(&&*flag) => {}
        _ => return Err("the login module must be followed by `required`"),
    }
    let mut login = Login { module, user: None, password: None, scope: None, extensions: Vec::new() };
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
        login.take(&name, value)?;
    }
    if tokens.next()?.is_some() {
        return Err("must be one login module");
    }
    let is_whole = login.user.is_some() && login.password.is_some();
    // Tokens' may stand elsewhere.
    if is_whole || module == Module::Bearer { Ok(login) } else { Err("must have username and password") }
}

impl Login {
    fn take(&mut self, name: &str, value: String) -> Result<(), Why> {
        match (self.module, name) {
            (Module::Plain | Module::Scram, "username") | (Module::Bearer, "clientId") => self.user = Some(value),
            (Module::Plain | Module::Scram, "password") | (Module::Bearer, "clientSecret") => {
                self.password = Some(value);
            }
            (Module::Bearer, "scope") => self.scope = Some(value),
            (Module::Bearer, _) => match name.strip_prefix("extension_") {
                Some(extension) => self.extensions.push((extension.into(), value)),
                None if name.starts_with("unsecured") => return Err("unsecured tokens are not there"),
                None => return Err("has an option beside clientId, clientSecret, scope and extensions"),
            },
            (_, "tokenauth") if value == "false" => {}
            (_, "tokenauth") => return Err("delegation tokens are not there yet"),
            (_, "serviceName") => {}
            _ => return Err("has an option beside username and password"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    fn read(text: &str) -> Result<(Module, String, String), Why> {
        login(text).map(|login| (login.module, login.user.unwrap_or_default(), login.password.unwrap_or_default()))
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
    fn who_asks_for_tokens_is_read() {
        let text = "x.oauthbearer.OAuthBearerLoginModule required clientId=\"me\" clientSecret='a b' scope=kafka extension_pool=\"x\";";
        let login = login(text).expect("a login");
        assert_eq!((login.module, login.scope.as_deref()), (Module::Bearer, Some("kafka")));
        assert_eq!((login.user.as_deref(), login.password.as_deref()), (Some("me"), Some("a b")));
        assert_eq!(login.extensions, [("pool".into(), "x".into())]);
        assert_eq!(read("OAuthBearerLoginModule required ;"), Ok((Module::Bearer, "".into(), "".into())));
    }

    #[test]
    fn what_is_not_of_that_form_is_told_without_any_of_it() {
        for (text, why) in [
            ("", "begin with a login module"),
            ("x.Other required username=u password=p;", "PlainLoginModule, ScramLoginModule or"),
            ("x.OAuthBearerLoginModule required username=u;", "clientId"),
            ("x.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=\"alice\";", "unsecured"),
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

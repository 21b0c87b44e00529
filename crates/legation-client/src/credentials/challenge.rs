//! Reads `WWW-Authenticate` (RFC 9110 11.6.1): challenges with parameters, several in a header or in
//! several headers. What cannot be read ends the reading; what came before it counts.

use http::{HeaderMap, header};

/// One challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Challenge {
    /// In lower case.
    pub(crate) scheme: String,
    /// Names in lower case.
    parameters: Vec<(String, String)>,
}

impl Challenge {
    /// All that an answer holds.
    pub(crate) fn all(headers: &HeaderMap) -> Vec<Self> {
        let mut all = Vec::new();
        for value in headers.get_all(header::WWW_AUTHENTICATE) {
            Reader(value.to_str().unwrap_or_default()).challenges(&mut all);
        }
        all
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

struct Reader<'t>(&'t str);

impl Reader<'_> {
    fn challenges(&mut self, all: &mut Vec<Challenge>) {
        loop {
            self.skip(" \t,");
            let Some(word) = self.token() else { return };
            self.skip(" \t");
            // `name=value` after a comma goes on with the challenge before; `scheme` begins one.
            if !self.0.starts_with('=') {
                let scheme = word.to_ascii_lowercase();
                all.push(Challenge { scheme, parameters: Vec::new() });
                self.skip_token68();
                continue;
            }
            self.0 = &self.0[1..];
            self.skip(" \t");
            let Some(value) = self.value() else { return };
            let Some(challenge) = all.last_mut() else { return };
            challenge.parameters.push((word.to_ascii_lowercase(), value));
        }
    }

    fn skip(&mut self, characters: &str) {
        self.0 = self.0.trim_start_matches(|next| characters.contains(next));
    }

    fn token(&mut self) -> Option<String> {
        const MARKS: &str = "!#$%&'*+-.^_`|~";
        let fit = |next: char| next.is_ascii_alphanumeric() || MARKS.contains(next);
        let end = self.0.find(|next| !fit(next)).unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at(end);
        self.0 = rest;
        (!token.is_empty()).then(|| token.to_owned())
    }

    /// What stands in the place of parameters in some schemes, such as `Negotiate`.
    fn skip_token68(&mut self) {
        let fit = |next: char| next.is_ascii_alphanumeric() || "-._~+/".contains(next);
        let end = self.0.find(|next| !fit(next)).unwrap_or(self.0.len());
        let rest = self.0[end..].trim_start_matches('=');
        if end > 0 && (rest.trim_start().is_empty() || rest.trim_start().starts_with(',')) {
            self.0 = rest;
        }
    }

    fn value(&mut self) -> Option<String> {
        let Some(quoted) = self.0.strip_prefix('"') else { return self.token() };
        let (mut value, mut characters) = (String::new(), quoted.char_indices());
        while let Some((at, next)) = characters.next() {
            match next {
                '"' => {
                    self.0 = &quoted[at + 1..];
                    return Some(value);
                }
                '\\' => value.push(characters.next()?.1),
                other => value.push(other),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read_as_far_as_they_are_any() {
        let cases = [
            ("Bearer", "bearer"),
            (
                r#"Bearer realm="a, b", error=invalid_token"#,
                "bearer realm=a, b error=invalid_token",
            ),
            (
                r#"Basic realm="x", Digest nonce="n\"q",qop="auth""#,
                "basic realm=x; digest nonce=n\"q qop=auth",
            ),
            ("Negotiate YWJj==, Basic realm=x", "negotiate; basic realm=x"),
            ("Negotiate", "negotiate"),
            ("Newauth a = 1 ,b=2", "newauth a=1 b=2"),
            (", ,Basic realm=x,", "basic realm=x"),
            ("Basic, Bearer", "basic; bearer"),
            (r#"Basic realm="open"#, "basic"),
            ("realm=x", ""),
            ("", ""),
            ("=", ""),
        ];
        for (text, expected) in cases {
            let value = text.parse().expect("a value");
            let headers = HeaderMap::from_iter([(header::WWW_AUTHENTICATE, value)]);
            let told = Challenge::all(&headers).into_iter().map(|challenge| {
                let pair = |(name, value): &(String, String)| format!(" {name}={value}");
                let pairs: String = challenge.parameters.iter().map(pair).collect();
                challenge.scheme + &pairs
            });
            assert_eq!(told.collect::<Vec<_>>().join("; "), expected, "{text}");
        }
    }
}

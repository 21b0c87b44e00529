//! Reads an object of a request from its path, its query and its body, and says where a fault is.

mod locate;
mod overlay;

use std::borrow::Cow;

use legation_model::{A2aError, ErrorKind};
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::operation::Route;
use crate::percent;
use overlay::Overlay;

/// A member by its name, with its value as text.
pub(crate) type Field<'f> = (Cow<'f, str>, Cow<'f, str>);

/// The fields that a path and a query give, the path's first and only once.
pub(crate) fn fields<'f>(
    route: &'f Route<'_>,
    query: Option<&'f str>,
) -> Result<Vec<Field<'f>>, A2aError> {
    let tenant = route.tenant.as_deref().map(|tenant| ("tenant", tenant));
    let parameters = route.parameters.iter().map(|(name, value)| (*name, &**value));
    let path = tenant.into_iter().chain(parameters);
    let mut fields: Vec<Field<'f>> = path.map(|(n, v)| (n.into(), v.into())).collect();
    let in_path = fields.len();
    for pair in percent::pairs(query.unwrap_or("")) {
        let (name, value) =
            pair.ok_or_else(|| A2aError::invalid("query", "not percent-encoded"))?;
        // An empty value is how forms say that there is none.
        if !value.is_empty() && !overlay::names(&fields[..in_path], &name) {
            fields.push((name, value));
        }
    }
    Ok(fields)
}

/// Where a request is read from.
pub(crate) trait Read {
    /// Reads an object.
    fn read<T: DeserializeOwned>(&self) -> Result<T, A2aError>;
}

/// Where the members of a request come from: fields first, then the members of a JSON object.
pub(crate) struct Source<'s> {
    fields: &'s [Field<'s>],
    body: &'s str,
}

impl<'s> Source<'s> {
    /// The members of a JSON object, which may be absent.
    pub(crate) fn of_params(params: Option<&'s str>) -> Self {
        Self { fields: &[], body: params.unwrap_or("{}") }
    }

    /// The fields, and the members of a body, which may be empty.
    pub(crate) fn of_rest(fields: &'s [Field<'s>], body: Option<&'s str>) -> Self {
        let body = body.map(str::trim_ascii).filter(|body| !body.is_empty()).unwrap_or("{}");
        Self { fields, body }
    }

    fn read_again<T: DeserializeOwned>(&self) -> Result<T, A2aError> {
        if let Err(error) = serde_json::from_str::<IgnoredAny>(self.body) {
            return Err(A2aError::new(ErrorKind::Parse, format!("not JSON: {error}")));
        }
        let mut json = serde_json::Deserializer::from_str(self.body);
        let overlay = Overlay::new(self.fields, &mut json);
        serde_path_to_error::deserialize(overlay).map_err(|error| locate::violation(&error))
    }
}

impl Read for Source<'_> {
    /// Reads fast first; a failure is worth a second, slower look that finds the place.
    fn read<T: DeserializeOwned>(&self) -> Result<T, A2aError> {
        let mut json = serde_json::Deserializer::from_str(self.body);
        let read = T::deserialize(Overlay::new(self.fields, &mut json));
        read.and_then(|request| json.end().map(|()| request)).or_else(|_| self.read_again())
    }
}

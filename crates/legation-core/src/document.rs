//! Answers as finished JSON.

use bytes::Bytes;
use legation_model::A2aError;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::store::internal;

/// A model value as its 1.0 JSON: written once, then shared by the store and every reader.
///
/// It never holds a raw line break. Codecs of other versions read it back into the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document(Bytes);

impl Document {
    /// Writes a value.
    pub fn write(value: &impl Serialize) -> Self {
        let json = serde_json::to_vec(value).expect("model values have text keys only");
        Self(json.into())
    }

    /// Takes JSON that was written by [`Document::write`], perhaps by an earlier process.
    pub fn from_stored(json: Bytes) -> Self {
        Self(json)
    }

    /// Reads the value back.
    ///
    /// # Errors
    /// An internal error when the JSON has another shape, which only a damaged store brings about.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, A2aError> {
        serde_json::from_slice(&self.0)
            .map_err(|source| internal("cannot read a document", &source))
    }

    /// The JSON text.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }
}

//! Data of an extension in the metadata of an update.

use legation_model::{Json, Metadata, StreamResponse};
use serde_json::value::RawValue;

/// A stream's item with one more member in its metadata: the data of an extension under its URI.
///
/// # Errors
/// When the item is not a stream response, which only a damaged store brings about.
pub fn mark(item: &[u8], uri: &str, data: &str) -> Result<Vec<u8>, serde_json::Error> {
    let mut response: StreamResponse = serde_json::from_slice(item)?;
    let metadata = match &mut response {
        StreamResponse::Task(task) => &mut task.metadata,
        StreamResponse::Message(message) => &mut message.metadata,
        StreamResponse::StatusUpdate(update) => &mut update.metadata,
        StreamResponse::ArtifactUpdate(update) => &mut update.metadata,
    };
    *metadata = Some(with_member(metadata.as_ref(), uri, data)?);
    serde_json::to_vec(&response)
}

fn with_member(
    metadata: Option<&Metadata>,
    key: &str,
    value: &str,
) -> Result<Metadata, serde_json::Error> {
    let text = metadata.map_or("{}", Metadata::as_str);
    let mut members: std::collections::BTreeMap<String, Box<RawValue>> =
        serde_json::from_str(text)?;
    members.insert(key.to_owned(), RawValue::from_string(value.to_owned())?);
    let text = serde_json::to_string(&members)?;
    Ok(Json::parse(&text).ok().and_then(Metadata::new).expect("an object of what was metadata"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_joins_what_metadata_there_is() {
        let update = |metadata: &str| {
            format!(
                r#"{{"statusUpdate":{{"taskId":"t","contextId":"c","status":{{"state":"TASK_STATE_WORKING"}}{metadata}}}}}"#
            )
        };
        let cases = [
            ("", r#","metadata":{"urn:x":{"seq":7}}"#),
            (r#","metadata":{"a":1}"#, r#","metadata":{"a":1,"urn:x":{"seq":7}}"#),
            (r#","metadata":{"urn:x":0}"#, r#","metadata":{"urn:x":{"seq":7}}"#),
        ];
        for (before, after) in cases {
            let marked = mark(update(before).as_bytes(), "urn:x", r#"{"seq":7}"#).expect("an item");
            assert_eq!(String::from_utf8(marked).expect("JSON"), update(after));
        }
        assert!(mark(b"{}", "urn:x", "1").is_err());
    }
}

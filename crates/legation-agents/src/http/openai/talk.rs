//! What was said, as the messages of a chat.

use legation_model::{Content, Message, Part, Role};
use serde_json::{Value, json};

/// The prompt, what was said before, and the message to answer.
///
/// # Errors
/// Names a part that no model can be told, in words for the caller.
pub(super) fn messages(
    system: Option<&str>,
    earlier: &[Message],
    now: &Message,
) -> Result<Vec<Value>, String> {
    let system = system.map(|text| Ok(json!({"role": "system", "content": text})));
    system.into_iter().chain(earlier.iter().chain([now]).map(message)).collect()
}

fn message(message: &Message) -> Result<Value, String> {
    let role = if message.role == Role::Agent { "assistant" } else { "user" };
    let contents = message.parts.iter().map(content).collect::<Result<Vec<_>, _>>()?;
    // Text as a plain string: servers that know nothing of parts are many.
    if contents.iter().all(|content| content["type"] == "text") {
        let texts: Vec<_> =
            contents.iter().filter_map(|content| content["text"].as_str()).collect();
        return Ok(json!({"role": role, "content": texts.join("\n\n")}));
    }
    Ok(json!({"role": role, "content": contents}))
}

fn content(part: &Part) -> Result<Value, String> {
    let name = part.filename.as_deref().unwrap_or("the file");
    let kind = part.media_type.as_deref().unwrap_or_default();
    let text = |text: &str| json!({"type": "text", "text": text});
    let image = |url: &str| json!({"type": "image_url", "image_url": {"url": url}});
    let cannot = || format!("the model cannot be given {name}: send text or an image");
    match &part.content {
        Content::Text(said) => Ok(text(said)),
        Content::Data(data) => Ok(text(data.as_str())),
        // Not even of an image: a model that runs in the own network would fetch what a stranger names.
        Content::Url(_) => Err(format!("{} itself; addresses are not fetched", cannot())),
        Content::Raw(raw) if kind.starts_with("image/") => {
            Ok(image(&format!("data:{kind};base64,{}", raw.as_str())))
        }
        Content::Raw(raw) => {
            let said = String::from_utf8(raw.decode()).map_err(|_| cannot())?;
            Ok(text(&format!("{name}:\n{said}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use legation_model::{Base64, Json};

    use super::*;

    #[test]
    fn parts_become_what_a_model_can_be_told() {
        let raw = |bytes: &[u8]| Part::from(Content::Raw(Base64::encode(bytes)));
        let url = |url: &str| Part::from(Content::Url(url.into()));
        let cases = [
            (vec![Part::text("a"), Part::data(Json::parse("[1]").expect("JSON"))], r#""a\n\n[1]""#),
            (vec![raw(b"x\n1").with_filename("a.csv")], r#""a.csv:\nx\n1""#),
            (
                vec![raw(b"\x89").with_media_type("image/png")],
                r#""url":"data:image/png;base64,iQ==""#,
            ),
            (
                vec![url("https://a/b.png").with_media_type("image/png")],
                "addresses are not fetched",
            ),
            (vec![raw(b"\xff\x00").with_filename("a.bin")], "cannot be given a.bin"),
        ];
        for (parts, expected) in cases {
            let said = message(&Message::new(Role::User, parts));
            let said = said.map_or_else(|reason| reason, |value| value.to_string());
            assert!(said.contains(expected), "{said}");
        }
    }
}

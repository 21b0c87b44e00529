//! The codec of A2A 0.3 and everything before it: one reader for all their shapes, and a writer
//! with a form for each kind of reader.
//!
//! The writer makes its answers of 1.0 documents. What a form cannot say is in [`crate::loss`].

mod answer;
pub(crate) mod kept;
mod message;
mod names;
pub(crate) mod narrow;
mod params;
mod webhook;
mod write;

use legation_model::{
    A2aError, ErrorKind, GetExtendedAgentCardRequest, Request, SendMessageRequest,
    TaskPushNotificationConfig,
};

use crate::operation::{Operation, Route};
use crate::read::{self, Read as _, Source};
use params::{About, Send, Send0_1};
use webhook::SetWebhook;

pub use answer::{read_answer, read_items};
pub use kept::{DATA_PART_COMPAT, FILENAME, MEDIA_TYPE};
pub use webhook::{read_webhook, read_webhooks};
pub use write::{write, write_params, write_rest};

/// The shape in which an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The JSON of 0.3 and 0.2: `kind`, `parts`, lower-case states.
    Json,
    /// [`Form::Json`] with the members of 0.1 beside those of 0.3, for calls of a method whose name
    /// all of them share: either kind of reader understands it.
    JsonAnd0_1,
    /// [`Form::JsonAnd0_1`] with nothing in it that 0.1 has no word for.
    Json0_1,
    /// The protobuf JSON of 0.3, which its REST binding has: `content`, `ROLE_USER`.
    Proto,
}

impl Form {
    /// Every form.
    pub const ALL: [Self; 4] = [Self::Json, Self::JsonAnd0_1, Self::Json0_1, Self::Proto];

    /// Whether the members of 0.1 are written.
    const fn says_0_1(self) -> bool {
        matches!(self, Self::JsonAnd0_1 | Self::Json0_1)
    }
}

/// A request, and the form in which its caller is answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// What is asked.
    pub request: Request,
    /// How the answer is written.
    pub form: Form,
}

/// Reads the params of a JSON-RPC request, which are a JSON object, `null` or absent.
///
/// # Errors
/// `InvalidParams` with a violation that names the member by its path within the params.
pub fn read_params(
    operation: Operation,
    form: Form,
    params: Option<&str>,
) -> Result<Asked, A2aError> {
    let source = Source::of_params(params.filter(|params| *params != "null"));
    Reader { source, form, body_decides: false }.read(operation)
}

/// Reads a REST request. What its path says wins over its query and its body. The form is the one
/// that the body shows, else the given one. The route's tenant is not looked at: no version before
/// 1.0 has one.
///
/// # Errors
/// `InvalidParams` with a violation that names the member or the parameter, and `Parse` when the
/// body is not JSON.
pub fn read_rest(
    route: &Route<'_>,
    form: Form,
    query: Option<&str>,
    body: Option<&str>,
) -> Result<Asked, A2aError> {
    let Route { operation, parameters, .. } = route;
    // The path's `id` is the task, which goes by another name where the webhook may have an `id`.
    let sets = *operation == Operation::CreateTaskPushNotificationConfig;
    let renamed = |name: &'static str| if sets && name == "id" { "taskId" } else { name };
    let parameters =
        parameters.iter().map(|(name, value)| (renamed(name), value.clone())).collect();
    let route = Route { operation: *operation, tenant: None, parameters };
    let fields = read::fields(&route, query)?;
    let source = Source::of_rest(&fields, body);
    Reader { source, form, body_decides: !form.says_0_1() }.read(*operation)
}

/// Reads requests, and finds out how they are answered.
struct Reader<'s> {
    source: Source<'s>,
    form: Form,
    /// Whether the form is the one that the body shows, if it shows one.
    body_decides: bool,
}

impl Reader<'_> {
    fn read(mut self, operation: Operation) -> Result<Asked, A2aError> {
        let request = self.request(operation)?;
        request.check()?;
        Ok(Asked { request, form: self.form })
    }

    fn request(&mut self, operation: Operation) -> Result<Request, A2aError> {
        use Operation as O;
        use Request as R;
        Ok(match operation {
            O::SendMessage => R::SendMessage(self.send()?),
            O::SendStreamingMessage => R::SendStreamingMessage(self.send()?),
            O::GetTask => R::GetTask(self.about()?.get(self.form)?),
            O::CancelTask => R::CancelTask(self.about()?.cancel()?),
            O::SubscribeToTask => R::SubscribeToTask(self.about()?.subscribe()?),
            O::CreateTaskPushNotificationConfig => {
                R::CreateTaskPushNotificationConfig(self.set_webhook()?)
            }
            O::GetTaskPushNotificationConfig => {
                R::GetTaskPushNotificationConfig(self.about()?.get_webhook()?)
            }
            O::ListTaskPushNotificationConfigs => {
                R::ListTaskPushNotificationConfigs(self.about()?.list_webhooks()?)
            }
            O::DeleteTaskPushNotificationConfig => {
                R::DeleteTaskPushNotificationConfig(self.about()?.delete_webhook()?)
            }
            O::GetExtendedAgentCard => R::GetExtendedAgentCard(self.card()?),
            O::ListTasks => {
                let message = "there is no list of tasks before A2A 1.0";
                return Err(A2aError::new(ErrorKind::UnsupportedOperation, message));
            }
        })
    }

    fn send(&mut self) -> Result<SendMessageRequest, A2aError> {
        if self.form == Form::Json0_1 {
            return self.source.read::<Send0_1>()?.into_request();
        }
        let send: Send = self.source.read()?;
        self.shown(Some(send.form()));
        send.into_request(self.form)
    }

    fn set_webhook(&mut self) -> Result<TaskPushNotificationConfig, A2aError> {
        let set: SetWebhook = self.source.read()?;
        self.shown(set.form());
        set.into_config(self.form)
    }

    fn about(&self) -> Result<About, A2aError> {
        self.source.read()
    }

    /// There is nothing to say, but what is said must be an object.
    fn card(&self) -> Result<GetExtendedAgentCardRequest, A2aError> {
        #[derive(serde::Deserialize)]
        struct Anything {}
        let Anything {} = self.source.read()?;
        Ok(GetExtendedAgentCardRequest::default())
    }

    fn shown(&mut self, form: Option<Form>) {
        self.form = form.filter(|_| self.body_decides).unwrap_or(self.form);
    }
}

#[cfg(test)]
mod tests;

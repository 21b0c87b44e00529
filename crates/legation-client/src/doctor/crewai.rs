//! What CrewAI wants of a card beyond other clients of 0.3, found by running it.

use legation_model::SecurityScheme;

use super::checks::{CREWAI_EXTENSIONS, CREWAI_PLACE, CREWAI_SECURITY};
use super::reach::{Arrival, get};
use super::{Group, Notes, Plan, excerpt};
use crate::Options;

/// Looks at the card once more.
pub(super) async fn examine(
    notes: &mut Notes<'_>,
    arrival: &Arrival,
    options: &Options,
    plan: &Plan,
) {
    if plan.wants(Group::CrewAi) {
        place(notes, arrival, options, plan).await;
        security(notes, arrival);
        extensions(notes, arrival);
    }
}

/// An address with a path is fetched as it is, and not what is well known below it.
async fn place(notes: &mut Notes<'_>, arrival: &Arrival, options: &Options, plan: &Plan) {
    let url = &arrival.address;
    if url.path() == "/" {
        let seen = "the address has no path, so the well-known place is asked";
        return notes.add(CREWAI_PLACE.passed(seen));
    }
    let found = get(&arrival.http, url, options, plan).await;
    notes.add(match found {
        Ok(found) if found.status.is_success() => match legation_wire::card::read(&found.body) {
            Ok(_) => CREWAI_PLACE.passed(format!("{url} is the card")),
            Err(fault) => CREWAI_PLACE.failed(format!("{url} is no card: {fault}")),
        },
        Ok(found) => CREWAI_PLACE.failed(format!("{url} answers {}", found.status.as_u16())),
        Err(error) => CREWAI_PLACE.failed(excerpt(&error.to_string())),
    });
}

fn security(notes: &mut Notes<'_>, arrival: &Arrival) {
    let card = arrival.card();
    let Some(first) = card.security_requirements.first() else {
        return notes.add(CREWAI_SECURITY.passed("the card asks for no credentials"));
    };
    let strange = first.schemes.keys().find(|name| match card.security_schemes.get(*name) {
        Some(
            SecurityScheme::OpenIdConnectSecurityScheme(_) | SecurityScheme::MtlsSecurityScheme(_),
        )
        | None => true,
        Some(
            SecurityScheme::ApiKeySecurityScheme(_)
            | SecurityScheme::HttpAuthSecurityScheme(_)
            | SecurityScheme::OAuth2SecurityScheme(_),
        ) => false,
    });
    notes.add(match strange {
        Some(name) => {
            CREWAI_SECURITY.failed(format!("the first alternative wants `{}`", excerpt(name)))
        }
        None => CREWAI_SECURITY.passed("it knows the first alternative"),
    });
}

fn extensions(notes: &mut Notes<'_>, arrival: &Arrival) {
    let mut extensions = arrival.card().capabilities.extensions.iter();
    notes.add(match extensions.find(|extension| extension.required) {
        Some(required) => {
            CREWAI_EXTENSIONS.failed(format!("`{}` is required", excerpt(&required.uri)))
        }
        None => CREWAI_EXTENSIONS.passed("none is required"),
    });
}

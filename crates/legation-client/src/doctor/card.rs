//! What the card says, with the eyes of each of its readers.

use std::time::{SystemTime, UNIX_EPOCH};

use legation_wire::card::{Binding, Finding};
use legation_wire::signature::{Verdict, verify};
use legation_wire::version::Version;
use url::Url;

use super::checks::{ADDRESSES, CARD_0_3, CARD_1_0, MEMBERS, MIXED, ORIGIN, SIGNATURE};
use super::network::Network;
use super::reach::Arrival;
use super::{Notes, Reader, excerpt};
use crate::interface::{is_trusted, usable};
use crate::{Options, card};

/// Looks at the card.
pub(super) async fn examine(notes: &mut Notes<'_>, arrival: &Arrival, options: &Options) {
    members(notes, arrival);
    addresses(notes, arrival).await;
    origins(notes, arrival, options);
    signature(notes, arrival, options).await;
}

/// What the reading of the card found. Two of the findings say that a whole kind of reader is left out.
fn members(notes: &mut Notes<'_>, arrival: &Arrival) {
    let (mut is_whole, mut left_out) = (true, Vec::new());
    for finding in &arrival.reading.findings {
        let Finding { path, readers, problem, remedy, refused_by } = finding;
        let seen = format!("{path} {problem}");
        if path == "url" && !refused_by.is_empty() {
            left_out.push(Reader::V0_3);
            notes.add(CARD_0_3.failed(seen).fix(remedy));
            continue;
        }
        if path == "supportedInterfaces" && !refused_by.is_empty() {
            left_out.push(Reader::V1_0);
            notes.add(CARD_1_0.warned(seen));
            continue;
        }
        is_whole = false;
        // Nobody has to be read by the clients of the drafts.
        let (refusing, others): (Vec<Reader>, Vec<Reader>) =
            readers.iter().flat_map(|version| readers_of(*version)).partition(|reader| {
                let is_of = |version: &&Version| readers_of(**version).contains(reader);
                **reader != Reader::Older && refused_by.iter().any(|version| is_of(&version))
            });
        let (path, seen) = (excerpt(path), excerpt(&seen));
        notes.add(MEMBERS.failed(&*seen).among(&refusing).at(&*path).fix(remedy));
        notes.add(MEMBERS.warned(&*seen).among(&others).at(&*path).fix(remedy));
    }
    if is_whole {
        notes.add(MEMBERS.passed("each is as its readers want it"));
    }
    for (reader, check) in [(Reader::V1_0, &CARD_1_0), (Reader::V0_3, &CARD_0_3)] {
        if !left_out.contains(&reader) {
            let versions = arrival.card().supported_interfaces.iter();
            let mut own = versions.filter(|it| {
                let version = Version::parse(it.protocol_version.trim());
                version.is_some_and(|version| readers_of(version).contains(&reader))
            });
            notes.add(match own.next() {
                Some(first) => {
                    let (binding, url) = (&first.protocol_binding, &first.url);
                    check.passed(excerpt(&format!("the first is {binding} at {url}")))
                }
                None => check.warned("there is no interface of the version"),
            });
        }
    }
}

/// Who speaks a version.
pub(super) const fn readers_of(version: Version) -> &'static [Reader] {
    match version {
        Version::V1_0 => &[Reader::V1_0, Reader::Browser],
        Version::V0_3 => &[Reader::V0_3, Reader::CrewAi],
        Version::V0_2 | Version::V0_1 => &[Reader::Older],
    }
}

async fn addresses(notes: &mut Notes<'_>, arrival: &Arrival) {
    let at_home = Network::of(&arrival.url).await;
    let (mut are_good, mut mixed) = (true, None);
    for (index, interface) in arrival.interfaces().enumerate() {
        let place = format!("{} at {}", interface.protocol_binding, excerpt(&interface.url));
        let Some(url) = address(&interface.url, &interface.protocol_binding, &arrival.url) else {
            are_good = false;
            notes.add(ADDRESSES.failed(format!("{place} is no whole address")).at(path(index)));
            continue;
        };
        if arrival.url.scheme() == "https" && url.scheme() == "http" {
            mixed = mixed.or(Some((index, place.clone())));
        }
        let wrong = match (at_home, Network::of(&url).await) {
            (_, Network::Unknown) => Some("has a name without a number".to_owned()),
            (Network::Public | Network::Private(_), Network::Machine) => {
                Some("names the caller's own machine".to_owned())
            }
            (Network::Public, Network::Private(number)) => {
                Some(format!("is in a private network ({number})"))
            }
            (Network::Machine | Network::Unknown, Network::Machine)
            | (_, Network::Public)
            | (Network::Machine | Network::Private(_) | Network::Unknown, Network::Private(_)) => {
                None
            }
        };
        if let Some(wrong) = wrong {
            are_good = false;
            notes.add(ADDRESSES.failed(format!("{place} {wrong}")).at(path(index)));
        }
    }
    if are_good {
        notes.add(ADDRESSES.passed("each can be reached from where the card is"));
    }
    notes.add(match mixed {
        Some((index, place)) => {
            MIXED.failed(format!("{place} is without TLS, the card with it")).at(path(index))
        }
        None => MIXED.passed("no interface has less than the card"),
    });
}

fn path(index: usize) -> String {
    format!("interface {}", index + 1)
}

/// The address of an interface. That of gRPC may be a host and a port, with the scheme of the card.
fn address(text: &str, binding: &str, card: &Url) -> Option<Url> {
    let url = match Binding::from_name(binding) {
        Some(Binding::Grpc) if !text.contains("://") => {
            Url::parse(&format!("{}://{text}", card.scheme()))
        }
        _ => Url::parse(text),
    };
    url.ok().filter(Url::has_host)
}

fn origins(notes: &mut Notes<'_>, arrival: &Arrival, options: &Options) {
    let interfaces = arrival.card().supported_interfaces.iter();
    let foreign = interfaces
        .filter_map(|interface| usable(interface, &arrival.url))
        .find(|endpoint| !is_trusted(endpoint, &arrival.url, options));
    notes.add(match foreign {
        Some(endpoint) => {
            let origin = crate::origin::origin(&endpoint.url);
            ORIGIN.warned(format!("an interface is at {origin}"))
        }
        None => ORIGIN.passed("they are where the card is, or where you trust"),
    });
}

async fn signature(notes: &mut Notes<'_>, arrival: &Arrival, options: &Options) {
    if arrival.card().signatures.is_empty() {
        return notes.add(SIGNATURE.skipped("the card is not signed"));
    }
    let keys = match card::fetch_keys_of(arrival.url.as_str(), options).await {
        Ok(keys) => keys,
        Err(error) => {
            let seen = format!("nobody can verify it: {error}");
            let remedy = "publish the keys at `/.well-known/jwks.json`, or give them to callers";
            return notes.add(SIGNATURE.warned(excerpt(&seen)).fix(remedy));
        }
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let verdict = verify(&arrival.sent, &keys, now.try_into().unwrap_or(i64::MAX));
    notes.add(match verdict {
        Ok(Verdict::Verified { key, algorithm, .. }) => {
            let seen =
                format!("key {} of its server signed it ({})", excerpt(&key), algorithm.name());
            SIGNATURE.passed(seen)
        }
        Ok(Verdict::UnknownKey { keys }) => {
            SIGNATURE.warned(format!("its server does not publish {}", excerpt(&keys.join(", "))))
        }
        Ok(Verdict::BadSignature { reason }) => SIGNATURE.failed(excerpt(&reason)),
        Ok(Verdict::Unsigned) => SIGNATURE.skipped("the card is not signed"),
        Err(fault) => SIGNATURE.failed(excerpt(&fault.to_string())),
    });
}

#[cfg(test)]
mod tests {
    use super::super::{Group, Outcome, Plan};
    use super::*;

    fn arrival(card: &str, interface: &str) -> Arrival {
        let sent = format!(
            r#"{{"name":"A","description":"d","version":"1","capabilities":{{}},"skills":[],
            "defaultInputModes":[],"defaultOutputModes":[],"supportedInterfaces":[
            {{"url":"{interface}","protocolBinding":"JSONRPC","protocolVersion":"1.0"}}]}}"#
        );
        let reading = legation_wire::card::read(sent.as_bytes()).expect("a card");
        let url = Url::parse(card).expect("a URL");
        let http = Options::default().connections(&url).expect("connections");
        Arrival { address: url.clone(), url, reading, sent: sent.into(), http }
    }

    #[tokio::test]
    async fn an_interface_is_reached_from_where_its_card_is() {
        // Numbers, so that nobody is asked for names.
        let cases = [
            ("https://8.8.8.8/c.json", "https://8.8.4.4/", "pass pass"),
            ("https://8.8.8.8/c.json", "http://8.8.8.8/", "pass fail"),
            ("https://8.8.8.8/c.json", "https://10.0.0.1/", "fail pass"),
            ("http://8.8.8.8/c.json", "http://127.0.0.1/", "fail pass"),
            ("http://10.0.0.1/c.json", "http://localhost/", "fail pass"),
            ("http://10.0.0.1/c.json", "http://10.0.0.2/", "pass pass"),
            ("http://127.0.0.1/c.json", "http://[::1]:8/", "pass pass"),
            ("http://127.0.0.1/c.json", "/rpc", "fail pass"),
            ("http://127.0.0.1/c.json", "a.example", "fail pass"),
        ];
        for (card, interface, expected) in cases {
            let plan = Plan { only: "card".into(), ..Plan::default() };
            let mut notes = Notes::new(&plan);
            addresses(&mut notes, &arrival(card, interface)).await;
            let names: Vec<_> = notes.checks.iter().map(|it| it.outcome.name()).collect();
            assert_eq!(names.join(" "), expected, "{card} {interface}: {:?}", notes.checks);
            assert!(notes.checks.iter().all(|it| it.group == Group::Card));
            assert!(notes.checks.iter().all(|it| it.outcome != Outcome::Skipped));
        }
    }
}

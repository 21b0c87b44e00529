//! Client certificates, made for the purpose.

use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use legation_auth::{Attempts, Certificates, Chain, Scheme};
use legation_core::Scopes;
use legation_model::ErrorKind;
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType, date_time_ymd,
};

use crate::head::Head;

fn door() -> Chain {
    let proxy: IpAddr = [10, 0, 0, 1].into();
    let certificates = Certificates::new("mtls", "acme", Scopes::All);
    let certificates = certificates.from_proxies(move |peer| peer == proxy);
    Chain::new(vec![Scheme::certificates("mtls", certificates)], Attempts::default())
}

fn certificate(names: &[SanType], change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "root");
    params.subject_alt_names = names.to_vec();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    change(&mut params);
    let key = KeyPair::generate().expect("a key");
    params.self_signed(&key).expect("a certificate").der().to_vec()
}

fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().expect("ASCII"))
}

fn host(text: &str) -> SanType {
    SanType::DnsName(text.try_into().expect("ASCII"))
}

async fn subject(head: Head) -> Result<String, ErrorKind> {
    let known = head.to(&door()).await;
    known.map(|caller| caller.subject.to_string()).map_err(|refused| refused.error.kind)
}

#[tokio::test]
async fn a_certificate_is_for_its_one_name_for_machines() {
    let (spiffe, other) = ("spiffe://acme/ns/a/sa/one", "spiffe://acme/ns/a/sa/two");
    let server = |params: &mut CertificateParams| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    };
    let cases = [
        (certificate(&[uri(spiffe)], |_| {}), Some(spiffe)),
        (certificate(&[uri(spiffe), host("a.example")], |_| {}), Some(spiffe)),
        (certificate(&[host("A.example")], |_| {}), Some("dns:a.example")),
        (certificate(&[uri(spiffe)], |params| params.extended_key_usages.clear()), Some(spiffe)),
        (certificate(&[], |_| {}), None),
        (certificate(&[uri(spiffe), uri(other)], |_| {}), None),
        (certificate(&[host("a.example"), host("b.example")], |_| {}), None),
        (certificate(&[uri("spiffe://acme/*")], |_| {}), None),
        (certificate(&[host("*.example")], |_| {}), None),
        (certificate(&[uri(spiffe)], server), None),
        (certificate(&[uri(spiffe)], |p| p.not_after = date_time_ymd(2020, 1, 1)), None),
        (certificate(&[uri(spiffe)], |p| p.not_before = date_time_ymd(2090, 1, 1)), None),
        (
            certificate(&[uri(spiffe)], |p| {
                p.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            }),
            None,
        ),
        (b"not a certificate".to_vec(), None),
    ];
    for (number, (der, expected)) in cases.into_iter().enumerate() {
        let certificates = Some(Arc::from([der]));
        let got = subject(Head { certificates, ..Head::default() }).await;
        let expected = expected.map(str::to_owned).ok_or(ErrorKind::Unauthenticated);
        assert_eq!(got, expected, "case {number}");
    }
    assert_eq!(subject(Head::default()).await, Err(ErrorKind::Unauthenticated));
}

#[tokio::test]
async fn a_certificate_in_a_header_counts_from_a_trusted_proxy_only() {
    let (own, passed) = ("spiffe://acme/proxy", "spiffe://acme/caller");
    let (own, passed) = (certificate(&[uri(own)], |_| {}), certificate(&[uri(passed)], |_| {}));
    let text = BASE64_STANDARD.encode(&passed);
    let standard = ("client-cert", format!(":{text}:"));
    let pem = format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
    let pem: String = pem
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect();
    let envoy = ("x-forwarded-client-cert", format!("By=x;Hash=00;Cert=\"{pem}\""));
    let named = ("x-forwarded-client-cert", "By=x;URI=spiffe://acme/caller".to_owned());
    let xfcc = |text: String| ("x-forwarded-client-cert", text);
    // As Envoy writes a distinguished name: in quotes, with commas, semicolons and escaped quotes.
    let dn = r#"Subject="CN=\"a;Cert=b, c\",O=acme, Inc.";"#;
    let quoted = xfcc(format!("{dn}Cert=\"{pem}\";DNS=a.example"));
    let hidden = xfcc(format!("Subject=\"x;Cert={pem}\""));
    let open = xfcc(format!("Subject=\"x;Cert=\"{pem}\""));
    let twice = xfcc(format!("Cert=\"{pem}\";Cert=\"{pem}\""));
    let quoted_several = xfcc(format!("{dn}Cert=\"{pem}\",By=y"));
    let several = ("x-forwarded-client-cert", format!("{},{}", envoy.1, envoy.1));
    let other = ("client-cert", format!(":{}:", BASE64_STANDARD.encode(&own)));
    let (proxy, stranger) = ([10, 0, 0, 1], [10, 0, 0, 2]);
    let (caller, itself, nobody) = (Ok("spiffe://acme/caller"), Ok("spiffe://acme/proxy"), Err(()));
    let cases = [
        (proxy, vec![standard.clone()], caller),
        (proxy, vec![envoy.clone()], caller),
        (proxy, vec![standard.clone(), envoy.clone()], caller),
        (stranger, vec![standard.clone()], itself),
        (stranger, vec![envoy.clone()], itself),
        (proxy, vec![], nobody),
        (stranger, vec![], itself),
        (proxy, vec![named], nobody),
        (proxy, vec![quoted], caller),
        (proxy, vec![hidden], nobody),
        (proxy, vec![open], nobody),
        (proxy, vec![twice], nobody),
        (proxy, vec![quoted_several], nobody),
        (proxy, vec![several], nobody),
        (proxy, vec![standard.clone(), standard], nobody),
        (proxy, vec![other, envoy], nobody),
        (proxy, vec![("client-cert", ":!:".to_owned())], nobody),
    ];
    for (number, (peer, lines, expected)) in cases.into_iter().enumerate() {
        let certificates = Some(Arc::from([own.clone()]));
        let got =
            subject(Head { lines, peer: Some(peer.into()), certificates, ..Head::default() }).await;
        assert_eq!(got.as_deref().map_err(|_| ()), expected, "case {number}");
    }
}

//! What an address says of TLS is what a connection is.

use legation_testkit::postgres::Cluster;
use rcgen::{CertifiedKey, generate_simple_self_signed};

use super::*;

/// Whether all connections of a store are encrypted.
async fn is_encrypted(port: u16, schema: &str) -> bool {
    let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
    let (client, connection) =
        tokio_postgres::connect(&url, tokio_postgres::NoTls).await.expect("a connection");
    tokio::spawn(connection);
    let select = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                  WHERE application_name = $1";
    client.query_one(select, &[&schema]).await.expect("one row").get(0)
}

#[tokio::test]
async fn a_connection_is_as_sure_as_its_address_says() {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = free.local_addr().expect("it listens").port();
    drop(free);
    let cluster = Cluster::with_tls(&cert.pem(), &signing_key.serialize_pem(), port);
    let Some(_cluster) = cluster else { return };
    let directory = tempfile::TempDir::new().expect("a scratch directory");
    let root = directory.path().join("root.pem");
    std::fs::write(&root, cert.pem()).expect("writable");
    let root = format!("sslrootcert={}", root.display());
    // The host, what the address says, and whether the store opens, and with TLS.
    let cases = [
        ("127.0.0.1", "sslmode=disable".to_owned(), Some(false)),
        ("127.0.0.1", "sslmode=prefer".to_owned(), Some(true)),
        ("127.0.0.1", String::new(), Some(true)),
        ("localhost", format!("sslmode=require&{root}"), Some(true)),
        ("localhost", format!("sslmode=verify-full&{root}"), Some(true)),
        ("localhost", "sslmode=require".to_owned(), None),
        ("127.0.0.1", format!("sslmode=require&{root}"), None),
        ("127.0.0.1", "sslmode=verify-full&sslrootcert=/nowhere".to_owned(), None),
    ];
    for (number, (host, query, expected)) in cases.into_iter().enumerate() {
        let name = format!("case_{number}");
        let url =
            format!("postgres://postgres@{host}:{port}/postgres?application_name={name}&{query}");
        let store =
            PostgresStore::open(&url, Options { schema: name.clone(), ..Options::default() });
        let Ok(store) = store else {
            assert_eq!(expected, None, "{host} {query}");
            continue;
        };
        append(&*store, ended_task(store.next_key(), 10)).await.expect("a store that can write");
        let found = is_encrypted(port, &name).await;
        assert_eq!(Some(found), expected, "{host} {query}");
    }
}

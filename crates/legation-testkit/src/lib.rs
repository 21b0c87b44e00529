//! Contract suites, scripted agents and servers for tests.

pub mod agents;
pub mod disk;
pub mod fuzz;
pub mod history;
pub mod nats;
pub mod postgres;
pub mod store_contract;
pub mod wire;

//! The codecs of older versions from outside: what they write, and that it can be read back.

mod documented;
mod golden;
mod grpc;
mod grpc_bounds;
mod grpc_faults;
mod round_trip;
mod speech;
mod values;

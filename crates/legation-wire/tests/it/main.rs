//! The codecs of older versions from outside: what they write, and that it can be read back.

mod documented;
mod golden;
mod grpc;
mod round_trip;
mod values;

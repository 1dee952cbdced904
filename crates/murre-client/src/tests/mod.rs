//! What an application can rely on, tried against a scripted broker.

mod acknowledging;
mod closing;
mod connecting;
mod keep_alive;
mod patching;
mod publishing;
mod reconnecting;
mod requesting;
mod resuming;
mod spooling;
mod subscribing;
mod tls;

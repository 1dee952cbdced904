//! What an application can rely on, tried against a scripted broker.

mod closing;
mod connecting;
mod keep_alive;
mod publishing;
mod reconnecting;
mod requesting;
mod subscribing;
mod tls;

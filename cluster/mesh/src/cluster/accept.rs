//! Accepting connections: one loop takes them, a task each does the handshake.
//!
//! Limits: [`ACCEPT_RATE`], at most [`MAX_HALF_OPEN`] not yet authenticated, [`HANDSHAKE_DEADLINE`] for TLS, and a
//! pause that grows while the system gives no sockets.

use super::connection::Side;
use super::{Shared, data, tls};
use governor::{Quota, RateLimiter};
use rungs_host::tasks;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections accepted per second, after a burst of as many.
pub const ACCEPT_RATE: NonZeroU32 = NonZeroU32::new(64).expect("not zero");
/// Connections that may be accepted and not yet authenticated.
pub const MAX_HALF_OPEN: usize = 128;
/// Longest TLS handshake.
pub const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(5);
/// Pause after an error of the socket, doubled up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Accepts until the transport stops.
pub(super) async fn run(shared: Arc<Shared>, listener: TcpListener) {
    let rate = RateLimiter::direct(Quota::per_second(ACCEPT_RATE));
    let half_open = Arc::new(Semaphore::new(MAX_HALF_OPEN));
    let mut pause = FIRST_PAUSE;
    loop {
        rate.until_ready().await;
        let Ok(place) = Arc::clone(&half_open).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, address)) => {
                pause = FIRST_PAUSE;
                tasks::spawn("mesh handshake", handshake(Arc::clone(&shared), stream, address, place));
            }
            Err(error) => {
                tracing::warn!(%error, pause_ms = pause.as_millis() as u64, "cannot accept");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

async fn handshake(shared: Arc<Shared>, stream: TcpStream, address: SocketAddr, place: OwnedSemaphorePermit) {
    let handshake = async {
        stream.set_nodelay(true)?;
        shared.tls.load_full().acceptor.accept(stream).await
    };
    let stream = match tokio::time::timeout(HANDSHAKE_DEADLINE, handshake).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::info!(%address, %error, "connection refused"),
        Err(_) => return tracing::info!(%address, "no TLS handshake within 5 s"),
    };
    let proven = match tls::proven_as_server(stream.get_ref().1) {
        Ok(proven) => proven,
        Err(error) => return tracing::warn!(%address, %error, "connection refused"),
    };
    if proven.name == shared.node.name {
        return tracing::warn!(%address, node = %proven.name, "another node has this node's name and certificate");
    }
    if !tls::is_data(stream.get_ref().1) {
        return drop(shared.inject(stream, proven, Side::Accepted { _place: place }));
    }
    match tokio::time::timeout(HANDSHAKE_DEADLINE, data::accept(&shared, stream, &proven)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%address, peer = %proven.name, %error, "data stream refused"),
        Err(_) => tracing::info!(%address, peer = %proven.name, "no token within 5 s"),
    }
}

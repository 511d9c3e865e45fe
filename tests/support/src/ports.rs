//! Ports of the loopback interface that nobody uses.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// `count` different ports that were free a moment ago.
///
/// Another process may take one before the caller does. Where a program can listen on port 0 and say which it got, that
/// is better.
///
/// # Errors
/// If no port can be bound.
pub fn free_ports(count: usize) -> io::Result<Vec<u16>> {
    // All are held until the last is found, so that no port is given out twice.
    let held: Vec<TcpListener> = (0..count)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .collect::<io::Result<_>>()?;
    held.iter().map(|listener| Ok(listener.local_addr()?.port())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_ports_differ_and_are_free() {
        let ports = free_ports(16).unwrap();
        assert_eq!(ports.iter().collect::<BTreeSet<_>>().len(), 16);
        assert!(!ports.contains(&0));
        // Another process may have taken one of them by now, but hardly all.
        let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
        assert!(ports.iter().any(is_free));
    }
}

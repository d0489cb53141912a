//! A TCP proxy on the way to a server, for what networks do: cut, delay, or hold back in one direction.
//!
//! Two threads a connection; what it is told holds for the connections of now and those to come.

use rustix::net::sockopt::set_socket_linger;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Small, so that a cut comes within a row.
const CHUNK: usize = 4096;
/// How long a held thread sleeps before it looks whether its connection still exists.
const LOOK: Duration = Duration::from_millis(200);

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server: requests.
    Up,
    /// From the server to the client: replies.
    Down,
}

/// A proxy on a port of its own. It ends with the value, and its connections with it.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    server: u16,
    is_over: AtomicBool,
    cuts: AtomicU64,
    rules: Mutex<Rules>,
    changed: Condvar,
    connections: Mutex<Vec<Arc<Link>>>,
}

#[derive(Debug, Default)]
struct Rules {
    latency: Duration,
    held: Option<Direction>,
    /// Bytes that still reach clients, all together, before the connection that brings the next one is cut.
    cut_after: Option<u64>,
}

/// One connection's two sockets.
#[derive(Debug)]
struct Link {
    client: TcpStream,
    server: TcpStream,
    is_cut: AtomicBool,
    /// One of its directions has ended.
    is_half_done: AtomicBool,
}

impl Link {
    /// Resets both ends.
    fn cut(&self) {
        if self.is_cut.swap(true, Ordering::SeqCst) {
            return;
        }
        for socket in [&self.client, &self.server] {
            let _ = set_socket_linger(socket, Some(Duration::ZERO));
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

impl Proxy {
    /// A proxy to `server`, a port of 127.0.0.1, where nothing has to listen yet.
    #[must_use]
    pub fn start(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = listener.unwrap_or_else(|error| panic!("no port for a proxy: {error}"));
        let port = listener.local_addr().map(|address| address.port());
        let port = port.unwrap_or_else(|error| panic!("a proxy without a port: {error}"));
        let shared = Arc::new(Shared {
            server,
            is_over: AtomicBool::new(false),
            cuts: AtomicU64::new(0),
            rules: Mutex::default(),
            changed: Condvar::new(),
            connections: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if accepting.is_over.load(Ordering::SeqCst) {
                    break;
                }
                if let Ok(client) = client {
                    accepting.connect(client);
                }
            }
        });
        Self { port, shared }
    }

    /// Where clients connect, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Resets all connections, and tells how many there were.
    pub fn cut_all(&self) -> usize {
        let links = std::mem::take(&mut *lock(&self.shared.connections));
        let live = links
            .iter()
            .filter(|link| !link.is_cut.load(Ordering::SeqCst));
        let count = live.map(|link| link.cut()).count();
        self.shared.count(count);
        count
    }

    /// Resets the connection that brings the byte after the next `bytes` to a client.
    pub fn cut_after(&self, bytes: u64) {
        self.shared.change(|rules| rules.cut_after = Some(bytes));
    }

    /// Delays every chunk, in both directions.
    pub fn set_latency(&self, latency: Duration) {
        self.shared.change(|rules| rules.latency = latency);
    }

    /// Lets nothing pass in one direction any more: connections look alive and say nothing.
    pub fn hold(&self, direction: Direction) {
        self.shared.change(|rules| rules.held = Some(direction));
    }

    /// No more delay, nothing held back: what was held arrives now, late. Nothing is cut any more.
    pub fn heal(&self) {
        self.shared.change(|rules| *rules = Rules::default());
    }

    /// Connections that were reset so far.
    #[must_use]
    pub fn num_cuts(&self) -> u64 {
        self.shared.cuts.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        self.heal();
        self.cut_all();
        // Whoever accepts sees only now that it is over.
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let _ = TcpStream::connect_timeout(&address, LOOK);
    }
}

impl Shared {
    fn change(&self, change: impl FnOnce(&mut Rules)) {
        change(&mut lock(&self.rules));
        self.changed.notify_all();
    }

    fn count(&self, cuts: usize) {
        let cuts = u64::try_from(cuts).unwrap_or(u64::MAX);
        self.cuts.fetch_add(cuts, Ordering::SeqCst);
    }

    /// A server that does not listen is told to the client by a reset.
    fn connect(self: &Arc<Self>, client: TcpStream) {
        let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.server)) else {
            let _ = set_socket_linger(&client, Some(Duration::ZERO));
            return;
        };
        let _ = client.set_nodelay(true);
        let _ = server.set_nodelay(true);
        let link = Arc::new(Link {
            client,
            server,
            is_cut: AtomicBool::new(false),
            is_half_done: AtomicBool::new(false),
        });
        let mut connections = lock(&self.connections);
        connections.retain(|link| !link.is_cut.load(Ordering::SeqCst));
        connections.push(Arc::clone(&link));
        drop(connections);
        for direction in [Direction::Up, Direction::Down] {
            let (shared, link) = (Arc::clone(self), Arc::clone(&link));
            std::thread::spawn(move || shared.pump(&link, direction));
        }
    }

    fn pump(&self, link: &Link, direction: Direction) {
        let (mut from, mut to) = match direction {
            Direction::Up => (&link.client, &link.server),
            Direction::Down => (&link.server, &link.client),
        };
        let mut buffer = [0; CHUNK];
        loop {
            let read = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(_) => return link.cut(),
            };
            let allowed = self.pass(link, direction, read);
            if to.write_all(&buffer[..allowed]).is_err() {
                return link.cut();
            }
            if allowed < read {
                self.count(1);
                return link.cut();
            }
        }
        self.wait_while_held(link, direction);
        // The other direction may still have something to say.
        let _ = to.shutdown(Shutdown::Write);
        if link.is_half_done.swap(true, Ordering::SeqCst) {
            link.is_cut.store(true, Ordering::SeqCst);
        }
    }

    /// Waits as long as the rules want, and tells how much of `read` bytes may go on; less: cut.
    fn pass(&self, link: &Link, direction: Direction, read: usize) -> usize {
        let latency = lock(&self.rules).latency;
        std::thread::sleep(latency);
        self.wait_while_held(link, direction);
        let mut rules = lock(&self.rules);
        let Some(left) = rules.cut_after.filter(|_| direction == Direction::Down) else {
            return read;
        };
        let allowed = usize::try_from(left).unwrap_or(usize::MAX).min(read);
        let left = left.saturating_sub(u64::try_from(read).unwrap_or(u64::MAX));
        rules.cut_after = (allowed == read).then_some(left);
        allowed
    }

    fn wait_while_held(&self, link: &Link, direction: Direction) {
        let mut rules = lock(&self.rules);
        while rules.held == Some(direction) && !link.is_cut.load(Ordering::SeqCst) {
            let waited = self.changed.wait_timeout(rules, LOOK);
            rules = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eventually;

    const DEADLINE: Duration = Duration::from_secs(30);

    /// A server that answers each connection with a million bytes, then with what it is sent.
    fn server() -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                std::thread::spawn(move || {
                    let mut socket = socket;
                    let _ = socket.write_all(&vec![7; 1_000_000]);
                    let mut word = [0; 4];
                    while socket.read_exact(&mut word).is_ok() && socket.write_all(&word).is_ok() {}
                });
            }
        });
        port
    }

    fn client(proxy: &Proxy) -> TcpStream {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        socket
    }

    fn greeting(socket: &mut TcpStream) {
        let mut greeting = vec![0; 1_000_000];
        socket.read_exact(&mut greeting).unwrap();
        assert!(greeting.iter().all(|byte| *byte == 7));
    }

    fn echo(socket: &mut TcpStream) {
        socket.write_all(b"word").unwrap();
        let mut word = [0; 4];
        socket.read_exact(&mut word).unwrap();
        assert_eq!(&word, b"word");
    }

    #[test]
    fn bytes_arrive_unchanged_in_both_directions() {
        let proxy = Proxy::start(server());
        let mut socket = client(&proxy);
        greeting(&mut socket);
        echo(&mut socket);
        assert_eq!(proxy.num_cuts(), 0);
    }

    #[test]
    fn a_cut_after_some_bytes_lets_exactly_these_pass_and_hits_one_connection() {
        let proxy = Proxy::start(server());
        proxy.cut_after(123_457);
        let mut got = Vec::new();
        // Reset or ended: what came before counts.
        let _ = client(&proxy).read_to_end(&mut got);
        assert_eq!(got.len(), 123_457);
        assert_eq!(proxy.num_cuts(), 1);
        greeting(&mut client(&proxy));
    }

    #[test]
    fn all_connections_are_cut_at_once_and_new_ones_serve() {
        let proxy = Proxy::start(server());
        let mut sockets = [client(&proxy), client(&proxy)];
        sockets.iter_mut().for_each(greeting);
        assert_eq!(proxy.cut_all(), 2);
        for socket in &mut sockets {
            assert!(!matches!(socket.read(&mut [0]), Ok(1)));
        }
        greeting(&mut client(&proxy));
    }

    #[test]
    fn a_held_direction_says_nothing_until_it_is_healed_and_loses_nothing() {
        let proxy = Proxy::start(server());
        let mut socket = client(&proxy);
        greeting(&mut socket);
        for direction in [Direction::Up, Direction::Down] {
            proxy.hold(direction);
            socket.write_all(b"word").unwrap();
            socket
                .set_read_timeout(Some(Duration::from_millis(300)))
                .unwrap();
            let silence = socket.read(&mut [0]).unwrap_err();
            assert!(
                matches!(
                    silence.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                ),
                "{silence}"
            );
            proxy.heal();
            socket.set_read_timeout(Some(DEADLINE)).unwrap();
            let mut word = [0; 4];
            socket.read_exact(&mut word).unwrap();
            assert_eq!(&word, b"word");
        }
    }

    #[test]
    fn a_server_that_is_away_is_told_and_served_again_when_it_is_back() {
        let unused = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = unused.local_addr().unwrap().port();
        drop(unused);
        let proxy = Proxy::start(port);
        let mut socket = client(&proxy);
        assert!(!matches!(socket.read(&mut [0]), Ok(1)));
        let back = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        let _client = client(&proxy);
        eventually("a connection", DEADLINE, || back.accept().is_ok());
    }
}

//! A listener of a test on a free port: each connection on a thread of its own, until it is dropped.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// Listens until it is dropped.
pub struct Listener {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// Calls `converse` with each connection; it returns when the client has left.
    pub fn start(converse: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let (own, converse) = (stop.clone(), Arc::new(converse));
        let accept = move || {
            for stream in listener.incoming() {
                if own.load(Ordering::SeqCst) {
                    return;
                }
                let (stream, converse) = (stream.unwrap(), converse.clone());
                // Ends with its connection.
                std::thread::spawn(move || converse(stream));
            }
        };
        Self { address, stop, thread: Some(std::thread::spawn(accept)) }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the listener, so that it sees the flag.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

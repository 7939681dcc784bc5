//! The tail: the owner of a journal serves its sealed blocks on a Unix socket while it holds the lock.
//!
//! A client sends one line, `tail 1 now` or `tail 1 follow`. It gets one line of JSON (the run header and the
//! seq up to which blocks were sealed then) and after it frames, each with its length before it (u32,
//! little-endian). Length 0 ends the answer and is followed by a line that says why; length 2^32 − 1 is a sign of life.
//! A reader that takes nothing for two seconds is dropped: its stream ends without that line.

use crate::error::JournalError;
use crate::live::LiveLog;
use crate::writer::RunHeader;
use onetape_engine::ids::Seq;
use onetape_tape::codec::{HEADER_LEN, Header};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Name of the socket in the run folder.
pub const TAIL_SOCKET: &str = "tail.sock";
/// Readers at a time.
const READERS_MAX: usize = 16;
/// A reader that takes nothing for so long is dropped.
const SLOW: Duration = Duration::from_secs(2);
/// Wait for the next block or client.
const PAUSE: Duration = Duration::from_millis(20);
/// Signs of life while no block seals.
const ALIVE_EVERY: Duration = Duration::from_secs(1);
const ALIVE: u32 = u32::MAX;
/// Longest path that a socket address takes, on every Unix.
const ADDRESS_MAX: usize = 100;
/// Longest frame a client takes: three full lanes.
const FRAME_MAX: usize = 256 << 20;

#[derive(Debug, Serialize, Deserialize)]
struct Hello {
    #[serde(flatten)]
    header: RunHeader,
    sealed: Seq,
}

/// A run's socket; a path too long for an address is reached through its folder's descriptor.
struct Address {
    path: PathBuf,
    _folder: Option<File>,
}

impl Address {
    fn of(run: &Path) -> std::io::Result<Address> {
        let path = run.join(TAIL_SOCKET);
        if path.as_os_str().len() <= ADDRESS_MAX {
            return Ok(Address { path, _folder: None });
        }
        let folder = File::open(run)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}/{TAIL_SOCKET}", folder.as_raw_fd()));
        Ok(Address { path, _folder: Some(folder) })
    }
}

/// Serves a journal's sealed blocks until it is told to end.
#[derive(Debug)]
pub struct TailServer {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
    path: PathBuf,
}

impl TailServer {
    /// Begins to serve `log` in the run folder `run`.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub fn start(run: &Path, log: LiveLog) -> Result<TailServer, JournalError> {
        let path = run.join(TAIL_SOCKET);
        let failed = |problem: std::io::Error| JournalError::Failed {
            path: path.display().to_string(),
            what: "opening the socket that serves the journal",
            problem: problem.to_string(),
        };
        // Left by an owner that died; the journal's lock says that there is no other.
        std::fs::remove_file(&path).ok();
        let listener =
            Address::of(run).and_then(|address| UnixListener::bind(&address.path)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let stop = Arc::new(AtomicBool::new(false));
        let server = Server { log, stop: Arc::clone(&stop), readers: Arc::default() };
        let thread = std::thread::Builder::new().name("tail".to_string());
        let thread = thread.spawn(move || server.run(&listener)).map_err(failed)?;
        Ok(TailServer { stop, thread, path })
    }

    /// Tells readers that the run ended and lets go of the journal.
    pub fn finish(self) {
        self.stop.store(true, Ordering::Relaxed);
        // A panic in it concerns no one else.
        self.thread.join().ok();
        std::fs::remove_file(&self.path).ok();
    }
}

struct Server {
    log: LiveLog,
    stop: Arc<AtomicBool>,
    readers: Arc<AtomicUsize>,
}

impl Server {
    fn run(self, listener: &UnixListener) {
        let mut threads: Vec<JoinHandle<()>> = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            let Ok((stream, _)) = listener.accept() else {
                std::thread::sleep(PAUSE);
                continue;
            };
            threads.retain(|thread| !thread.is_finished());
            if self.readers.load(Ordering::Relaxed) >= READERS_MAX {
                refuse(stream);
                continue;
            }
            let reader = Reader { log: self.log.share(), stop: Arc::clone(&self.stop), stream };
            let readers = Arc::clone(&self.readers);
            readers.fetch_add(1, Ordering::Relaxed);
            let thread = std::thread::Builder::new().name("tail reader".to_string()).spawn(move || {
                // A client that goes away or is too slow is no matter of the run's.
                reader.serve().ok();
                readers.fetch_sub(1, Ordering::Relaxed);
            });
            threads.extend(thread);
        }
        threads.into_iter().for_each(|thread| drop(thread.join()));
    }
}

/// Ends an answer with its reason.
fn end(stream: &mut UnixStream, why: &str) -> std::io::Result<()> {
    stream.write_all(&0u32.to_le_bytes())?;
    writeln!(stream, "{why}")
}

fn refuse(mut stream: UnixStream) {
    let busy = format!("{READERS_MAX} readers follow this run already; try again later");
    stream.set_write_timeout(Some(SLOW)).ok();
    writeln!(stream, "{{\"refused\":\"{busy}\"}}").ok();
}

struct Reader {
    log: LiveLog,
    stop: Arc<AtomicBool>,
    stream: UnixStream,
}

impl Reader {
    fn serve(mut self) -> std::io::Result<()> {
        self.stream.set_nonblocking(false)?;
        self.stream.set_read_timeout(Some(SLOW))?;
        self.stream.set_write_timeout(Some(SLOW))?;
        let mut request = String::new();
        BufReader::new((&self.stream).take(64)).read_line(&mut request)?;
        let follows = match request.trim_end() {
            "tail 1 now" => false,
            "tail 1 follow" => true,
            _ => {
                return writeln!(self.stream, "{{\"refused\":\"'tail 1 now' or 'tail 1 follow' expected\"}}");
            }
        };
        let now = self.log.sealed();
        let hello = Hello { header: self.log.header().clone(), sealed: now };
        writeln!(self.stream, "{}", serde_json::to_string(&hello)?)?;
        let (mut seq, mut frame, mut said) = (0, Vec::new(), Instant::now());
        loop {
            if !follows && seq >= now {
                return end(&mut self.stream, "now");
            }
            match self.log.frame(seq, &mut frame).map_err(std::io::Error::other)? {
                Some(header) => {
                    self.stream.write_all(&(frame.len() as u32).to_le_bytes())?;
                    self.stream.write_all(&frame)?;
                    seq += header.len();
                    said = Instant::now();
                }
                None if self.stop.load(Ordering::Relaxed) => return end(&mut self.stream, "the run ended"),
                None => {
                    std::thread::sleep(PAUSE);
                    if said.elapsed() >= ALIVE_EVERY {
                        self.stream.write_all(&ALIVE.to_le_bytes())?;
                        said = Instant::now();
                    }
                }
            }
        }
    }
}

/// What comes next on a tail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tailed {
    /// A block's frame.
    Frame(Header),
    /// The answer is complete; says why.
    End(String),
}

/// A client of a journal's owner.
#[derive(Debug)]
pub struct TailClient {
    stream: BufReader<UnixStream>,
    header: RunHeader,
    sealed: Seq,
    path: String,
}

impl TailClient {
    /// Asks the owner of the run in folder `run` for its blocks, up to now or as they seal; `None` without an owner.
    ///
    /// # Errors
    /// When the owner refuses or does not answer.
    pub fn connect(run: &Path, follows: bool) -> Result<Option<TailClient>, JournalError> {
        let path = run.join(TAIL_SOCKET).display().to_string();
        let Ok(address) = Address::of(run) else { return Ok(None) };
        let Ok(mut stream) = UnixStream::connect(&address.path) else { return Ok(None) };
        let failed = |problem: String| JournalError::Failed {
            path: path.clone(),
            what: "reading from the run's owner",
            problem,
        };
        let io = |error: std::io::Error| failed(error.to_string());
        // The owner says something every second.
        stream.set_read_timeout(Some(Duration::from_secs(30))).map_err(io)?;
        writeln!(stream, "tail 1 {}", if follows { "follow" } else { "now" }).map_err(io)?;
        let mut stream = BufReader::with_capacity(1 << 16, stream);
        let mut line = String::new();
        stream.by_ref().take(1 << 16).read_line(&mut line).map_err(io)?;
        let hello: Hello =
            serde_json::from_str(&line).map_err(|_| failed(format!("it answers {}", line.trim_end())))?;
        Ok(Some(TailClient { stream, header: hello.header, sealed: hello.sealed, path }))
    }

    /// What the journal says of itself.
    pub fn header(&self) -> &RunHeader {
        &self.header
    }

    /// Seq up to which blocks were sealed when the owner answered.
    pub fn sealed(&self) -> Seq {
        self.sealed
    }

    /// Waits for what comes next and puts a frame into `frame`.
    ///
    /// # Errors
    /// The owner died, or dropped this reader because it did not keep up.
    pub fn read(&mut self, frame: &mut Vec<u8>) -> Result<Tailed, JournalError> {
        self.read_next(frame).map_err(|error| JournalError::Failed {
            path: self.path.clone(),
            what: "reading from the run's owner",
            problem: match error.kind() {
                std::io::ErrorKind::UnexpectedEof => {
                    "it ended the connection: it died, or this reader did not keep up; read again".to_string()
                }
                _ => error.to_string(),
            },
        })
    }

    fn read_next(&mut self, frame: &mut Vec<u8>) -> std::io::Result<Tailed> {
        let mut length = [0; 4];
        loop {
            self.stream.read_exact(&mut length)?;
            match u32::from_le_bytes(length) {
                ALIVE => {}
                0 => {
                    let mut why = String::new();
                    self.stream.by_ref().take(1 << 10).read_line(&mut why)?;
                    return Ok(Tailed::End(why.trim_end().to_string()));
                }
                length => {
                    let length = length as usize;
                    if !(HEADER_LEN..=FRAME_MAX).contains(&length) {
                        return Err(std::io::Error::other("a frame of impossible length"));
                    }
                    frame.resize(length, 0);
                    self.stream.read_exact(frame)?;
                    let header = Header::from_bytes(frame).map_err(std::io::Error::other)?;
                    return Ok(Tailed::Frame(header));
                }
            }
        }
    }
}

//! A program while it runs: what it says is read on all the time, and nobody waits for it without end.

use std::{
    io::{PipeWriter, Read, Write, pipe},
    net::{TcpListener, TcpStream},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{inherited, limit, tool::Ended};

/// What a run says once signals stop it after a batch. Before, one ends it at once.
const READY: &str = "starting; Ctrl-C stops after a batch";

/// So many looks in a row at a program that waits mean that it waits for something that does not come.
const IDLE_LOOKS: u32 = 20;

/// A child that does not outlive its test.
pub struct Running {
    child: Child,
    name: String,
    /// It leads a process group, which ends with it: what it has started must not go on either.
    leads: bool,
    stdout: Option<Said>,
    stderr: Option<Said>,
}

/// What came out of a pipe.
struct Said {
    shared: Arc<Mutex<Shared>>,
    /// So many bytes have been looked at.
    passed: usize,
}

#[derive(Default)]
struct Shared {
    bytes: Vec<u8>,
    is_closed: bool,
}

/// Runs a command to its end.
#[track_caller]
pub fn end_of(command: &mut Command) -> Ended {
    command.stdin(Stdio::null());
    fed(command, "")
}

/// Runs a command to its end, with something on its standard input if that is a pipe.
#[track_caller]
pub fn fed(command: &mut Command, input: &str) -> Ended {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut running = Running::start(command);
    running.leads = true;
    if let Some(mut stdin) = running.child.stdin.take() {
        let input = input.to_owned();
        // A command may end before it has read everything, and what it says is read meanwhile.
        limit::begin("it is fed", move || stdin.write_all(input.as_bytes()));
    }
    running.end()
}

/// An output that nobody reads any more.
pub fn unread() -> PipeWriter {
    pipe().unwrap().1
}

// === impl Running ===

impl Running {
    pub fn start(command: &mut Command) -> Running {
        inherited::catch_what_is_ignored();
        let name = format!("{:?}", command.get_args().collect::<Vec<_>>());
        let mut child = command.spawn().unwrap();
        let (stdout, stderr) = (child.stdout.take().map(Said::read), child.stderr.take().map(Said::read));
        Running { child, name, leads: false, stdout, stderr }
    }

    /// Starts a run, and waits until a signal stops it after a batch.
    #[track_caller]
    pub fn start_ready(command: &mut Command) -> Running {
        let mut running = Running::start(command);
        running.wait_for(READY);
        running
    }

    /// The next line of standard error that has `text` in it, from where it begins; lines before it are passed over.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) -> String {
        self.wait_for_line(text, |running| running.stderr.as_mut().unwrap())
    }

    /// The same for standard output.
    #[track_caller]
    pub fn wait_for_printed(&mut self, text: &str) -> String {
        self.wait_for_line(text, |running| running.stdout.as_mut().unwrap())
    }

    #[track_caller]
    fn wait_for_line(&mut self, text: &str, of: impl Fn(&mut Running) -> &mut Said) -> String {
        let mut found = None;
        self.wait_until(&format!("it says `{text}`"), |running| {
            let said = of(running);
            // First, so that nothing can come behind it that is not looked at.
            let is_closed = said.lock().is_closed;
            found = said.line_with(text);
            assert!(found.is_some() || !is_closed, "it ended without saying `{text}`: {}", running.all_said());
            found.is_some()
        });
        found.unwrap()
    }

    /// Waits until something is so while it runs; it must not end before.
    #[track_caller]
    pub fn wait_until(&mut self, what: &str, mut is_so: impl FnMut(&mut Running) -> bool) {
        let mut has_ended = false;
        let happened = limit::becomes(|| {
            // First: what was so when it ended counts.
            let ended = self.child.try_wait().unwrap().is_some();
            let is_so = is_so(self);
            has_ended = ended && !is_so;
            is_so || ended
        });
        assert!(!has_ended, "it ended before it happened that {what}: {}", self.all_said());
        assert!(happened, "it does not happen that {what}: {}", self.all_said());
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// How many threads it has; nothing where the system does not say it.
    pub fn threads(&self) -> Option<usize> {
        std::fs::read_dir(format!("/proc/{}/task", self.child.id())).ok().map(Iterator::count)
    }

    /// For how many ticks of the system, a hundred a second, it has worked; nothing where the system does not say it.
    pub fn worked_ticks(&self) -> Option<u64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).ok()?;
        let mut numbers = stat.rsplit(") ").next()?.split(' ').skip(11).map(|number| number.parse::<u64>().ok());
        Some(numbers.next()?? + numbers.next()??)
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// All that it has said on standard error so far.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&self.stderr.as_ref().unwrap().lock().bytes).into_owned()
    }

    /// All that it has printed so far.
    pub fn printed(&self) -> String {
        String::from_utf8_lossy(&self.stdout.as_ref().unwrap().lock().bytes).into_owned()
    }

    /// Whom it has connected to this listener.
    #[track_caller]
    pub fn accepted(&mut self, listener: &TcpListener) -> TcpStream {
        let mut peer = None;
        self.wait_until("it connects", |_| {
            peer = limit::accept(listener);
            peer.is_some()
        });
        peer.unwrap()
    }

    /// Sends a signal by its name.
    #[track_caller]
    pub fn signal(&self, name: &str) {
        let sent = end_of(Command::new("kill").args(["-s", name, &self.child.id().to_string()]));
        assert_eq!(sent.code, 0, "{sent:#?}");
    }

    /// Puts it to sleep, and waits until all of it sleeps: what happens then is one moment for it.
    #[track_caller]
    pub fn put_to_sleep(&mut self) {
        self.signal("STOP");
        self.wait_until("it sleeps", |running| running.are_all(&['T', 'Z']));
    }

    /// Waits until it has waited for something for a while.
    #[track_caller]
    pub fn wait_until_idle(&mut self) {
        let mut looks = 0;
        self.wait_until("it waits", |running| {
            looks = if running.are_all(&['S', 'Z']) { looks + 1 } else { 0 };
            looks == IDLE_LOOKS
        });
    }

    /// Whether all its threads are in one of these states of Linux; where they cannot be known, they are.
    fn are_all(&self, states: &[char]) -> bool {
        let is_so = |thread: std::fs::DirEntry| {
            let status = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            // A thread that has just ended has none.
            status.rsplit(") ").next().is_none_or(|state| state.is_empty() || state.starts_with(states))
        };
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.child.id()));
        threads.map_or(true, |mut all| all.all(|thread| thread.is_ok_and(is_so)))
    }

    /// What it is fed with.
    pub fn stdin(&mut self) -> impl Write + use<> {
        self.child.stdin.take().unwrap()
    }

    /// Tells a run to stop after its batch: it must end well, and have nothing to complain about.
    #[track_caller]
    pub fn stop(self) -> Ended {
        self.signal("INT");
        let ended = self.end();
        assert_eq!((ended.code, ended.complaints()), (0, vec![]), "{ended:#?}");
        ended
    }

    /// Kills it; it must not have ended before, nor have complained about anything.
    #[track_caller]
    pub fn kill(self) {
        self.signal("KILL");
        let ended = self.end();
        assert_eq!((ended.code, ended.complaints()), (-1, vec![]), "it ended before it was killed: {ended:#?}");
    }

    /// Waits for its end; gives what it said behind what was waited for.
    #[track_caller]
    pub fn end(mut self) -> Ended {
        let mut status = None;
        let has_ended = limit::becomes(|| {
            status = self.child.try_wait().unwrap();
            let is_closed = |said: &Option<Said>| said.as_ref().is_none_or(|said| said.lock().is_closed);
            status.is_some() && is_closed(&self.stdout) && is_closed(&self.stderr)
        });
        assert!(has_ended, "it does not end: {}", self.all_said());
        let rest = |said: &Option<Said>| said.as_ref().map_or(String::new(), Said::rest);
        let code = status.and_then(|status| status.code()).unwrap_or(-1);
        Ended { code, stdout: rest(&self.stdout), stderr: rest(&self.stderr) }
    }

    /// Who it is and all that it has said.
    fn all_said(&self) -> String {
        let all = |said: &Option<Said>| {
            said.as_ref().map_or(String::new(), |said| String::from_utf8_lossy(&said.lock().bytes).into_owned())
        };
        format!("{}\n--- standard output\n{}\n--- standard error\n{}", self.name, all(&self.stdout), all(&self.stderr))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        if self.leads && matches!(self.child.try_wait(), Ok(None)) {
            let _ = Command::new("kill").args(["-s", "KILL", "--", &format!("-{}", self.child.id())]).status();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

// === impl Said ===

impl Said {
    fn read(mut pipe: impl Read + Send + 'static) -> Said {
        let shared = Arc::new(Mutex::new(Shared::default()));
        let said = Said { shared: Arc::clone(&shared), passed: 0 };
        limit::begin("what it says is read", move || {
            let mut bytes = vec![0; 1 << 16];
            while let Ok(count @ 1..) = pipe.read(&mut bytes) {
                lock(&shared).bytes.extend_from_slice(&bytes[..count]);
            }
            lock(&shared).is_closed = true;
        });
        said
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        lock(&self.shared)
    }

    /// The next whole line with `text` in it, from there; it and those before it are passed over.
    fn line_with(&mut self, text: &str) -> Option<String> {
        let shared = lock(&self.shared);
        while let Some(length) = shared.bytes[self.passed..].iter().position(|&byte| byte == b'\n') {
            let line = String::from_utf8_lossy(&shared.bytes[self.passed..self.passed + length]).into_owned();
            self.passed += length + 1;
            if let Some(at) = line.find(text) {
                return Some(line[at + text.len()..].trim().to_owned());
            }
        }
        None
    }

    /// What was not passed over.
    fn rest(&self) -> String {
        String::from_utf8_lossy(&self.lock().bytes[self.passed..]).into_owned()
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

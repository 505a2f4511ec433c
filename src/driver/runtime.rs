//! The ladder of ring flags down to epoll; running a shard's main future; spawning.

use io_uring::IoUring;
use monoio::{IoUringDriver, LegacyDriver, Runtime, RuntimeBuilder};
use std::{cell::Cell, fmt, future::Future, io, str::FromStr};

/// Submission entries of a shard's ring: what one turn may submit before it has to enter the kernel in between.
const ENTRIES: u32 = 4096;

/// What the user asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DriverChoice {
    /// The best that the kernel allows.
    #[default]
    Auto,
    /// A ring, or no start.
    IoUring,
    /// epoll, whatever the kernel allows.
    Epoll,
}

impl FromStr for DriverChoice {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(DriverChoice::Auto),
            "io_uring" => Ok(DriverChoice::IoUring),
            "epoll" => Ok(DriverChoice::Epoll),
            _ => Err(format!("`{text}` is not one of auto, io_uring, epoll")),
        }
    }
}

/// What a shard runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// A ring with completions deferred to the shard's own enters: the fastest.
    RingDeferred,
    /// A ring with cooperative task running (Linux 5.19).
    RingCooperative,
    /// A ring without flags (Linux 5.6).
    RingPlain,
    /// epoll.
    Epoll,
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Driver::RingDeferred => "io_uring (single issuer, deferred task run)",
            Driver::RingCooperative => "io_uring (cooperative task run)",
            Driver::RingPlain => "io_uring (no flags)",
            Driver::Epoll => "epoll",
        })
    }
}

/// A step of the ladder that did not hold.
#[derive(Debug)]
pub struct LadderStep {
    /// What was tried.
    pub driver: Driver,
    /// What the kernel said.
    pub error: io::Error,
}

impl fmt::Display for LadderStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.error.raw_os_error() {
            Some(libc::EPERM) => {
                "forbidden by a seccomp profile or by the sysctl kernel.io_uring_disabled; \
                 allow io_uring_setup, io_uring_enter and io_uring_register in the profile, or set the sysctl to 0"
            }
            Some(libc::ENOSYS) => "this kernel, or a seccomp profile, has no io_uring",
            Some(libc::EINVAL) => "this kernel does not know these ring flags",
            Some(libc::ENOMEM) => {
                "the limit of locked memory is too low; raise it (ulimit -l, LimitMEMLOCK=)"
            }
            _ => "the ring could not be made",
        };
        write!(f, "{}: {} ({why})", self.driver, self.error)
    }
}

/// No driver could be had.
#[derive(Debug)]
pub struct RuntimeError(pub Vec<LadderStep>);

impl fmt::Display for RuntimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no driver could be started")?;
        self.0.iter().try_for_each(|step| write!(f, "; {step}"))
    }
}

impl std::error::Error for RuntimeError {}

thread_local! {
    static ON_RING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread's runtime is a ring. Decides whether descriptors must block (ring) or not (epoll).
pub(super) fn is_io_uring() -> bool {
    ON_RING.get()
}

/// Runs a shard's main future to its end on this thread, on the best driver that the choice and the kernel allow.
/// `make` gets what it is, and the steps that did not hold, and makes the future.
///
/// # Errors
/// The steps that failed, if none held.
pub fn run<F: Future>(
    choice: DriverChoice,
    make: impl FnOnce(Driver, Vec<LadderStep>) -> F,
) -> Result<F::Output, RuntimeError> {
    let mut failed = Vec::new();
    if choice != DriverChoice::Epoll {
        for driver in [Driver::RingDeferred, Driver::RingCooperative, Driver::RingPlain] {
            match ring(driver) {
                Ok(mut runtime) => {
                    ON_RING.set(true);
                    return Ok(runtime.block_on(async { make(driver, failed).await }));
                }
                Err(error) => failed.push(LadderStep { driver, error }),
            }
        }
    }
    if choice == DriverChoice::IoUring {
        return Err(RuntimeError(failed));
    }
    ON_RING.set(false);
    let built: io::Result<Runtime<LegacyDriver>> = RuntimeBuilder::<LegacyDriver>::new().build();
    match built {
        Ok(mut runtime) => Ok(runtime.block_on(async { make(Driver::Epoll, failed).await })),
        Err(error) => {
            failed.push(LadderStep { driver: Driver::Epoll, error });
            Err(RuntimeError(failed))
        }
    }
}

fn ring(driver: Driver) -> io::Result<Runtime<IoUringDriver>> {
    let mut builder = IoUring::builder();
    builder.setup_clamp().setup_cqsize(ENTRIES * 4);
    match driver {
        Driver::RingDeferred => {
            builder.setup_single_issuer().setup_defer_taskrun().setup_coop_taskrun();
        }
        Driver::RingCooperative => {
            builder.setup_coop_taskrun().setup_taskrun_flag();
        }
        Driver::RingPlain | Driver::Epoll => {}
    }
    RuntimeBuilder::<IoUringDriver>::new().with_entries(ENTRIES).uring_builder(builder).build()
}

/// Runs a future on this thread's runtime, on its own.
pub fn spawn<F: Future<Output = ()> + 'static>(future: F) {
    // The handle only waits for the result, which is nothing.
    drop(monoio::spawn(future));
}

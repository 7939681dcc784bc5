//! The machine that figures belong to, and its CPU clocks.

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A machine's fingerprint: figures of different ones are not compared without a word.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Processor, as the system names it.
    pub processor: String,
    /// Cores this process may use.
    pub cores: usize,
    /// Widest vector instructions: `avx512`, `avx2`, `baseline`.
    pub simd: String,
    /// Memory, GiB.
    pub memory_gib: f64,
    /// Operating system and its release.
    pub system: String,
    /// One-minute load average while measuring, other processes included.
    pub load: f64,
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// The value after `key` in lines of `key : value`.
fn field<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(key))?;
    line.split_once(':').map(|(_, value)| value.trim())
}

impl Machine {
    /// This machine, now.
    pub fn here() -> Machine {
        let memory = read("/proc/meminfo");
        let kib = field(&memory, "MemTotal").and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
        let load = read("/proc/loadavg");
        Machine {
            processor: field(&read("/proc/cpuinfo"), "model name").unwrap_or("unknown processor").to_string(),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            simd: simd().to_string(),
            memory_gib: kib.unwrap_or(0.0) / f64::from(1 << 20),
            system: format!("{} {}", std::env::consts::OS, read("/proc/sys/kernel/osrelease").trim()),
            load: load.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or(0.0),
        }
    }

    /// Whether figures of `other` may be set beside this machine's.
    pub fn is_like(&self, other: &Machine) -> bool {
        (&self.processor, self.cores, &self.simd) == (&other.processor, other.cores, &other.simd)
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Machine { processor, cores, simd, memory_gib, system, load } = self;
        write!(f, "{processor}, {cores} cores, {simd}, {memory_gib:.0} GiB, {system}, load {load:.1}")
    }
}

fn simd() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx512f") {
            return "avx512";
        }
        if std::arch::is_x86_feature_detected!("avx2") {
            return "avx2";
        }
    }
    "baseline"
}

fn clock(id: ClockId) -> Duration {
    let now = clock_gettime(id);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// CPU time of the calling thread.
pub fn thread_cpu() -> Duration {
    clock(ClockId::ThreadCPUTime)
}

/// CPU time of all threads of this process.
pub fn process_cpu() -> Duration {
    clock(ClockId::ProcessCPUTime)
}
/// Which of two cores a thread of a latency run is given, so that the one that sends does not take turns with
/// the one that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The core of whoever plays the market.
    Market,
    /// The core of the loop.
    Loop,
}

/// Keeps the calling thread on one core until dropped. Does nothing where the system cannot.
#[derive(Debug)]
pub(super) struct Pinned {
    #[cfg(target_os = "linux")]
    before: Option<rustix::thread::CpuSet>,
}

impl Pinned {
    #[cfg(target_os = "linux")]
    pub(super) fn to(place: Place) -> Pinned {
        use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
        let before = sched_getaffinity(None).ok().filter(|allowed| {
            let mut cores = (0..CpuSet::MAX_CPU).rev().filter(|core| allowed.is_set(*core));
            let last = cores.next();
            let core = if place == Place::Loop { last } else { cores.next().or(last) };
            let mut one = CpuSet::new();
            core.into_iter().for_each(|core| one.set(core));
            sched_setaffinity(None, &one).is_ok()
        });
        Pinned { before }
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn to(_: Place) -> Pinned {
        Pinned {}
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        #[cfg(target_os = "linux")]
        if let Some(before) = &self.before {
            // What could be narrowed can be widened again.
            rustix::thread::sched_setaffinity(None, before).ok();
        }
    }
}

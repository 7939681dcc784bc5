//! One loop, compiled for several instruction sets, chosen when it runs.
//!
//! The loops of the batch functions are plain Rust over the branch-free kernels; this module only
//! makes the compiler emit them with wider vectors. No intrinsics, no fused multiply–add, no
//! reassociation: every version performs the same correctly rounded operations, so every version gives
//! the same bits (`tests/bits.rs` and the unit tests compare them).
//!
//! This is the crate's only module with `unsafe`: calling a function compiled for an instruction set
//! is sound only if the processor has it, and that is checked on the line before each call. Measured
//! on a Xeon with AVX-512, price and five Greeks per option: see `docs/pricing.md`.
#![allow(unsafe_code)]

/// A loop to be compiled per instruction set. Implementations mark `run` as `#[inline(always)]`, or
/// the versions would all call one plain copy.
pub(crate) trait Kernel {
    fn run(self);
}

/// An instruction set with a version of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// What the build targets: SSE2 on x86-64.
    Plain,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    #[cfg_attr(feature = "avx2-at-most", allow(dead_code))]
    Avx512,
}

impl Level {
    /// Whether this processor can run the level.
    pub(crate) fn is_available(self) -> bool {
        match self {
            Level::Plain => true,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => std::arch::is_x86_feature_detected!("avx2"),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => {
                std::arch::is_x86_feature_detected!("avx512f")
                    && std::arch::is_x86_feature_detected!("avx512dq")
                    && std::arch::is_x86_feature_detected!("avx512vl")
            }
        }
    }

    /// Every level this build knows, widest first.
    pub(crate) const ALL: &[Level] = &[
        #[cfg(all(target_arch = "x86_64", not(feature = "avx2-at-most")))]
        Level::Avx512,
        #[cfg(target_arch = "x86_64")]
        Level::Avx2,
        Level::Plain,
    ];
}

/// Runs the widest version the processor has.
#[inline]
pub(crate) fn dispatch<K: Kernel>(kernel: K) {
    for &level in Level::ALL {
        if level.is_available() {
            return dispatch_at(level, kernel);
        }
    }
}

/// Runs the version of `level`, or the plain one if the processor lacks it.
#[inline]
pub(crate) fn dispatch_at<K: Kernel>(level: Level, kernel: K) {
    if !level.is_available() {
        return kernel.run();
    }
    match level {
        Level::Plain => kernel.run(),
        // SAFETY: `is_available` has found every feature that the function enables.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { run_avx2(kernel) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { run_avx512(kernel) },
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn run_avx2<K: Kernel>(kernel: K) {
    kernel.run();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,avx512f,avx512dq,avx512vl")]
fn run_avx512<K: Kernel>(kernel: K) {
    kernel.run();
}

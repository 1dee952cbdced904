//! Stands in the place of the system's functions. All that is unsafe is here.
//!
//! A function that is exported under the name of one of libc's is found before that one. Each of these looks whether it
//! is to fail, and else makes the system call itself, so it needs no way back to libc's function.
//!
//! Safety: arguments go to the kernel as they came, so they are as sound as those of the caller; what this library
//! itself hands over are its own buffers. Nothing here unwinds or keeps a pointer.

#![allow(unsafe_code, reason = "to stand in the place of libc's functions is unsafe by nature")]
#![allow(unreachable_pub, reason = "exported to the linker")]

use std::{ffi::c_int, path::Path};

use libc::{EIO, ENOSPC, c_void, iovec, off_t, size_t, ssize_t};

use crate::{
    disk,
    order::{Call, Failure, failure_of},
};

/// How much of a write is done; an error where nothing is.
fn allowed(bytes: usize, file: &Path) -> Result<usize, c_int> {
    match failure_of(Call::Write, file) {
        None => Ok(bytes),
        Some(Failure::Short) if bytes > 1 => Ok(bytes / 2),
        Some(Failure::Io) => Err(EIO),
        Some(_) => Err(ENOSPC),
    }
}

fn fail(error: c_int) -> c_int {
    // SAFETY: it points to the thread's own errno
    unsafe { *libc::__errno_location() = error };
    -1
}

fn offset_of(descriptor: c_int) -> u64 {
    // SAFETY: changes nothing
    let offset = unsafe { libc::lseek(descriptor, 0, libc::SEEK_CUR) };
    u64::try_from(offset).unwrap_or(0)
}

/// Writes at an offset, or where the file stands.
///
/// # Safety
/// As for `write(2)`.
unsafe fn write_at(descriptor: c_int, bytes: *const c_void, count: size_t, offset: Option<off_t>) -> ssize_t {
    let (number, at) = match offset {
        Some(at) => (libc::SYS_pwrite64, at),
        None => (libc::SYS_write, 0),
    };
    let go = |count: size_t| {
        // SAFETY: the caller's arguments; `write` takes no fourth one and ignores it
        unsafe { libc::syscall(number, descriptor, bytes, count, at) as ssize_t }
    };
    let Some(file) = disk::file_of(descriptor) else { return go(count) };
    let count = match allowed(count, &file) {
        Ok(count) => count,
        Err(error) => return fail(error) as ssize_t,
    };
    let start = offset.and_then(|at| u64::try_from(at).ok()).unwrap_or_else(|| offset_of(descriptor));
    let written = go(count);
    if let Ok(written) = u64::try_from(written) {
        disk::wrote(file, start..start + written);
    }
    written
}

/// # Safety
/// See `write(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn write(descriptor: c_int, bytes: *const c_void, count: size_t) -> ssize_t {
    // SAFETY: the caller's arguments
    unsafe { write_at(descriptor, bytes, count, None) }
}

/// # Safety
/// See `pwrite(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite64(
    descriptor: c_int,
    bytes: *const c_void,
    count: size_t,
    at: off_t,
) -> ssize_t {
    // SAFETY: the caller's arguments
    unsafe { write_at(descriptor, bytes, count, Some(at)) }
}

/// # Safety
/// See `writev(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn writev(descriptor: c_int, parts: *const iovec, count: c_int) -> ssize_t {
    if count > 0 && disk::file_of(descriptor).is_some() {
        // it may write less than it is asked to: the first part is enough
        // SAFETY: there are `count` of them, so there is a first one
        let first = unsafe { &*parts };
        // SAFETY: the caller's arguments
        return unsafe { write_at(descriptor, first.iov_base, first.iov_len, None) };
    }
    // SAFETY: the caller's arguments
    unsafe { libc::syscall(libc::SYS_writev, descriptor, parts, count) as ssize_t }
}

#[unsafe(no_mangle)]
pub extern "C" fn fsync(descriptor: c_int) -> c_int {
    sync(descriptor, libc::SYS_fsync)
}

#[unsafe(no_mangle)]
pub extern "C" fn fdatasync(descriptor: c_int) -> c_int {
    sync(descriptor, libc::SYS_fdatasync)
}

fn sync(descriptor: c_int, number: libc::c_long) -> c_int {
    if let Some(file) = disk::file_of(descriptor) {
        let failure = failure_of(Call::Sync, &file);
        let unsynced =
            if matches!(failure, None | Some(Failure::Lost)) { disk::take_unsynced(&file) } else { None };
        match failure {
            None => {}
            Some(Failure::Lost) => {
                if let Some(range) = unsynced {
                    throw_away(descriptor, range);
                }
                return fail(EIO);
            }
            Some(Failure::Full) => return fail(ENOSPC),
            Some(_) => return fail(EIO),
        }
    }
    // SAFETY: no pointers
    unsafe { libc::syscall(number, descriptor) as c_int }
}

/// Writes zeros over what was written, as far as the file reaches.
fn throw_away(descriptor: c_int, range: std::ops::Range<u64>) {
    const ZEROS: [u8; 4096] = [0; 4096];
    let mut at = range.start;
    while at < range.end {
        let count = (range.end - at).min(ZEROS.len() as u64);
        // SAFETY: the buffer has so many bytes
        unsafe { libc::syscall(libc::SYS_pwrite64, descriptor, ZEROS.as_ptr(), count, at) };
        at += count;
    }
}

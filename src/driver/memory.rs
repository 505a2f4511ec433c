//! How the process's memory is mapped.
#![allow(unsafe_code)]

/// Asks the kernel not to back this process with huge pages. The allocator spreads many small things over large
/// regions; a huge page under each would cost 2 MiB for the first byte that is touched, which is what thousands of idle
/// connections take in all. Call it before threads are started; a kernel that knows no such request changes nothing.
pub fn without_huge_pages() {
    // SAFETY: a plain system call without pointers.
    unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) };
}

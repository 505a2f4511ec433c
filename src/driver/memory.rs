//! How the process's memory is mapped, and given back.
#![allow(unsafe_code)]

/// Asks the kernel not to back this process with huge pages. The allocator spreads many small things over large
/// regions; a huge page under each would cost 2 MiB for the first byte that is touched, which is what thousands of idle
/// connections take in all. Call it before threads are started; a kernel that knows no such request changes nothing.
pub fn without_huge_pages() {
    // SAFETY: a plain system call without pointers.
    unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) };
}

/// Gives memory back to the kernel that this thread has freed. The allocator keeps it for what may come; after a
/// configuration is compiled that is several times what stays, and no more comes until the next one. It takes milliseconds
/// where there is much, so it is for threads that serve nobody. Where the program has another allocator nothing happens.
pub fn give_memory_back() {
    // SAFETY: the allocator allows it at any time, from every thread; it takes no pointer and changes nothing in use.
    unsafe { libmimalloc_sys::mi_collect(true) };
}

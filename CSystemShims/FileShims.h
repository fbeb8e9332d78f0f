// Linux file calls and constants that Swift's importer cannot see.
#ifndef MERGEPROOF_FILE_SHIMS_H
#define MERGEPROOF_FILE_SHIMS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// Reserves blocks and sets the size; -1 with errno.
static inline int mp_fallocate(int descriptor, long long size) { return fallocate(descriptor, 0, 0, size); }

static inline int mp_open_direct_flag(void) {
#ifdef O_DIRECT
    return O_DIRECT;
#else
    return 040000;
#endif
}

// renameat2 with RENAME_NOREPLACE: fails with EEXIST instead of replacing the target.
static inline int mp_rename_noreplace(const char *from, const char *to) {
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 1u);
}

// Processors that this process may be scheduled on; 0 when that cannot be told.
static inline int mp_affinity_count(void) {
    unsigned long mask[4096] = {0};
    long bytes = syscall(SYS_sched_getaffinity, 0, sizeof mask, mask);
    int count = 0;
    for (long word = 0; word < bytes / (long)sizeof *mask; word++) count += __builtin_popcountl(mask[word]);
    return count;
}

// Shares the source's blocks where the file system can (reflink).
static inline int mp_ficlone(int destination, int source) {
    return ioctl(destination, FICLONE, source);
}

#endif

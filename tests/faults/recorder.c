/* Records what a process asks of its files, and fails what it is told to fail.
 *
 * Preloaded into a journal writer by the fault trials. Every call that changes a file or folder
 * below RECORD_ROOT is appended to RECORD_LOG under one lock, in the order in which it took effect:
 *   op 1 | failed 1 | path length 4 | target length 4 | offset 8 | data length 8 | path | target | data
 * (little-endian). From the FAIL_AT-th call on (FAIL_MODE "broken"), at that call alone ("once"),
 * or for every call from there that needs space ("full") the call is refused. The file `marks`
 * is the writer's diary: recorded, never refused.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

enum { OP_CREATE = 1, OP_MKDIR, OP_WRITE, OP_TRUNCATE, OP_SYNC, OP_RANGE_SYNC, OP_RENAME, OP_UNLINK };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *root;
static size_t root_len;
static int log_fd = -1;
static long fail_at, calls;
static char mode; /* b, o, f */

__attribute__((constructor)) static void start(void) {
    root = getenv("RECORD_ROOT");
    const char *log = getenv("RECORD_LOG"), *at = getenv("FAIL_AT"), *how = getenv("FAIL_MODE");
    if (!root || !log) return;
    root_len = strlen(root);
    log_fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    fail_at = at ? atol(at) : 0;
    mode = how ? how[0] : 'b';
}

static int is_below(const char *path) {
    return log_fd >= 0 && strncmp(path, root, root_len) == 0 && path[root_len] == '/';
}

static int path_of(int fd, char *path, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = syscall(SYS_readlink, link, path, size - 1);
    if (n <= 0) return 0;
    path[n] = 0;
    return is_below(path);
}

static void put(const void *data, size_t length) {
    const char *at = data;
    while (length > 0) {
        ssize_t n = syscall(SYS_write, log_fd, at, length);
        if (n <= 0) abort();
        at += n;
        length -= (size_t)n;
    }
}

static void record(unsigned char op, int failed, const char *path, const char *target, uint64_t offset,
                   const void *data, uint64_t length) {
    unsigned char flag = failed ? 1 : 0;
    uint32_t path_len = (uint32_t)strlen(path), target_len = (uint32_t)strlen(target);
    put(&op, 1), put(&flag, 1), put(&path_len, 4), put(&target_len, 4), put(&offset, 8), put(&length, 8);
    put(path, path_len), put(target, target_len), put(data, length);
}

/* Whether the call at hand is refused; sets errno. Called under the lock. */
static int refuse(const char *path, int needs_space) {
    size_t n = strlen(path);
    if (n >= 6 && strcmp(path + n - 6, "/marks") == 0) return 0;
    calls++;
    if (fail_at == 0 || calls < fail_at) return 0;
    if (mode == 'f') { errno = ENOSPC; return needs_space; }
    errno = EIO;
    return mode == 'b' || calls == fail_at;
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

#define DO(op, path, target, offset, data, length, needs_space, call)                  \
    pthread_mutex_lock(&lock);                                                         \
    long result = refuse(path, needs_space) ? -1 : (long)(call);                       \
    int kept = errno;                                                                  \
    record(op, result < 0, path, target, offset, data, result < 0 ? 0 : (length));     \
    pthread_mutex_unlock(&lock);                                                       \
    errno = kept

static int opened(int (*real)(const char *, int, ...), const char *path, int flags, mode_t perm) {
    if (!is_below(path) || !(flags & O_CREAT) || syscall(SYS_access, path, F_OK) == 0)
        return real(path, flags, perm);
    DO(OP_CREATE, path, "", 0, "", 0, 1, real(path, flags, perm));
    return (int)result;
}

int open(const char *path, int flags, ...) {
    va_list args;
    va_start(args, flags);
    mode_t perm = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    REAL(open);
    return opened(real, path, flags, perm);
}

int open64(const char *path, int flags, ...) {
    va_list args;
    va_start(args, flags);
    mode_t perm = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    REAL(open64);
    return opened(real, path, flags, perm);
}

int mkdir(const char *path, mode_t perm) {
    REAL(mkdir);
    if (!is_below(path) || syscall(SYS_access, path, F_OK) == 0) return real(path, perm);
    DO(OP_MKDIR, path, "", 0, "", 0, 1, real(path, perm));
    return (int)result;
}

ssize_t write(int fd, const void *data, size_t length) {
    char path[4096];
    REAL(write);
    if (log_fd < 0 || !path_of(fd, path, sizeof path)) return real(fd, data, length);
    off_t offset = lseek(fd, 0, SEEK_CUR);
    DO(OP_WRITE, path, "", (uint64_t)offset, data, (uint64_t)result, 1, real(fd, data, length));
    return result;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
    char path[4096];
    REAL(pwrite64);
    if (log_fd < 0 || !path_of(fd, path, sizeof path)) return real(fd, data, length, offset);
    DO(OP_WRITE, path, "", (uint64_t)offset, data, (uint64_t)result, 1, real(fd, data, length, offset));
    return result;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) {
    return pwrite64(fd, data, length, offset);
}

int ftruncate64(int fd, off64_t length) {
    char path[4096];
    REAL(ftruncate64);
    if (log_fd < 0 || !path_of(fd, path, sizeof path)) return real(fd, length);
    DO(OP_TRUNCATE, path, "", (uint64_t)length, "", 0, 0, real(fd, length));
    return (int)result;
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

int fsync(int fd) {
    char path[4096];
    REAL(fsync);
    if (log_fd < 0 || !path_of(fd, path, sizeof path)) return real(fd);
    DO(OP_SYNC, path, "", 0, "", 0, 0, real(fd));
    return (int)result;
}

int fdatasync(int fd) {
    char path[4096];
    REAL(fdatasync);
    if (log_fd < 0 || !path_of(fd, path, sizeof path)) return real(fd);
    DO(OP_SYNC, path, "", 0, "", 0, 0, real(fd));
    return (int)result;
}

int sync_file_range(int fd, off64_t offset, off64_t length, unsigned flags) {
    char path[4096];
    REAL(sync_file_range);
    if (log_fd < 0 || !path_of(fd, path, sizeof path)) return real(fd, offset, length, flags);
    DO(OP_RANGE_SYNC, path, "", (uint64_t)offset, "", 0, 0, real(fd, offset, length, flags));
    return (int)result;
}

int rename(const char *from, const char *to) {
    REAL(rename);
    if (!is_below(from)) return real(from, to);
    DO(OP_RENAME, from, to, 0, "", 0, 0, real(from, to));
    return (int)result;
}

int unlink(const char *path) {
    REAL(unlink);
    if (!is_below(path)) return real(path);
    DO(OP_UNLINK, path, "", 0, "", 0, 0, real(path));
    return (int)result;
}

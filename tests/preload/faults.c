// Faults on the way to the disk, loaded with LD_PRELOAD into the server under test.
//
// Every write, sync, rename and truncation below FAULT_DIR is counted, and can be logged, failed or forgotten:
//
//   FAULT_DIR=path      only files below it (required)
//   FAULT_LOG=file      one line per operation: NUMBER OPERATION RESULT WHAT OCTETS
//   FAULT_OPS=a,b       the operations that count: write sync rename truncate create unlink (all if absent)
//   FAULT_AT=n          the n-th of them is the one (0: none)
//   FAULT_FOR=n         how many in a row fail from there on (0: all), for FAULT_DO=fail
//   FAULT_DO=fail       they fail with FAULT_ERRNO (EIO by default; EIO or ENOSPC)
//   FAULT_DO=short      a write writes half, and says so
//   FAULT_DO=kill       SIGKILL at that moment: what was written stays, synced or not
//   FAULT_DO=power      power loss at that moment: everything not synced is undone, then SIGKILL
//   FAULT_DO=tear       like power, but of each unsynced write a random part survives (FAULT_SEED)
//   FAULT_WHILE=file    faults happen only while this file exists (FAULT_AT counts from its appearance)
//   FAULT_EAT_SYNC=1    syncs are counted but not carried out: quick, as power loss is undone here and not by the disk
//
// Forgetting works by an undo log: before an unsynced write the old octets are kept, and a sync of that file lets go of
// them. A new name, or its going, lasts once its folder was synced: what POSIX promises, and no more.
// One lock holds around every operation: what this library sees is a sequence.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { WRITE, SYNC, RENAME, TRUNCATE, CREATE, UNLINK, KINDS };
static const char *const kind_names[KINDS] = {"write", "sync", "rename", "truncate", "create", "unlink"};

enum undo_kind { UNDO_WRITE, UNDO_SIZE, UNDO_CREATE, UNDO_RENAME, UNDO_UNLINK, UNDO_FOLDER };

struct undo {
    enum undo_kind kind;
    dev_t device;
    ino_t inode;     // the file whose sync makes this last
    ino_t folder;    // or the folder whose sync does
    char *path;      // of the file, as it is now
    char *other;     // where it was before a rename; the kept copy of an unlinked file
    off_t offset;    // of the octets kept
    off_t old_size;  // of the file before
    size_t count;
    size_t written;  // octets of the write itself
    char *old;
    struct undo *older;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct undo *undo_log;
static char directory[PATH_MAX];
static const char *while_file;
static int log_file = -1;
static int counts[KINDS];
static long at, run_length = 1, seen, number;
static int fault_errno = EIO, eat_sync, keep_undo;
static unsigned long long seed = 1;
static enum { NOTHING, FAIL, SHORT, KILL, POWER, TEAR } action;

__attribute__((constructor)) static void begin(void) {
    const char *value = getenv("FAULT_DIR");
    if (!value || !realpath(value, directory)) {
        directory[0] = 0;
        return;
    }
    if ((value = getenv("FAULT_LOG"))) log_file = (int)syscall(SYS_openat, AT_FDCWD, value, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    const char *operations = getenv("FAULT_OPS");
    for (int kind = 0; kind < KINDS; kind++) counts[kind] = !operations || strstr(operations, kind_names[kind]) != NULL;
    if ((value = getenv("FAULT_AT"))) at = atol(value);
    if ((value = getenv("FAULT_FOR"))) run_length = atol(value);
    if ((value = getenv("FAULT_SEED"))) seed = strtoull(value, NULL, 10) | 1;
    if ((value = getenv("FAULT_ERRNO")) && !strcmp(value, "ENOSPC")) fault_errno = ENOSPC;
    while_file = getenv("FAULT_WHILE");
    eat_sync = getenv("FAULT_EAT_SYNC") != NULL;
    if ((value = getenv("FAULT_DO"))) {
        action = !strcmp(value, "fail") ? FAIL : !strcmp(value, "short") ? SHORT : !strcmp(value, "kill") ? KILL
               : !strcmp(value, "power") ? POWER : !strcmp(value, "tear") ? TEAR : NOTHING;
    }
    keep_undo = action == POWER || action == TEAR;
}

static int below(const char *path) {
    size_t length = strlen(directory);
    return length && !strncmp(path, directory, length) && (path[length] == '/' || !path[length]);
}

// The path of a descriptor, if it is a file or folder of ours.
static int path_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return below(path);
}

static int full_path(int dirfd, const char *name, char *path) {
    char folder[PATH_MAX];
    if (!directory[0] || !name) return 0;
    if (name[0] == '/') {
        snprintf(path, PATH_MAX, "%s", name);
    } else {
        if (dirfd == AT_FDCWD) {
            if (!getcwd(folder, sizeof folder)) return 0;
        } else if (!path_of(dirfd, folder)) {
            return 0;
        }
        if (snprintf(path, PATH_MAX, "%s/%s", folder, name) >= PATH_MAX) return 0;
    }
    return below(path);
}

static ino_t folder_of(const char *path) {
    char folder[PATH_MAX];
    struct stat facts;
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash) *slash = 0;
    return stat(folder, &facts) ? 0 : facts.st_ino;
}

static void say(const char *operation, long result, const char *what, long octets) {
    if (log_file < 0) return;
    char line[PATH_MAX + 128];
    int length = snprintf(line, sizeof line, "%ld %s %ld %s %ld\n", number++, operation, result, what, octets);
    syscall(SYS_write, log_file, line, (size_t)length);
}

static unsigned long long random_number(void) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

// ---- forgetting -------------------------------------------------------------------------------------------------

static void remember(enum undo_kind kind, const char *path, const char *other, off_t offset, size_t count) {
    struct stat facts;
    struct undo *undo = calloc(1, sizeof *undo);
    if (!undo) return;
    undo->kind = kind;
    undo->path = strdup(path);
    undo->other = other ? strdup(other) : NULL;
    undo->folder = folder_of(path);
    if (!stat(path, &facts)) {
        undo->device = facts.st_dev;
        undo->inode = facts.st_ino;
        undo->old_size = facts.st_size;
    }
    if (kind == UNDO_WRITE || kind == UNDO_SIZE) {
        undo->offset = offset;
        undo->written = count;
        if (offset < undo->old_size) {
            size_t there = (size_t)(undo->old_size - offset);
            undo->count = count < there ? count : there;
            undo->old = malloc(undo->count ? undo->count : 1);
            int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
            if (fd >= 0) {
                ssize_t got = pread(fd, undo->old, undo->count, offset);
                if (got < 0) got = 0;
                undo->count = (size_t)got;
                syscall(SYS_close, fd);
            }
        }
    }
    undo->older = undo_log;
    undo_log = undo;
}

static void let_go(struct undo **link) {
    struct undo *undo = *link;
    *link = undo->older;
    if (undo->kind == UNDO_UNLINK && undo->other) syscall(SYS_unlinkat, AT_FDCWD, undo->other, 0);
    free(undo->path);
    free(undo->other);
    free(undo->old);
    free(undo);
}

// A sync of this file, or of this folder, has made something last.
static void synced(int fd) {
    struct stat facts;
    if (fstat(fd, &facts)) return;
    for (struct undo **link = &undo_log; *link;) {
        struct undo *undo = *link;
        int content = undo->kind == UNDO_WRITE || undo->kind == UNDO_SIZE;
        int lasts = S_ISDIR(facts.st_mode) ? !content && undo->folder == facts.st_ino
                                           : content && undo->inode == facts.st_ino;
        if (lasts) let_go(link); else link = &undo->older;
    }
}

// A renamed file is undone under the name it has now.
static void renamed(const char *from, const char *to) {
    for (struct undo *undo = undo_log; undo; undo = undo->older) {
        if (strcmp(undo->path, from)) continue;
        free(undo->path);
        undo->path = strdup(to);
        // The name that has to last is the new one, in its folder.
        undo->folder = folder_of(to);
    }
}

static void undo_one(const struct undo *undo) {
    char lost[PATH_MAX + 32];
    struct stat facts;
    int fd;
    switch (undo->kind) {
    case UNDO_WRITE:
    case UNDO_SIZE:
        fd = (int)syscall(SYS_openat, AT_FDCWD, undo->path, O_WRONLY | O_CLOEXEC, 0);
        if (fd < 0) return;
        // Another file may have the name by now, and this one be gone for good.
        if (fstat(fd, &facts) || facts.st_ino != undo->inode) {
            syscall(SYS_close, fd);
            return;
        }
        if (undo->count) syscall(SYS_pwrite64, fd, undo->old, undo->count, undo->offset);
        syscall(SYS_ftruncate, fd, undo->old_size);
        syscall(SYS_close, fd);
        break;
    case UNDO_CREATE:
        syscall(SYS_unlinkat, AT_FDCWD, undo->path, 0);
        break;
    case UNDO_RENAME:
        syscall(SYS_renameat2, AT_FDCWD, undo->path, AT_FDCWD, undo->other, 0);
        renamed(undo->path, undo->other);
        break;
    case UNDO_FOLDER: // gone, and all that was in it
        snprintf(lost, sizeof lost, "%s.lost", directory);
        syscall(SYS_mkdirat, AT_FDCWD, lost, 0700);
        snprintf(lost, sizeof lost, "%s.lost/%lu", directory, (unsigned long)undo->inode);
        syscall(SYS_renameat2, AT_FDCWD, undo->path, AT_FDCWD, lost, 0);
        break;
    case UNDO_UNLINK:
        if (undo->other) syscall(SYS_renameat2, AT_FDCWD, undo->other, AT_FDCWD, undo->path, 0);
        break;
    }
}

static void end_now(void) {
    if (action == POWER || action == TEAR) {
        while (undo_log) {
            struct undo *undo = undo_log;
            // Torn: some writes reached the disk whole, of others only the first sectors did.
            if (action == TEAR && undo->kind == UNDO_WRITE) {
                unsigned long long choice = random_number() % 3;
                say("kept", (long)choice, undo->path, (long)undo->offset);
                if (choice == 0) {
                    undo_log = undo->older;
                    continue;
                }
                if (choice == 1 && undo->written > 512) {
                    size_t kept = (size_t)(random_number() % (undo->written / 512)) * 512;
                    size_t covered = kept < undo->count ? kept : undo->count;
                    if (covered) memmove(undo->old, undo->old + covered, undo->count - covered);
                    undo->count -= covered;
                    undo->offset += (off_t)kept;
                    if (undo->old_size < undo->offset) undo->old_size = undo->offset;
                }
            }
            say("undone", undo->kind, undo->path, (long)undo->offset);
            undo_one(undo);
            undo_log = undo->older;
        }
    }
    say("END", 0, "-", 0);
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

// ---- deciding ---------------------------------------------------------------------------------------------------

// Counts an operation; true when it must fail. Holds the lock.
static int strikes(enum kind kind) {
    if (!at || action == NOTHING || !counts[kind]) return 0;
    if (while_file && syscall(SYS_faccessat, AT_FDCWD, while_file, F_OK)) return 0;
    seen++;
    if (seen < at || (run_length && seen >= at + run_length)) return 0;
    if (action == KILL || action == POWER || action == TEAR) end_now();
    if (action == SHORT && kind != WRITE) return 0;
    return 1;
}

// ---- writes -----------------------------------------------------------------------------------------------------

static int is_socket(int fd, char *name, size_t size) {
    struct sockaddr_storage peer;
    socklen_t length = sizeof peer;
    if (log_file < 0 || getpeername(fd, (struct sockaddr *)&peer, &length)) return 0;
    int port = peer.ss_family == AF_INET ? ntohs(((struct sockaddr_in *)&peer)->sin_port)
             : peer.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&peer)->sin6_port) : 0;
    snprintf(name, size, "port:%d", port);
    return 1;
}

static void note_socket(const char *operation, int fd, long result) {
    char name[32];
    if (!directory[0] || log_file < 0 || result <= 0) return;
    int saved = errno;
    pthread_mutex_lock(&lock);
    if (is_socket(fd, name, sizeof name)) say(operation, result, name, result);
    pthread_mutex_unlock(&lock);
    errno = saved;
}

// Vectors become one buffer: the library sees one write, as the disk does.
static ssize_t write_at(int fd, const void *octets, size_t count, off_t offset, int moves) {
    char path[PATH_MAX];
    if (!directory[0] || !path_of(fd, path)) {
        ssize_t result = moves ? syscall(SYS_write, fd, octets, count) : syscall(SYS_pwrite64, fd, octets, count, offset);
        if (moves) note_socket("send", fd, result);
        return result;
    }
    pthread_mutex_lock(&lock);
    ssize_t result;
    int strike = strikes(WRITE);
    if (strike && action == FAIL) {
        result = -1;
        errno = fault_errno;
    } else {
        if (strike && action == SHORT && count > 1) count /= 2;
        if (keep_undo) {
            off_t where = offset;
            if (moves) {
                struct stat facts;
                where = fcntl(fd, F_GETFL) & O_APPEND && !fstat(fd, &facts) ? facts.st_size : lseek(fd, 0, SEEK_CUR);
            }
            remember(UNDO_WRITE, path, NULL, where, count);
        }
        result = moves ? syscall(SYS_write, fd, octets, count) : syscall(SYS_pwrite64, fd, octets, count, offset);
    }
    int saved = errno;
    say("write", result, path, (long)count);
    pthread_mutex_unlock(&lock);
    errno = saved;
    return result;
}

static ssize_t write_vector(int fd, const struct iovec *vector, int parts, off_t offset, int moves) {
    char path[PATH_MAX];
    if (!directory[0] || !path_of(fd, path)) {
        ssize_t result = moves ? syscall(SYS_writev, fd, vector, parts) : syscall(SYS_pwritev, fd, vector, parts, (long)offset, 0L);
        if (moves) note_socket("send", fd, result);
        return result;
    }
    size_t count = 0;
    for (int part = 0; part < parts; part++) count += vector[part].iov_len;
    char *joined = malloc(count ? count : 1), *end = joined;
    for (int part = 0; part < parts; part++) end = mempcpy(end, vector[part].iov_base, vector[part].iov_len);
    ssize_t result = write_at(fd, joined, count, offset, moves);
    free(joined);
    return result;
}

ssize_t write(int fd, const void *octets, size_t count) { return write_at(fd, octets, count, 0, 1); }
ssize_t pwrite(int fd, const void *octets, size_t count, off_t offset) { return write_at(fd, octets, count, offset, 0); }
ssize_t pwrite64(int fd, const void *octets, size_t count, off64_t offset) { return write_at(fd, octets, count, offset, 0); }
ssize_t writev(int fd, const struct iovec *vector, int parts) { return write_vector(fd, vector, parts, 0, 1); }
ssize_t pwritev(int fd, const struct iovec *vector, int parts, off_t offset) { return write_vector(fd, vector, parts, offset, 0); }
ssize_t pwritev64(int fd, const struct iovec *vector, int parts, off64_t offset) { return write_vector(fd, vector, parts, offset, 0); }

ssize_t send(int fd, const void *octets, size_t count, int flags) {
    ssize_t result = syscall(SYS_sendto, fd, octets, count, flags, NULL, 0);
    note_socket("send", fd, result);
    return result;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    ssize_t result = syscall(SYS_sendmsg, fd, message, flags);
    note_socket("send", fd, result);
    return result;
}

ssize_t recv(int fd, void *octets, size_t count, int flags) {
    ssize_t result = syscall(SYS_recvfrom, fd, octets, count, flags, NULL, NULL);
    note_socket("recv", fd, result);
    return result;
}

ssize_t read(int fd, void *octets, size_t count) {
    ssize_t result = syscall(SYS_read, fd, octets, count);
    if (log_file >= 0) note_socket("recv", fd, result);
    return result;
}

// Files are copied by writes that are seen.
ssize_t copy_file_range(int in, off64_t *in_offset, int out, off64_t *out_offset, size_t count, unsigned flags) {
    char path[PATH_MAX];
    if (!directory[0] || !path_of(out, path)) return syscall(SYS_copy_file_range, in, in_offset, out, out_offset, count, flags);
    errno = ENOSYS;
    return -1;
}

// ---- syncs ------------------------------------------------------------------------------------------------------

static int sync_one(int fd, long call) {
    char path[PATH_MAX];
    if (!directory[0] || !path_of(fd, path)) return (int)syscall(call, fd);
    pthread_mutex_lock(&lock);
    int result = 0;
    if (strikes(SYNC)) {
        result = -1;
        errno = fault_errno;
    } else {
        if (!eat_sync) result = (int)syscall(call, fd);
        if (!result) synced(fd);
    }
    int saved = errno;
    say("sync", result, path, 0);
    pthread_mutex_unlock(&lock);
    errno = saved;
    return result;
}

int fsync(int fd) { return sync_one(fd, SYS_fsync); }
int fdatasync(int fd) { return sync_one(fd, SYS_fdatasync); }

// ---- names and sizes --------------------------------------------------------------------------------------------

static int open_one(int dirfd, const char *name, int flags, mode_t mode) {
    char path[PATH_MAX];
    struct stat facts;
    if (!(flags & (O_CREAT | O_TRUNC)) || !full_path(dirfd, name, path)) return (int)syscall(SYS_openat, dirfd, name, flags, mode);
    int absent = lstat(path, &facts) != 0;
    if (!absent && !(flags & O_TRUNC)) return (int)syscall(SYS_openat, dirfd, name, flags, mode);
    pthread_mutex_lock(&lock);
    int result;
    if (strikes(absent ? CREATE : TRUNCATE) && action == FAIL) {
        result = -1;
        errno = fault_errno;
    } else {
        if (keep_undo && !absent) remember(UNDO_SIZE, path, NULL, 0, (size_t)facts.st_size);
        result = (int)syscall(SYS_openat, dirfd, name, flags, mode);
        if (keep_undo && absent && result >= 0) remember(UNDO_CREATE, path, NULL, 0, 0);
    }
    int saved = errno;
    say(absent ? "create" : "truncate", result < 0 ? -1 : 0, path, 0);
    pthread_mutex_unlock(&lock);
    errno = saved;
    return result;
}

#define WITH_MODE(flags, mode)                        \
    mode_t mode = 0;                                  \
    if ((flags) & (O_CREAT | O_TMPFILE)) {            \
        va_list rest;                                 \
        va_start(rest, flags);                        \
        mode = va_arg(rest, mode_t);                  \
        va_end(rest);                                 \
    }
int open(const char *name, int flags, ...) { WITH_MODE(flags, mode) return open_one(AT_FDCWD, name, flags, mode); }
int open64(const char *name, int flags, ...) { WITH_MODE(flags, mode) return open_one(AT_FDCWD, name, flags | O_LARGEFILE, mode); }
int openat(int dirfd, const char *name, int flags, ...) { WITH_MODE(flags, mode) return open_one(dirfd, name, flags, mode); }
int openat64(int dirfd, const char *name, int flags, ...) { WITH_MODE(flags, mode) return open_one(dirfd, name, flags | O_LARGEFILE, mode); }

static int truncate_one(int fd, off_t size) {
    char path[PATH_MAX];
    struct stat facts;
    if (!directory[0] || !path_of(fd, path)) return (int)syscall(SYS_ftruncate, fd, size);
    pthread_mutex_lock(&lock);
    int result;
    if (strikes(TRUNCATE) && action == FAIL) {
        result = -1;
        errno = fault_errno;
    } else {
        if (keep_undo && !fstat(fd, &facts)) remember(UNDO_SIZE, path, NULL, size, facts.st_size > size ? (size_t)(facts.st_size - size) : 0);
        result = (int)syscall(SYS_ftruncate, fd, size);
    }
    int saved = errno;
    say("truncate", result, path, (long)size);
    pthread_mutex_unlock(&lock);
    errno = saved;
    return result;
}
int ftruncate(int fd, off_t size) { return truncate_one(fd, size); }
int ftruncate64(int fd, off64_t size) { return truncate_one(fd, size); }

// Room reserved ahead counts as a write: this is where ENOSPC shows first.
static int allocate_one(int fd, int mode, off_t offset, off_t length) {
    char path[PATH_MAX];
    if (!directory[0] || !path_of(fd, path)) return (int)syscall(SYS_fallocate, fd, mode, offset, length);
    pthread_mutex_lock(&lock);
    int result;
    if (strikes(WRITE) && action == FAIL) {
        result = -1;
        errno = fault_errno;
    } else {
        if (keep_undo) remember(UNDO_SIZE, path, NULL, offset, 0);
        result = (int)syscall(SYS_fallocate, fd, mode, offset, length);
    }
    int saved = errno;
    pthread_mutex_unlock(&lock);
    errno = saved;
    return result;
}
int fallocate(int fd, int mode, off_t offset, off_t length) { return allocate_one(fd, mode, offset, length); }
int fallocate64(int fd, int mode, off64_t offset, off64_t length) { return allocate_one(fd, mode, offset, length); }
int posix_fallocate(int fd, off_t offset, off_t length) { return allocate_one(fd, 0, offset, length) ? errno : 0; }
int posix_fallocate64(int fd, off64_t offset, off64_t length) { return allocate_one(fd, 0, offset, length) ? errno : 0; }

static int rename_one(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) {
    char old_path[PATH_MAX], new_path[PATH_MAX];
    if (!full_path(from_dir, from, old_path) || !full_path(to_dir, to, new_path)) return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
    pthread_mutex_lock(&lock);
    int result;
    if (strikes(RENAME) && action == FAIL) {
        result = -1;
        errno = fault_errno;
    } else {
        result = (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
        if (!result && keep_undo) {
            renamed(old_path, new_path);
            remember(UNDO_RENAME, new_path, old_path, 0, 0);
        }
    }
    int saved = errno;
    say("rename", result, new_path, 0);
    pthread_mutex_unlock(&lock);
    errno = saved;
    return result;
}
int rename(const char *from, const char *to) { return rename_one(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int from_dir, const char *from, int to_dir, const char *to) { return rename_one(from_dir, from, to_dir, to, 0); }
int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) { return rename_one(from_dir, from, to_dir, to, flags); }

static int unlink_one(int dirfd, const char *name, int flags) {
    char path[PATH_MAX], kept[PATH_MAX + 32];
    static unsigned long removed;
    if ((flags & AT_REMOVEDIR) || !full_path(dirfd, name, path)) return (int)syscall(SYS_unlinkat, dirfd, name, flags);
    pthread_mutex_lock(&lock);
    int result;
    if (strikes(UNLINK) && action == FAIL) {
        result = -1;
        errno = fault_errno;
    } else {
        if (keep_undo) {
            snprintf(kept, sizeof kept, "%s.unlinked-%lu", path, removed++);
            if (!syscall(SYS_linkat, AT_FDCWD, path, AT_FDCWD, kept, 0)) remember(UNDO_UNLINK, path, kept, 0, 0);
        }
        result = (int)syscall(SYS_unlinkat, dirfd, name, flags);
    }
    int saved = errno;
    say("unlink", result, path, 0);
    pthread_mutex_unlock(&lock);
    errno = saved;
    return result;
}
int unlink(const char *name) { return unlink_one(AT_FDCWD, name, 0); }
int unlinkat(int dirfd, const char *name, int flags) { return unlink_one(dirfd, name, flags); }

static int mkdir_one(int dirfd, const char *name, mode_t mode) {
    char path[PATH_MAX];
    if (!full_path(dirfd, name, path)) return (int)syscall(SYS_mkdirat, dirfd, name, mode);
    pthread_mutex_lock(&lock);
    int result;
    if (strikes(CREATE) && action == FAIL) {
        result = -1;
        errno = fault_errno;
    } else {
        result = (int)syscall(SYS_mkdirat, dirfd, name, mode);
        if (!result && keep_undo) remember(UNDO_FOLDER, path, NULL, 0, 0);
    }
    int saved = errno;
    if (!result || saved != EEXIST) say("mkdir", result, path, 0);
    pthread_mutex_unlock(&lock);
    errno = saved;
    return result;
}
int mkdir(const char *name, mode_t mode) { return mkdir_one(AT_FDCWD, name, mode); }
int mkdirat(int dirfd, const char *name, mode_t mode) { return mkdir_one(dirfd, name, mode); }

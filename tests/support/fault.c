// Makes chosen calls of the C library fail. Preloaded into a process of the tests; `injector.py` compiles and arms it.
//
// A rule is CALL:ACTION:FIRST:COUNT:PART, several are separated by ";". FAULT holds the rules that a process starts with.
//     CALL    readdir stat open read write fsync ftruncate rename link unlink mkdir mmap
//     ACTION  the errno that the call fails with; "short": half of the bytes are read or written; "count": nothing
//     FIRST   the first matching call that is hit, from 1;  COUNT  how many are, 0 for all that follow
//     PART    what the path contains, or that of the open file
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define RULES 8
enum { COUNTED = -1, SHORT = -2 };  // actions that are no errno

static struct { char call[12], part[PATH_MAX]; int action; long first, count, seen; } rules[RULES];
static volatile int armed;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

int fault_arm(const char *text) {
    pthread_mutex_lock(&mutex);
    armed = 0;
    char *copy = strdup(text), *rest = NULL;
    for (char *one = strtok_r(copy, ";", &rest); one && armed < RULES; one = strtok_r(NULL, ";", &rest)) {
        char action[16] = "";
        memset(&rules[armed], 0, sizeof rules[armed]);
        if (sscanf(one, "%11[^:]:%15[^:]:%ld:%ld:%4095s", rules[armed].call, action, &rules[armed].first,
                   &rules[armed].count, rules[armed].part) != 5) abort();
        rules[armed].action = !strcmp(action, "short") ? SHORT : !strcmp(action, "count") ? COUNTED : atoi(action);
        armed++;
    }
    free(copy);
    pthread_mutex_unlock(&mutex);
    return armed;
}

long fault_seen(int rule) { return rules[rule].seen; }

__attribute__((constructor)) static void begin(void) {
    const char *text = getenv("FAULT");
    if (text) fault_arm(text);
}

// The action for this call: an errno, SHORT, or 0 where it is to be left alone.
static int judge(const char *call, const char *path) {
    int action = 0;
    pthread_mutex_lock(&mutex);
    for (int i = 0; i < armed; i++) {
        if (strcmp(rules[i].call, call) || !strstr(path, rules[i].part)) continue;
        long seen = ++rules[i].seen;
        int hit = seen >= rules[i].first && (!rules[i].count || seen < rules[i].first + rules[i].count);
        if (hit && rules[i].action != COUNTED) action = rules[i].action;
    }
    pthread_mutex_unlock(&mutex);
    return action;
}

static int on_path(const char *call, int folder, const char *path) {
    if (!armed || !path) return 0;
    int before = errno;
    char name[PATH_MAX + 1] = "", link[40];
    if (*path != '/') {
        snprintf(link, sizeof link, folder == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", folder);
        ssize_t n = readlink(link, name, PATH_MAX);
        name[n < 0 ? 0 : n] = 0;
    }
    char whole[2 * PATH_MAX + 2];
    snprintf(whole, sizeof whole, "%s/%s", name, path);
    int action = judge(call, whole);
    errno = before;
    return action;
}

static int on_descriptor(const char *call, int descriptor) {
    if (!armed || descriptor < 0) return 0;
    int before = errno;
    char name[PATH_MAX + 1], link[40];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t n = readlink(link, name, PATH_MAX);
    name[n < 0 ? 0 : n] = 0;
    int action = judge(call, name);
    errno = before;
    return action;
}

#define REAL(TYPE, NAME, PARAMETERS) \
    static TYPE (*real) PARAMETERS; \
    if (!real) real = (TYPE (*) PARAMETERS)dlsym(RTLD_NEXT, #NAME)
#define REFUSE(ACTION, FAILED) \
    int action = ACTION; \
    if (action > 0) { errno = action; return FAILED; }
#define STAND_IN(TYPE, NAME, ACTION, FAILED, PARAMETERS, ARGUMENTS) \
    TYPE NAME PARAMETERS { REAL(TYPE, NAME, PARAMETERS); REFUSE(ACTION, FAILED) return real ARGUMENTS; }
#define HALF if (action == SHORT && n > 1) n /= 2
#define TRANSFER(NAME, CALL, PARAMETERS, ARGUMENTS) \
    ssize_t NAME PARAMETERS { \
        REAL(ssize_t, NAME, PARAMETERS); REFUSE(on_descriptor(CALL, fd), -1) HALF; return real ARGUMENTS; \
    }
#define VECTOR(NAME, PARAMETERS, ARGUMENTS) \
    ssize_t NAME PARAMETERS { \
        REAL(ssize_t, NAME, PARAMETERS); \
        REFUSE(on_descriptor("read", fd), -1) \
        struct iovec half = {v->iov_base, v->iov_len / 2}; \
        if (action == SHORT && half.iov_len) { v = &half; count = 1; } \
        return real ARGUMENTS; \
    }
#define MODE va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest)

STAND_IN(DIR *, opendir, on_path("open", AT_FDCWD, path), NULL, (const char *path), (path))
STAND_IN(struct dirent *, readdir, on_descriptor("readdir", dirfd(d)), NULL, (DIR *d), (d))
STAND_IN(struct dirent64 *, readdir64, on_descriptor("readdir", dirfd(d)), NULL, (DIR *d), (d))
STAND_IN(int, stat, on_path("stat", AT_FDCWD, p), -1, (const char *p, struct stat *s), (p, s))
STAND_IN(int, stat64, on_path("stat", AT_FDCWD, p), -1, (const char *p, struct stat64 *s), (p, s))
STAND_IN(int, lstat, on_path("stat", AT_FDCWD, p), -1, (const char *p, struct stat *s), (p, s))
STAND_IN(int, lstat64, on_path("stat", AT_FDCWD, p), -1, (const char *p, struct stat64 *s), (p, s))
STAND_IN(int, fstatat, on_path("stat", d, p), -1, (int d, const char *p, struct stat *s, int f), (d, p, s, f))
STAND_IN(int, fstatat64, on_path("stat", d, p), -1, (int d, const char *p, struct stat64 *s, int f), (d, p, s, f))

int open(const char *path, int flags, ...) {
    REAL(int, open, (const char *, int, ...));
    MODE;
    REFUSE(on_path("open", AT_FDCWD, path), -1)
    return real(path, flags, mode);
}
int open64(const char *path, int flags, ...) {
    REAL(int, open64, (const char *, int, ...));
    MODE;
    REFUSE(on_path("open", AT_FDCWD, path), -1)
    return real(path, flags, mode);
}
int openat(int folder, const char *path, int flags, ...) {
    REAL(int, openat, (int, const char *, int, ...));
    MODE;
    REFUSE(on_path("open", folder, path), -1)
    return real(folder, path, flags, mode);
}
int openat64(int folder, const char *path, int flags, ...) {
    REAL(int, openat64, (int, const char *, int, ...));
    MODE;
    REFUSE(on_path("open", folder, path), -1)
    return real(folder, path, flags, mode);
}
STAND_IN(FILE *, fopen, on_path("open", AT_FDCWD, p), NULL, (const char *p, const char *m), (p, m))
STAND_IN(FILE *, fopen64, on_path("open", AT_FDCWD, p), NULL, (const char *p, const char *m), (p, m))

TRANSFER(read, "read", (int fd, void *b, size_t n), (fd, b, n))
TRANSFER(pread, "read", (int fd, void *b, size_t n, off_t o), (fd, b, n, o))
TRANSFER(pread64, "read", (int fd, void *b, size_t n, off64_t o), (fd, b, n, o))
VECTOR(preadv, (int fd, const struct iovec *v, int count, off_t o), (fd, v, count, o))
VECTOR(preadv64, (int fd, const struct iovec *v, int count, off64_t o), (fd, v, count, o))
VECTOR(preadv2, (int fd, const struct iovec *v, int count, off_t o, int f), (fd, v, count, o, f))
VECTOR(preadv64v2, (int fd, const struct iovec *v, int count, off64_t o, int f), (fd, v, count, o, f))
TRANSFER(write, "write", (int fd, const void *b, size_t n), (fd, b, n))
TRANSFER(pwrite, "write", (int fd, const void *b, size_t n, off_t o), (fd, b, n, o))
TRANSFER(pwrite64, "write", (int fd, const void *b, size_t n, off64_t o), (fd, b, n, o))

STAND_IN(int, fsync, on_descriptor("fsync", fd), -1, (int fd), (fd))
STAND_IN(int, fdatasync, on_descriptor("fsync", fd), -1, (int fd), (fd))
STAND_IN(int, ftruncate, on_descriptor("ftruncate", fd), -1, (int fd, off_t n), (fd, n))
STAND_IN(int, ftruncate64, on_descriptor("ftruncate", fd), -1, (int fd, off64_t n), (fd, n))
STAND_IN(int, rename, on_path("rename", AT_FDCWD, b), -1, (const char *a, const char *b), (a, b))
STAND_IN(int, renameat, on_path("rename", e, b), -1, (int d, const char *a, int e, const char *b), (d, a, e, b))
STAND_IN(int, link, on_path("link", AT_FDCWD, b), -1, (const char *a, const char *b), (a, b))
STAND_IN(int, linkat, on_path("link", e, b), -1, (int d, const char *a, int e, const char *b, int f), (d, a, e, b, f))
STAND_IN(int, unlink, on_path("unlink", AT_FDCWD, p), -1, (const char *p), (p))
STAND_IN(int, unlinkat, on_path("unlink", d, p), -1, (int d, const char *p, int f), (d, p, f))
STAND_IN(int, mkdir, on_path("mkdir", AT_FDCWD, p), -1, (const char *p, mode_t m), (p, m))
STAND_IN(void *, mmap, on_descriptor("mmap", fd), MAP_FAILED, (void *a, size_t n, int p, int f, int fd, off_t o), (a, n, p, f, fd, o))
STAND_IN(void *, mmap64, on_descriptor("mmap", fd), MAP_FAILED, (void *a, size_t n, int p, int f, int fd, off64_t o), (a, n, p, f, fd, o))

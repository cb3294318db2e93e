/*
 * A disk that can lose power: preloaded into the service (LD_PRELOAD), it notes what has been synced under one folder, so
 * that power-cut.ts can afterwards make of that folder what a power cut would have left. Processes that the service starts
 * get it too, even if the service gives them an environment of their own; all of them write into one file of notes.
 *
 * Nothing is synced in truth: the page cache outlives the process, and what it would lose is worked out from the notes.
 * Files grow at their end by plain writes, which are not noted, or are written in place by the calls below, which keep the
 * bytes they replace. Any other call is noted as odd. Files that are unlinked or replaced stay in a graveyard, for without
 * a sync of their folder a power cut may bring them back.
 *
 *   POWER_ROOT      the folder
 *   POWER_GRAVES    where files go that have lost their name; on the same file system
 *   POWER_NOTES     one line per call, in the order in which they took effect
 *   POWER_BEFORE    a folder: replaced bytes, one file per process
 *   POWER_SYNC_MS   how long each sync takes, during which power may be cut; by default no time
 *   POWER_IGNORES   syncs that report success and do nothing, as some disks do: "all", "folders", or those of files and
 *                   folders whose path has this text in it, if it begins with "/"
 *
 *   note := "create" inode path | "empty" inode | "sync" inode length | "folder" path | "mkdir" path
 *         | "rename" from to | "unlink" path | "odd" call path
 *         | "over" inode length offset count process place
 *
 * over: the file had this length, and the bytes from offset on, count of them, are at this place of the process's file.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static char root[PATH_MAX];
static const char *graves;
static int notes = -1;
static int ignores_files, ignores_folders;
static const char *ignored_part;
static int sync_ms;
static const char *const HANDED_DOWN[] = {"LD_PRELOAD",   "POWER_ROOT",    "POWER_GRAVES",   "POWER_NOTES",
                                          "POWER_BEFORE", "POWER_IGNORES", "POWER_SYNC_MS",  "UV_USE_IO_URING"};
#define HANDED_DOWN_COUNT (sizeof HANDED_DOWN / sizeof *HANDED_DOWN)
static char *handed_down[HANDED_DOWN_COUNT];

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) {
  const char *folder = getenv("POWER_ROOT"), *file = getenv("POWER_NOTES"), *ignored = getenv("POWER_IGNORES");
  graves = getenv("POWER_GRAVES");
  if (folder == NULL || file == NULL || graves == NULL || realpath(folder, root) == NULL) return;
  ignores_files = ignored != NULL && strcmp(ignored, "all") == 0;
  ignores_folders = ignores_files || (ignored != NULL && strcmp(ignored, "folders") == 0);
  ignored_part = ignored != NULL && ignored[0] == '/' ? ignored : NULL;
  const char *duration = getenv("POWER_SYNC_MS");
  sync_ms = duration == NULL ? 0 : atoi(duration);
  for (size_t i = 0; i < HANDED_DOWN_COUNT; i++) {
    const char *value = getenv(HANDED_DOWN[i]);
    handed_down[i] = value == NULL ? NULL : strdup(value);
  }
  notes = NEXT(open64)(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* Whether a path is ours; its full form is put into `full`. */
static int is_ours(const char *path, char *full) {
  char parent[PATH_MAX];
  if (notes < 0 || path == NULL || strlen(path) >= PATH_MAX) return 0;
  strcpy(parent, path);
  char *slash = strrchr(parent, '/');
  const char *name = slash == NULL ? path : path + (slash - parent) + 1;
  if (slash == NULL) strcpy(parent, ".");
  else *slash = 0;
  if (realpath(slash == parent ? "/" : parent, full) == NULL) return 0;
  size_t length = strlen(root), have = strlen(full);
  if (strncmp(full, root, length) != 0 || (full[length] != 0 && full[length] != '/')) return 0;
  if (have + strlen(name) + 2 > PATH_MAX) return 0;
  full[have] = '/';
  strcpy(full + have + 1, name);
  return 1;
}

static void note(const char *format, ...) {
  char line[3 * PATH_MAX];
  va_list values;
  va_start(values, format);
  int length = vsnprintf(line, sizeof line, format, values);
  va_end(values);
  int before = errno;
  if (write(notes, line, length) != length) abort(); /* a note that is missing would be a lie */
  errno = before;
}

/* A file keeps its content while it has a second name. */
static void bury(const char *path) {
  static int count;
  char grave[PATH_MAX];
  snprintf(grave, sizeof grave, "%s/%d-%d", graves, getpid(), __sync_fetch_and_add(&count, 1));
  int before = errno;
  if (link(path, grave) != 0 && errno != ENOENT) abort();
  errno = before;
}

static void note_opened(const char *full, int fd, int existed, int emptied) {
  struct stat64 found;
  if (fd < 0 || fstat64(fd, &found) != 0) return;
  if (!existed) note("create %llu %s\n", (unsigned long long)found.st_ino, full);
  else if (emptied) note("empty %llu\n", (unsigned long long)found.st_ino);
}

static int open_noted(int (*next)(const char *, int, ...), const char *path, int flags, mode_t mode) {
  char full[PATH_MAX];
  int ours = (flags & (O_CREAT | O_TRUNC)) != 0 && is_ours(path, full);
  int existed = ours && access(full, F_OK) == 0;
  int fd = next(path, flags, mode);
  if (ours) note_opened(full, fd, existed, (flags & O_TRUNC) != 0);
  return fd;
}

static FILE *fopen_noted(FILE *(*next)(const char *, const char *), const char *path, const char *mode) {
  char full[PATH_MAX];
  int ours = mode[0] != 'r' && is_ours(path, full);
  int existed = ours && access(full, F_OK) == 0;
  FILE *file = next(path, mode);
  if (ours && file != NULL) note_opened(full, fileno(file), existed, mode[0] == 'w');
  return file;
}

#define OPEN(name)                                        \
  int name(const char *path, int flags, ...) {            \
    mode_t mode = 0;                                      \
    if (flags & (O_CREAT | O_TMPFILE)) {                  \
      va_list values;                                     \
      va_start(values, flags);                            \
      mode = va_arg(values, mode_t);                      \
      va_end(values);                                     \
    }                                                     \
    return open_noted(NEXT(name), path, flags, mode);     \
  }
OPEN(open)
OPEN(open64)

FILE *fopen(const char *path, const char *mode) { return fopen_noted(NEXT(fopen), path, mode); }
FILE *fopen64(const char *path, const char *mode) { return fopen_noted(NEXT(fopen64), path, mode); }

/* Whether an open file or folder is ours; its path is put into `path`, which has PATH_MAX bytes. */
static int is_ours_open(int fd, char *path) {
  char link_name[64];
  if (notes < 0) return 0;
  snprintf(link_name, sizeof link_name, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link_name, path, PATH_MAX - 1);
  if (length < 0) return 0;
  path[length] = 0;
  size_t root_length = strlen(root);
  return strncmp(path, root, root_length) == 0 && (path[root_length] == 0 || path[root_length] == '/');
}

/* 1 if this was a file or folder of ours, which has now been "synced". */
static int sync_noted(int fd) {
  char path[PATH_MAX];
  struct stat64 found;
  if (notes < 0 || fstat64(fd, &found) != 0 || !is_ours_open(fd, path)) return 0;
  if (sync_ms > 0) usleep(sync_ms * 1000);
  if (ignored_part != NULL && strstr(path, ignored_part) != NULL) return 1;
  if (S_ISDIR(found.st_mode)) {
    if (!ignores_folders) note("folder %s\n", path);
  } else if (!ignores_files) {
    note("sync %llu %llu\n", (unsigned long long)found.st_ino, (unsigned long long)found.st_size);
  }
  return 1;
}

int fsync(int fd) { return sync_noted(fd) ? 0 : NEXT(fsync)(fd); }
int fdatasync(int fd) { return sync_noted(fd) ? 0 : NEXT(fdatasync)(fd); }

int mkdir(const char *path, mode_t mode) {
  char full[PATH_MAX];
  int ours = is_ours(path, full);
  int result = NEXT(mkdir)(path, mode);
  if (ours && result == 0) note("mkdir %s\n", full);
  return result;
}

/* Noted before it is done: a note without its call changes nothing, a call without its note would. */
int unlink(const char *path) {
  char full[PATH_MAX];
  if (is_ours(path, full) && access(full, F_OK) == 0) {
    bury(full);
    note("unlink %s\n", full);
  }
  return NEXT(unlink)(path);
}

/* A folder that is not empty stays. */
int rmdir(const char *path) {
  char full[PATH_MAX];
  int ours = is_ours(path, full);
  int result = NEXT(rmdir)(path);
  if (ours && result == 0) note("unlink %s\n", full);
  return result;
}

int remove(const char *path) {
  struct stat64 found;
  if (lstat64(path, &found) == 0 && S_ISDIR(found.st_mode)) return rmdir(path);
  return unlink(path);
}

int rename(const char *from, const char *to) {
  char full_from[PATH_MAX], full_to[PATH_MAX];
  if (is_ours(from, full_from) && is_ours(to, full_to) && access(full_from, F_OK) == 0) {
    bury(full_to);
    note("rename %s %s\n", full_from, full_to);
  }
  return NEXT(rename)(from, to);
}

/* Keeps the bytes from `offset` on, `count` of them at most, that a call is about to replace. Noted before it is done. */
static void note_over(int fd, off64_t offset, size_t count) {
  static int before = -1;
  static off64_t end;
  static volatile int lock;
  char path[PATH_MAX];
  struct stat64 found;
  if (notes < 0 || fstat64(fd, &found) != 0 || !S_ISREG(found.st_mode) || !is_ours_open(fd, path)) return;
  off64_t kept = found.st_size <= offset ? 0 : found.st_size - offset;
  if ((size_t)kept > count) kept = count;
  int last_error = errno;
  char *bytes = malloc(kept + 1);
  char own[64];
  snprintf(own, sizeof own, "/proc/self/fd/%d", fd); /* the file may be open for writing only */
  int reader = kept == 0 ? -1 : NEXT(open64)(own, O_RDONLY | O_CLOEXEC);
  if (bytes == NULL || (kept > 0 && pread64(reader, bytes, kept, offset) != kept)) abort();
  if (reader >= 0) close(reader);
  while (__sync_lock_test_and_set(&lock, 1)) usleep(10);
  if (before < 0) {
    snprintf(path, sizeof path, "%s/%d", getenv("POWER_BEFORE"), getpid());
    before = NEXT(open64)(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  }
  if (NEXT(pwrite64)(before, bytes, kept, end) != kept) abort();
  note("over %llu %lld %lld %lld %d %lld\n", (unsigned long long)found.st_ino, (long long)found.st_size,
       (long long)offset, (long long)kept, getpid(), (long long)end);
  end += kept;
  __sync_lock_release(&lock);
  free(bytes);
  errno = last_error;
}

#define PWRITE(name)                                                      \
  ssize_t name(int fd, const void *bytes, size_t count, off64_t offset) { \
    note_over(fd, offset, count);                                         \
    return NEXT(name)(fd, bytes, count, offset);                          \
  }
PWRITE(pwrite)
PWRITE(pwrite64)

#define FTRUNCATE(name)                \
  int name(int fd, off64_t length) {   \
    note_over(fd, length, SIZE_MAX);   \
    return NEXT(name)(fd, length);     \
  }
FTRUNCATE(ftruncate)
FTRUNCATE(ftruncate64)

#define FALLOCATE(name)                                             \
  int name(int fd, int mode, off64_t offset, off64_t count) {       \
    note_over(fd, offset, count);                                   \
    return NEXT(name)(fd, mode, offset, count);                     \
  }
FALLOCATE(fallocate)
FALLOCATE(fallocate64)

/* Calls that would make the notes a lie. */
static void note_odd(const char *call, int fd) {
  char path[PATH_MAX];
  if (is_ours_open(fd, path)) note("odd %s %s\n", call, path);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) {
  note_odd("pwritev", fd);
  return NEXT(pwritev64)(fd, parts, count, offset);
}

ssize_t sendfile64(int to, int from, off64_t *offset, size_t count) {
  note_odd("sendfile", to);
  return NEXT(sendfile64)(to, from, offset, count);
}

/* A process that is started with an environment of its own gets the variables of the disk too. */
int execvp(const char *file, char *const arguments[]) {
  if (notes >= 0) {
    for (size_t i = 0; i < HANDED_DOWN_COUNT; i++)
      if (handed_down[i] != NULL) setenv(HANDED_DOWN[i], handed_down[i], 1);
  }
  return NEXT(execvp)(file, arguments);
}

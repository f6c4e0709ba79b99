/* A disk that fails: loaded before libc into the process that is to suffer (LD_PRELOAD).
 *
 * Only files in the folder TSUNAGI_DISK_FOLDER are touched. The file TSUNAGI_DISK says what is wrong now; it is read with
 * each call and may change at any time:
 *   ""           nothing
 *   "slow MS"    a sync takes MS milliseconds longer
 *   "full"       writes fail with ENOSPC
 *   "broken"     writes fail with EIO
 *   "unsynced"   syncs fail with EIO
 *   "readonly"   writes fail with EROFS
 *
 * With TSUNAGI_DISK_KEEP=1 each sync that succeeds leaves a copy of its file at FILE.synced: what would be there after the
 * power went out.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static int ours(int fd, char *path) {
  const char *folder = getenv("TSUNAGI_DISK_FOLDER");
  char link[64];
  if (folder == NULL) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, PATH_MAX - 16);
  if (length <= 0) return 0;
  path[length] = 0;
  return strncmp(path, folder, strlen(folder)) == 0;
}

static void wrong(char *word, size_t size) {
  const char *control = getenv("TSUNAGI_DISK");
  word[0] = 0;
  int fd = control == NULL ? -1 : (int)syscall(SYS_openat, AT_FDCWD, control, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  ssize_t length = syscall(SYS_read, fd, word, size - 1);
  word[length > 0 ? length : 0] = 0;
  syscall(SYS_close, fd);
}

/* The error that a write meets now, or 0. */
static int write_error(int fd) {
  char path[PATH_MAX], word[32];
  int kept = errno, error = 0;
  if (ours(fd, path)) {
    wrong(word, sizeof word);
    if (strncmp(word, "full", 4) == 0) error = ENOSPC;
    if (strncmp(word, "broken", 6) == 0) error = EIO;
    if (strncmp(word, "readonly", 8) == 0) error = EROFS;
  }
  errno = error ? error : kept;
  return error;
}

static void keep(const char *path) {
  char copy[PATH_MAX + 16], fresh[PATH_MAX + 16];
  snprintf(copy, sizeof copy, "%s.synced", path);
  snprintf(fresh, sizeof fresh, "%s.syncing", path);
  int from = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  int to = (int)syscall(SYS_openat, AT_FDCWD, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (from >= 0 && to >= 0) {
    while (sendfile(to, from, NULL, 1 << 24) > 0) {
    }
    rename(fresh, copy);
  }
  if (from >= 0) syscall(SYS_close, from);
  if (to >= 0) syscall(SYS_close, to);
}

static int sync_it(int fd, long number) {
  char path[PATH_MAX], word[32];
  int touched = ours(fd, path);
  if (touched) {
    wrong(word, sizeof word);
    if (strncmp(word, "unsynced", 8) == 0 || strncmp(word, "broken", 6) == 0) {
      errno = EIO;
      return -1;
    }
    if (strncmp(word, "slow ", 5) == 0) {
      long ms = atol(word + 5);
      struct timespec pause = {ms / 1000, (ms % 1000) * 1000000};
      nanosleep(&pause, NULL);
    }
  }
  int done = (int)syscall(number, fd);
  if (done == 0 && touched && getenv("TSUNAGI_DISK_KEEP") != NULL) {
    int kept = errno;
    keep(path);
    errno = kept;
  }
  return done;
}

int fsync(int fd) { return sync_it(fd, SYS_fsync); }
int fdatasync(int fd) { return sync_it(fd, SYS_fdatasync); }

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
  return write_error(fd) ? -1 : syscall(SYS_pwrite64, fd, bytes, count, at);
}
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) { return pwrite64(fd, bytes, count, at); }

ssize_t write(int fd, const void *bytes, size_t count) {
  return write_error(fd) ? -1 : syscall(SYS_write, fd, bytes, count);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
  static ssize_t (*next)(int, const struct iovec *, int, off_t);
  if (next == NULL) next = (ssize_t(*)(int, const struct iovec *, int, off_t))dlsym(RTLD_NEXT, "pwritev");
  return write_error(fd) ? -1 : next(fd, parts, count, at);
}

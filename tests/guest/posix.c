// What POSIX says of files, tried in the folder that is given: a line for each that fails, and a count at the
// end. usage: posix FOLDER
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static int checks, failures;

#define OK(what)                                                                      \
    do {                                                                              \
        ++checks;                                                                     \
        errno = 0;                                                                    \
        if (!(what)) ++failures, printf("posix: line %d: %s: %m\n", __LINE__, #what); \
    } while (0)
#define FAILS(call, error) OK((call) == -1 && errno == (error))

static struct stat status;
static struct stat* of(const char* path) {
    memset(&status, 0, sizeof status);
    lstat(path, &status);
    return &status;
}
static int make(const char* path, int flags, mode_t mode) {
    int fd = open(path, O_CREAT | O_RDWR | flags, mode);
    if (fd >= 0) close(fd);
    return fd < 0 ? -1 : 0;
}

static void creation(void) {
    OK(make("a", O_EXCL, 0644) == 0);
    FAILS(make("a", O_EXCL, 0644), EEXIST);
    OK(S_ISREG(of("a")->st_mode) && (status.st_mode & 07777) == 0644 && status.st_nlink == 1);
    umask(077);
    OK(make("b", 0, 0666) == 0 && (of("b")->st_mode & 07777) == 0600);
    umask(0);
    OK(mkdir("d", 01777) == 0 && (of("d")->st_mode & 07777) == 01777);
    FAILS(mkdir("d", 0755), EEXIST);
    FAILS(mkdir("x/y", 0755), ENOENT);
    FAILS(mkdir("a/y", 0755), ENOTDIR);
    OK(mkfifo("fifo", 0640) == 0 && S_ISFIFO(of("fifo")->st_mode));
    OK(mknod("plain", S_IFREG | 0604, 0) == 0 && (of("plain")->st_mode & 07777) == 0604);
    OK(mknod("socket", S_IFSOCK | 0600, 0) == 0 && S_ISSOCK(of("socket")->st_mode));
    char name[300];
    memset(name, 'n', sizeof name);
    name[255] = 0;
    OK(make(name, 0, 0600) == 0 && unlink(name) == 0);
    name[255] = 'n', name[256] = 0;
    FAILS(make(name, 0, 0600), ENAMETOOLONG);
    FAILS(open("d", O_WRONLY), EISDIR);
    FAILS(open("a", O_RDONLY | O_DIRECTORY), ENOTDIR);
    umask(022);
}

static void content(void) {
    char buffer[8192], other[8192];
    for (unsigned i = 0; i < sizeof buffer; ++i) buffer[i] = (char)(i * 7);
    int fd = open("content", O_CREAT | O_RDWR, 0600);
    OK(write(fd, buffer, sizeof buffer) == sizeof buffer);
    OK(pread(fd, other, sizeof other, 0) == sizeof other && memcmp(buffer, other, sizeof other) == 0);
    OK(lseek(fd, 0, SEEK_END) == sizeof buffer);
    OK(pwrite(fd, "end", 3, 100000) == 3 && fstat(fd, &status) == 0 && status.st_size == 100003);
    OK(pread(fd, other, 10, 50000) == 10 && memcmp(other, "\0\0\0\0\0\0\0\0\0\0", 10) == 0);
    OK(ftruncate(fd, 5) == 0 && fstat(fd, &status) == 0 && status.st_size == 5);
    OK(ftruncate(fd, 4096) == 0 && pread(fd, other, 4096, 0) == 4096 && other[4] == buffer[4] &&
       other[5] == 0);
    FAILS((int)ftruncate(fd, -1), EINVAL);
    OK(fsync(fd) == 0 && fdatasync(fd) == 0);
    int more = open("content", O_WRONLY | O_APPEND);
    OK(write(more, "xyz", 3) == 3 && pread(fd, other, 3, 4096) == 3 && memcmp(other, "xyz", 3) == 0);
    close(more);
    char* map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
    OK(map != MAP_FAILED && memcmp(map, buffer, 5) == 0);
    if (map != MAP_FAILED) munmap(map, 4096);
    OK(unlink("content") == 0 && pread(fd, other, 5, 0) == 5 && pwrite(fd, "q", 1, 0) == 1);
    OK(fstat(fd, &status) == 0 && status.st_nlink == 0);
    OK(ftruncate(fd, 1) == 0 && fchmod(fd, 0644) == 0);
    close(fd);
    fd = open("a", O_RDONLY);
    FAILS((int)write(fd, "x", 1), EBADF);
    close(fd);
    OK(truncate("a", 77) == 0 && of("a")->st_size == 77);
    fd = open("a", O_WRONLY | O_TRUNC);
    OK(fstat(fd, &status) == 0 && status.st_size == 0);
    close(fd);
}

static void attributes(void) {
    OK(chmod("a", 04751) == 0 && (of("a")->st_mode & 07777) == 04751);
    OK(chmod("a", 0600) == 0);
    struct timespec times[2] = {{1000000000, 123456789}, {1100000000, 987654321}};
    OK(utimensat(AT_FDCWD, "a", times, 0) == 0);
    OK(of("a")->st_atim.tv_sec == 1000000000 && status.st_mtim.tv_sec == 1100000000);
    OK(status.st_mtim.tv_nsec == 987654321);
    times[0].tv_nsec = UTIME_OMIT, times[1].tv_nsec = UTIME_NOW;
    OK(utimensat(AT_FDCWD, "a", times, 0) == 0 && of("a")->st_atim.tv_sec == 1000000000);
    OK(status.st_mtim.tv_sec > 1100000000);
    OK(chown("a", 12, 34) == 0 && of("a")->st_uid == 12 && status.st_gid == 34);
    OK(chown("a", 0, 0) == 0);
    OK(chmod("a", 06755) == 0 && chown("a", 5, 6) == 0 && (of("a")->st_mode & 06000) == 0);
    OK(chown("a", 0, 0) == 0 && chmod("a", 0644) == 0);
    struct statvfs space;
    OK(statvfs(".", &space) == 0 && space.f_blocks > 0 && space.f_namemax == 255);
    char value[16];
    if (setxattr("a", "user.x", "12345", 5, 0) == -1 && errno == EOPNOTSUPP) {
        printf("posix: no extended attributes here\n");
        return;
    }
    OK(getxattr("a", "user.x", value, sizeof value) == 5 && memcmp(value, "12345", 5) == 0);
    OK(listxattr("a", value, sizeof value) == 7 && strcmp(value, "user.x") == 0);
    FAILS(setxattr("a", "user.x", "1", 1, XATTR_CREATE), EEXIST);
    FAILS(setxattr("a", "user.y", "1", 1, XATTR_REPLACE), ENODATA);
    OK(removexattr("a", "user.x") == 0);
    FAILS((int)getxattr("a", "user.x", value, sizeof value), ENODATA);
}

static void names(void) {
    char text[100];
    OK(link("a", "hard") == 0 && of("a")->st_nlink == 2);
    const ino_t inode = of("a")->st_ino;
    OK(of("hard")->st_ino == inode);
    FAILS(link("a", "hard"), EEXIST);
    FAILS(link("d", "dd"), EPERM);
    OK(symlink("nowhere/at all", "soft") == 0 && S_ISLNK(of("soft")->st_mode));
    OK(readlink("soft", text, sizeof text) == 14 && memcmp(text, "nowhere/at all", 14) == 0);
    FAILS(open("soft", O_RDONLY), ENOENT);
    OK(symlink("loop", "loop") == 0);
    FAILS(open("loop", O_RDONLY), ELOOP);
    OK(rename("hard", "renamed") == 0 && of("renamed")->st_ino == inode);
    OK(rename("renamed", "a") == 0 &&
       of("renamed")->st_ino == inode);  // two names of one file: nothing happens
    OK(unlink("renamed") == 0 && of("a")->st_nlink == 1);
    OK(mkdir("e", 0755) == 0 && make("e/in", 0, 0644) == 0);
    FAILS(rename("a", "e"), EISDIR);
    FAILS(rename("e", "a"), ENOTDIR);
    FAILS(rename("e", "e/f"), EINVAL);
    OK(mkdir("f", 0755) == 0);
    FAILS(rename("f", "e"), ENOTEMPTY);
    OK(rename("e", "f") == 0 && of("f/in")->st_ino != 0);
    FAILS(rmdir("f"), ENOTEMPTY);
    FAILS(rmdir("a"), ENOTDIR);
    FAILS(unlink("f"), EISDIR);
    FAILS(rmdir("f/."), EINVAL);
    OK(rename("f/in", "d/out") == 0 && rmdir("f") == 0);
    FAILS(unlink("f/in"), ENOENT);
    OK(unlink("d/out") == 0 && unlink("soft") == 0 && unlink("loop") == 0);
    const nlink_t links = of("d")->st_nlink;
    OK(mkdir("d/sub", 0755) == 0 && of("d")->st_nlink == links + 1 && rmdir("d/sub") == 0);
    OK(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE) == -1);
}

static void folders(void) {
    char name[32];
    OK(mkdir("many", 0755) == 0);
    for (int i = 0; i < 700; ++i) {
        snprintf(name, sizeof name, "many/file-%d", i);
        make(name, 0, 0600);
    }
    DIR* folder = opendir("many");
    int seen = 0;
    long half = 0;
    for (struct dirent* entry; (entry = readdir(folder)) != NULL;)
        if (++seen == 350) half = telldir(folder);
    OK(seen == 702);
    seekdir(folder, half);
    for (seen = 350; readdir(folder) != NULL;) ++seen;
    OK(seen == 702);
    rewinddir(folder);
    for (seen = 0; readdir(folder) != NULL;) ++seen;
    OK(seen == 702);
    closedir(folder);
    for (int i = 0; i < 700; ++i) {
        snprintf(name, sizeof name, "many/file-%d", i);
        if (unlink(name) != 0) ++failures;
    }
    OK(rmdir("many") == 0);
    FAILS(rmdir("many"), ENOENT);
}

static int child_gets(const char* path, short type) {
    if (fork() == 0) {
        struct flock wanted = {.l_type = type, .l_whence = SEEK_SET, .l_start = 0, .l_len = 10};
        const int fd = open(path, O_RDWR);
        _exit(fcntl(fd, F_SETLK, &wanted) == 0);
    }
    int how = 0;
    wait(&how);
    return WEXITSTATUS(how);
}

static void locks(void) {
    int fd = open("a", O_RDWR);
    struct flock mine = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 10};
    OK(fcntl(fd, F_SETLK, &mine) == 0);
    OK(child_gets("a", F_RDLCK) == 0);
    mine.l_type = F_RDLCK;
    OK(fcntl(fd, F_SETLK, &mine) == 0 && child_gets("a", F_RDLCK) == 1 && child_gets("a", F_WRLCK) == 0);
    mine.l_type = F_UNLCK;
    OK(fcntl(fd, F_SETLK, &mine) == 0 && child_gets("a", F_WRLCK) == 1);
    OK(flock(fd, LOCK_EX) == 0 && flock(fd, LOCK_UN) == 0);
    close(fd);
}

static void permissions(void) {
    OK(chmod("a", 0600) == 0 && mkdir("closed", 0700) == 0 && chmod(".", 0755) == 0);
    if (fork() == 0) {
        if (setgid(1000) != 0 || setuid(1000) != 0) _exit(1);
        const int wrong = (open("a", O_RDONLY) != -1) + (make("closed/x", 0, 0600) != -1) +
                          (unlink("a") != -1) + (chmod("a", 0666) != -1);
        _exit(wrong);
    }
    int how = 0;
    wait(&how);
    OK(WEXITSTATUS(how) == 0);
    OK(chmod(".", 0777) == 0);
    if (fork() == 0) {
        if (setgid(1000) != 0 || setuid(1000) != 0) _exit(9);
        _exit(make("own", 0, 0600) != 0);
    }
    wait(&how);
    OK(WEXITSTATUS(how) == 0 && of("own")->st_uid == 1000 && status.st_gid == 1000);
    OK(unlink("own") == 0 && rmdir("closed") == 0);
}

int main(int count, char** arguments) {
    if (count != 2 || chdir(arguments[1]) != 0 || mkdir("posix", 0755) != 0 || chdir("posix") != 0) return 2;
    creation();
    content();
    attributes();
    names();
    folders();
    locks();
    permissions();
    const char* left[] = {"a", "b", "fifo", "plain", "socket"};
    for (unsigned i = 0; i < sizeof left / sizeof *left; ++i) OK(unlink(left[i]) == 0);
    OK(rmdir("d") == 0 && chdir("..") == 0 && rmdir("posix") == 0);
    printf("posix: %d checks, %d failures\n", checks, failures);
    return failures != 0;
}

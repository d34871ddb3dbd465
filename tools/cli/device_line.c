/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/device_line.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* A board takes seconds for a key. */
enum { ANSWER_MS = 10000, TRIES = 5, CHUNK_BYTES = 512, LINE_MAX_CHARS = 79 };

static struct hr_status fail(struct cli_device_line *line, const char *what, const char *advice)
{
    (void)snprintf(line->why, sizeof line->why, "%s: %s: %s", line->where, what, advice);
    return hr_status_of(HR_IO);
}

/* ---- opening ---- */

static int open_tcp(const char *address)
{
    char host[256];
    const char *colon = strrchr(address, ':');
    if (colon == NULL || (size_t)(colon - address) >= sizeof host) {
        errno = EINVAL;
        return -1;
    }
    (void)snprintf(host, sizeof host, "%.*s", (int)(colon - address), address);
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    if (getaddrinfo(host, colon + 1, &hints, &found) != 0) {
        errno = EHOSTUNREACH;
        return -1;
    }
    int fd = -1;
    for (struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next) {
        fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
        if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen) != 0) {
            (void)close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(found);
    return fd;
}

static int open_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

/* It waits for no carrier; what is no serial device is left as it is; and of two programs that share a port
 * each gets half of what the device says. */
static int open_serial(const char *path)
{
    struct termios settings;
    int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return -1;
    }
    if (tcgetattr(fd, &settings) != 0 || flock(fd, LOCK_EX | LOCK_NB) != 0 || ioctl(fd, TIOCEXCL) != 0 ||
        fcntl(fd, F_SETFL, O_RDWR) != 0) {
        const int cause = errno;
        (void)close(fd);
        errno = cause;
        return -1;
    }
    settings.c_iflag = 0;
    settings.c_oflag = 0;
    settings.c_lflag = 0;
    settings.c_cflag = CS8 | CREAD | CLOCAL;
    (void)cfsetispeed(&settings, B115200);
    (void)cfsetospeed(&settings, B115200);
    (void)tcsetattr(fd, TCSANOW, &settings);
    return fd;
}

static const char *advice_of(int cause)
{
    switch (cause) {
    case ENOTTY:
    case EISDIR:
        return "it is no serial device, and nothing was written to it: name the device's port, such as "
               "/dev/ttyUSB0";
    case EBUSY:
    case EWOULDBLOCK:
        return "another program has it: close the terminal there, and say it again";
    case EACCES:
        return "become a member of the group that owns it (`ls -l` shows it, often dialout)";
    default:
        return "is the device on, the cable in, and is this its port? a gateway has the socket while its "
               "collector runs";
    }
}

struct hr_status cli_device_line_open(struct cli_device_line *line, const char *where)
{
    static const char tcp[] = "tcp://";
    struct stat status;
    *line = (struct cli_device_line){.fd = -1, .where = where};
    errno = 0;
    (void)signal(SIGPIPE, SIG_IGN); /* a line that goes dead is told, and does not end the tool */
    if (strncmp(where, tcp, sizeof tcp - 1) == 0) {
        line->fd = open_tcp(where + sizeof tcp - 1);
    } else if (stat(where, &status) == 0) {
        line->fd = S_ISSOCK(status.st_mode) ? open_socket(where) : open_serial(where);
    }
    const int why = errno; /* of whichever failed */
    return line->fd >= 0 ? hr_ok()
                         : fail(line, why == EWOULDBLOCK ? strerror(EBUSY) : strerror(why), advice_of(why));
}

void cli_device_line_close(struct cli_device_line *line)
{
    if (line->fd >= 0) {
        (void)close(line->fd);
    }
    line->fd = -1;
}

/* ---- asking ---- */

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Takes the next whole line from what came; false: there is none yet. A line that is too long is cut. */
static bool take_line(struct cli_device_line *line)
{
    char *end = memchr(line->pending, '\n', line->n_pending);
    if (end == NULL) {
        line->n_pending = line->n_pending == CLI_LINE_ANSWER_MAX_CHARS ? 0 : line->n_pending;
        return false;
    }
    const size_t n_chars = (size_t)(end - line->pending);
    memcpy(line->answer, line->pending, n_chars);
    line->answer[n_chars] = '\0';
    line->answer[strcspn(line->answer, "\r")] = '\0';
    line->n_pending -= n_chars + 1;
    memmove(line->pending, end + 1, line->n_pending);
    return true;
}

/* HR_AGAIN: nothing came in time. */
static struct hr_status read_more(struct cli_device_line *line, int64_t until_ms)
{
    struct pollfd poll_fd = {.fd = line->fd, .events = POLLIN};
    const int64_t left_ms = until_ms - now_ms();
    if (left_ms <= 0 || poll(&poll_fd, 1, (int)left_ms) == 0) {
        return hr_status_of(HR_AGAIN);
    }
    const ssize_t n =
        read(line->fd, line->pending + line->n_pending, CLI_LINE_ANSWER_MAX_CHARS - line->n_pending);
    if (n <= 0 && !(n < 0 && errno == EINTR)) {
        return fail(line, "the line went dead in the middle",
                    "look at the cable and the device, and say it again: "
                    "what is done stays done");
    }
    line->n_pending += n > 0 ? (size_t)n : 0;
    return hr_ok();
}

/* "= VERB ..." of the verb that was said, or "! ...". */
static bool is_answer(const char *answer, const char *text)
{
    const char *verb = text + strlen("prov ");
    const size_t n_chars = strcspn(verb, " ");
    return strncmp(answer, "! ", 2) == 0 ||
           (strncmp(answer, "= ", 2) == 0 && strncmp(answer + 2, verb, n_chars) == 0 &&
            (answer[2 + n_chars] == ' ' || answer[2 + n_chars] == '\0'));
}

static struct hr_status try_once(struct cli_device_line *line, const char *text)
{
    char said[LINE_MAX_CHARS + 2];
    const int n_chars = snprintf(said, sizeof said, "%s\n", text);
    if (n_chars < 0 || (size_t)n_chars >= sizeof said) {
        return fail(line, "a line is too long", "shorten the names");
    }
    if (write(line->fd, said, (size_t)n_chars) != n_chars) {
        return fail(line, strerror(errno),
                    "look at the cable and the device, and say it again: what is done stays done");
    }
    const int64_t until_ms = now_ms() + ANSWER_MS;
    while (true) {
        while (take_line(line)) {
            if (is_answer(line->answer, text)) {
                return hr_ok();
            }
        }
        HR_TRY(read_more(line, until_ms));
    }
}

struct hr_status cli_device_ask(struct cli_device_line *line, const char *text)
{
    struct hr_status status = hr_status_of(HR_AGAIN);
    for (int i = 0; i < TRIES && hr_is(status, HR_AGAIN); i++) {
        if (i > 0) {
            (void)fprintf(stderr, "%s: no answer yet, asking again (%d of %d)\n", line->where, i + 1, TRIES);
        }
        status = try_once(line, text);
    }
    if (hr_is(status, HR_AGAIN)) {
        return fail(line, "nobody answers",
                    "is this the device's port, and is the device on? then say it "
                    "again: what is done stays done");
    }
    HR_TRY(status);
    if (line->answer[0] == '=') {
        return hr_ok();
    }
    const char *word = line->answer + 2;
    const char *sentence = word + strcspn(word, " ");
    (void)snprintf(line->why, sizeof line->why, "the device says: %.400s",
                   sentence + (*sentence == ' ' ? 1 : 0));
    return hr_status_of(HR_DENIED);
}

void cli_device_field(const struct cli_device_line *line, const char *key, char *out, size_t capacity)
{
    const size_t n_key = strlen(key);
    out[0] = '\0';
    for (const char *at = line->answer; *at != '\0'; at += strcspn(at, " "), at += *at == ' ' ? 1 : 0) {
        if (strncmp(at, key, n_key) == 0 && at[n_key] == '=') {
            const char *value = at + n_key + 1;
            (void)snprintf(out, capacity, "%.*s", (int)strcspn(value, " "), value);
            return;
        }
    }
}

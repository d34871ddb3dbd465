/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/app/identity_file.h"

#include "firmware/app/trust_store.h"
#include "firmware/net/client.h"
#include "proto/base/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    SECTOR_BYTES = IMAGE_PAGE_MIN_BYTES,
    N_SECTORS = IMAGE_SYSTEM_PAGES,
    PATH_CHARS = APP_PATH_MAX_CHARS + 32
};

static struct hr_status complain(const struct port_log *log, const char *path, const char *reason,
                                 enum hr_code code)
{
    PORT_LOG(log, PORT_LOG_ERROR, "identity_refused", {"path", path, 0}, {"reason", reason, 0});
    return hr_status_of(code);
}

/* ---- the file ---- */

/* The machine's id, where nobody says what stands on the case. */
static void machine_serial(char out[IMAGE_NAME_MAX_CHARS + 1])
{
    FILE *file = fopen("/etc/machine-id", "re");
    const bool has = file != NULL && fgets(out, IMAGE_NAME_MAX_CHARS, file) != NULL;
    if (file != NULL) {
        (void)fclose(file);
    }
    out[has ? strcspn(out, "\r\n") : 0] = '\0';
}

static struct hr_status make_factory(struct app_identity_file *identity, const struct app_identity *config)
{
    char serial[IMAGE_NAME_MAX_CHARS + 1];
    (void)snprintf(serial, sizeof serial, "%s", config->serial);
    if (serial[0] == '\0') {
        machine_serial(serial);
    }
    if (serial[0] == '\0') {
        return complain(identity->log, config->directory,
                        "this machine has no id: say identity.serial in the configuration", HR_MALFORMED);
    }
    const struct image_identity factory = {
        .regions = {.sector_bytes = SECTOR_BYTES,
                    .program_unit_bytes = PORT_FLASH_FILE_UNIT_BYTES,
                    .spool_first_sector = image_spool_first_sector(SECTOR_BYTES)},
        .board = "linux_gateway",
        .serial = serial,
        .state = IMAGE_FACTORY,
    };
    return fw_identity_store_replace(&identity->store, &factory);
}

static struct hr_status read_file(struct app_identity_file *identity, const struct app_identity *config,
                                  const char *path)
{
    struct hr_status status = fw_identity_store_open(&identity->store, &identity->file.port, identity->page);
    if (hr_is(status, HR_NOT_FOUND)) {
        status = make_factory(identity, config);
    } else if (hr_is_ok(status)) {
        status = fw_identity_store_settle(&identity->store);
    }
    if (!hr_is_ok(status)) {
        return complain(identity->log, path, hr_code_name(status.code), status.code);
    }
    const char *serial = identity->store.image.serial;
    if (config->serial[0] != '\0' && (serial == NULL || strcmp(serial, config->serial) != 0)) {
        return complain(identity->log, path, "it is of another serial than the configuration says",
                        HR_DENIED);
    }
    return status;
}

static struct hr_status open_pages(const struct app_identity_file *identity, const char *path,
                                   struct port_flash_file *out)
{
    const struct port_flash_file_config geometry = {
        .path = path, .sector_bytes = SECTOR_BYTES, .n_sectors = N_SECTORS};
    uint64_t actual_bytes = 0;
    struct hr_status status = port_flash_file_open(out, &geometry, &actual_bytes);
    if (!hr_is_ok(status)) {
        return complain(identity->log, path,
                        hr_is(status, HR_DENIED) ? "another process has it" : strerror(errno), status.code);
    }
    return status;
}

static struct hr_status open_file(struct app_identity_file *identity, const struct app_identity *config)
{
    char path[PATH_CHARS];
    char trust_path[PATH_CHARS];
    (void)snprintf(path, sizeof path, "%s/identity", config->directory);
    (void)snprintf(trust_path, sizeof trust_path, "%s/trust", config->directory);
    if (mkdir(config->directory, 0700) != 0 && errno != EEXIST) {
        return complain(identity->log, config->directory, strerror(errno), HR_IO);
    }
    HR_TRY(open_pages(identity, path, &identity->file));
    HR_TRY(read_file(identity, config, path));
    HR_TRY(open_pages(identity, trust_path, &identity->bundles));
    app_trust_store_init(&identity->bundles.port, 0, &identity->store);
    return hr_ok();
}

/* ---- the ceremony ---- */

static void hang_up(struct app_identity_file *identity)
{
    if (identity->caller_fd >= 0) {
        (void)close(identity->caller_fd);
    }
    identity->caller_fd = -1;
    identity->n_chars = 0;
    identity->is_overlong = false;
}

/* An answer fits the socket's buffer many times over: who does not read gets no more. */
void app_provisioner_say(void *ctx, const char *text)
{
    struct app_identity_file *identity = ctx;
    const size_t n_chars = strlen(text);
    HR_ASSERT(n_chars <= sizeof identity->answer - identity->n_answer);
    memcpy(identity->answer + identity->n_answer, text, n_chars);
    identity->n_answer += n_chars;
    if (identity->answer[identity->n_answer - 1] != '\n') {
        return;
    }
    const ssize_t sent = identity->caller_fd < 0 ? -1
                                                 : send(identity->caller_fd, identity->answer,
                                                        identity->n_answer, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent != (ssize_t)identity->n_answer) {
        hang_up(identity);
    }
    identity->n_answer = 0;
}

void app_provisioner_digest(void *ctx, uint8_t out[WIRE_DIGEST_BYTES])
{
    (void)ctx;
    struct stat status;
    memset(out, 0, WIRE_DIGEST_BYTES);
    const int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0) {
        return;
    }
    const size_t len_bytes = (size_t)status.st_size;
    void *program = mmap(NULL, len_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    (void)close(fd);
    if (program != MAP_FAILED) {
        const struct hr_bytes part = hr_bytes_of(program, len_bytes);
        wire_sha256(crypto_hash(), &part, 1, out);
        (void)munmap(program, len_bytes);
    }
}

static struct hr_status listen_at(struct app_identity_file *identity, const char *directory)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int len = snprintf(address.sun_path, sizeof address.sun_path, "%s/provision.sock", directory);
    if (len < 0 || (size_t)len >= sizeof address.sun_path) {
        return complain(identity->log, directory, "the path is too long for a socket", HR_MALFORMED);
    }
    (void)unlink(address.sun_path); /* the file's lock says that nobody else listens there */
    identity->listening_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const mode_t before = umask(0177);
    const bool bound = identity->listening_fd >= 0 &&
                       bind(identity->listening_fd, (struct sockaddr *)&address, sizeof address) == 0 &&
                       listen(identity->listening_fd, 1) == 0;
    (void)umask(before);
    if (bound) {
        (void)snprintf(identity->socket, sizeof identity->socket, "%s", address.sun_path);
    }
    return bound ? hr_ok() : complain(identity->log, address.sun_path, strerror(errno), HR_IO);
}

static void end_line(struct app_identity_file *identity)
{
    identity->line[identity->n_chars] = '\0';
    if (identity->is_overlong) {
        app_provisioner_say(identity, "! word the line is too long\n");
    } else if (!fw_ceremony_line(&identity->ceremony, identity->line)) {
        app_provisioner_say(identity, "! word it takes lines that begin with prov\n");
    }
    identity->n_chars = 0;
    identity->is_overlong = false;
}

static void take(struct app_identity_file *identity, char typed)
{
    if (typed == '\n') {
        end_line(identity);
    } else if (identity->n_chars == FW_CEREMONY_LINE_MAX_CHARS) {
        identity->is_overlong = true;
    } else if (typed != '\r') {
        identity->line[identity->n_chars++] = typed;
    }
}

struct hr_status app_identity_file_step(struct app_identity_file *identity)
{
    if (identity->caller_fd < 0) {
        identity->caller_fd = accept(identity->listening_fd, NULL, NULL);
        (void)fcntl(identity->caller_fd, F_SETFD, FD_CLOEXEC);
    }
    if (identity->caller_fd < 0) {
        return hr_ok();
    }
    char typed[FW_CEREMONY_LINE_MAX_CHARS];
    const ssize_t n = recv(identity->caller_fd, typed, sizeof typed, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        hang_up(identity);
    }
    for (ssize_t i = 0; i < n && identity->caller_fd >= 0; i++) {
        take(identity, typed[i]);
    }
    return identity->store.is_known ? hr_ok() : complain(identity->log, "identity", "the file failed", HR_IO);
}

size_t app_identity_file_fds(const struct app_identity_file *identity, struct pollfd *out)
{
    if (identity->listening_fd < 0) {
        return 0;
    }
    const int fd = identity->caller_fd >= 0 ? identity->caller_fd : identity->listening_fd;
    out[0] = (struct pollfd){.fd = fd, .events = POLLIN};
    return 1;
}

/* ---- all of it ---- */

struct hr_status app_identity_file_open(struct app_identity_file *identity, const struct app_identity *config,
                                        const struct port_log *log)
{
    identity->log = log;
    identity->listening_fd = identity->caller_fd = -1;
    HR_TRY(open_file(identity, config));
    app_provisioner_init(&identity->ceremony, &identity->store, identity->stage, identity);
    HR_TRY(listen_at(identity, config->directory));
    const struct image_identity *image = &identity->store.image;
    PORT_LOG(log, PORT_LOG_INFO, "identity", {"serial", image->serial != NULL ? image->serial : "", 0},
             {"state", app_identity_file_is_enrolled(identity) ? "enrolled" : "factory", 0},
             {"device_id", NULL, (int64_t)image->device_id});
    return hr_ok();
}

void app_identity_file_close(struct app_identity_file *identity)
{
    hang_up(identity);
    if (identity->listening_fd >= 0) {
        (void)close(identity->listening_fd);
    }
    if (identity->socket[0] != '\0') {
        (void)unlink(identity->socket);
    }
    port_flash_file_close(&identity->bundles);
    port_flash_file_close(&identity->file);
}

bool app_identity_file_is_enrolled(const struct app_identity_file *identity)
{
    return identity->store.is_known && identity->store.image.state == IMAGE_ENROLLED;
}

static bool put(char *out, size_t capacity, const char *text)
{
    int len = snprintf(out, capacity, "%s", text);
    return len >= 0 && (size_t)len < capacity;
}

struct hr_status app_identity_file_apply(const struct app_identity_file *identity, struct app_config *config)
{
    HR_ASSERT(app_identity_file_is_enrolled(identity));
    const struct image_identity *image = &identity->store.image;
    bool fits = image->n_aggregators <= NET_MAX_ADDRESSES &&
                put(config->name, sizeof config->name, image->name) &&
                put(config->server_name, sizeof config->server_name, image->server_name);
    config->device_id = image->device_id;
    config->n_aggregators = 0;
    for (uint8_t i = 0; fits && i < image->n_aggregators; i++) {
        fits = put(config->aggregators[i], sizeof config->aggregators[i], image->aggregators[i]);
        config->n_aggregators++;
    }
    return fits ? hr_ok()
                : complain(identity->log, "identity", "more or longer names than this program takes",
                           HR_MALFORMED);
}

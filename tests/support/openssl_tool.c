/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/openssl_tool.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

int openssl_run(const char *const arguments[])
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int sink = open("/dev/null", O_WRONLY);
        (void)dup2(sink, STDOUT_FILENO);
        (void)dup2(sink, STDERR_FILENO);
        union {
            const char *const *given;
            char *const *wanted;
        } argv = {.given = arguments};
        (void)execvp("openssl", argv.wanted);
        _exit(127);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_not_equal(WEXITSTATUS(status), 127);
    return WEXITSTATUS(status);
}

void pki_folder_make(struct pki_folder *folder)
{
    (void)snprintf(folder->path, sizeof folder->path, "/tmp/headrace_test.XXXXXX");
    assert_non_null(mkdtemp(folder->path));
}

void pki_folder_remove(const struct pki_folder *folder)
{
    DIR *listing = opendir(folder->path);
    assert_non_null(listing);
    for (struct dirent *entry = readdir(listing); entry != NULL; entry = readdir(listing)) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            assert_int_equal(unlinkat(dirfd(listing), entry->d_name, 0), 0);
        }
    }
    assert_int_equal(closedir(listing), 0);
    assert_int_equal(rmdir(folder->path), 0);
}

const char *pki_path(const struct pki_folder *folder, const char *file)
{
    static char paths[4][160];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    (void)snprintf(path, sizeof paths[0], "%s/%s", folder->path, file);
    return path;
}

static void name_files(const struct pki_folder *folder, const char *name, char certificate[160],
                       char key[160])
{
    (void)snprintf(certificate, 160, "%s/%s.pem", folder->path, name);
    (void)snprintf(key, 160, "%s/%s.key", folder->path, name);
}

void pki_make_ca(const struct pki_folder *folder, const char *name)
{
    char certificate[160];
    char key[160];
    char subject[80];
    name_files(folder, name, certificate, key);
    (void)snprintf(subject, sizeof subject, "/CN=%s", name);
    const char *const make[] = {
        "openssl", "req",     "-x509", "-newkey", "ec",        "-pkeyopt", "ec_paramgen_curve:P-256",
        "-nodes",  "-keyout", key,     "-out",    certificate, "-subj",    subject,
        "-days",   "30",      NULL};
    assert_int_equal(openssl_run(make), 0);
    assert_int_equal(chmod(key, 0600), 0);
}

void pki_make_leaf(const struct pki_folder *folder, const char *ca, const char *name, const char *dns_name,
                   int days)
{
    char certificate[160];
    char key[160];
    char ca_certificate[160];
    char ca_key[160];
    char request[160];
    char subject[80];
    char alternative[96];
    char days_text[16];
    name_files(folder, name, certificate, key);
    name_files(folder, ca, ca_certificate, ca_key);
    (void)snprintf(request, sizeof request, "%s/%s.csr", folder->path, name);
    (void)snprintf(subject, sizeof subject, "/CN=%s", dns_name);
    (void)snprintf(alternative, sizeof alternative, "subjectAltName=DNS:%s", dns_name);
    (void)snprintf(days_text, sizeof days_text, "%d", days);
    const char *const ask[] = {
        "openssl", "req",       "-new", "-newkey", "ec",    "-pkeyopt", "ec_paramgen_curve:P-256",
        "-nodes",  "-keyout",   key,    "-out",    request, "-subj",    subject,
        "-addext", alternative, NULL};
    assert_int_equal(openssl_run(ask), 0);
    const char *const sign[] = {"openssl", "x509",         "-req",    "-in",  request,
                                "-CA",     ca_certificate, "-CAkey",  ca_key, "-copy_extensions",
                                "copy",    "-days",        days_text, "-out", certificate,
                                NULL};
    assert_int_equal(openssl_run(sign), 0);
    assert_int_equal(chmod(key, 0600), 0);
}

size_t pki_der(const char *path, bool is_key, uint8_t *out, size_t capacity_bytes)
{
    char der[176];
    (void)snprintf(der, sizeof der, "%s.der", path);
    const char *const convert[] = {
        "openssl", is_key ? "ec" : "x509", "-in", path, "-out", der, "-outform", "DER", NULL};
    assert_int_equal(openssl_run(convert), 0);
    FILE *file = fopen(der, "rb");
    assert_non_null(file);
    size_t len_bytes = fread(out, 1, capacity_bytes, file);
    assert_true(len_bytes > 0 && len_bytes < capacity_bytes);
    assert_int_equal(fclose(file), 0);
    return len_bytes;
}

/* SEQUENCE {INTEGER r, INTEGER s} of raw r || s. */
static size_t der_of(const uint8_t raw[WIRE_SIGNATURE_BYTES], uint8_t out[80])
{
    size_t at = 2;
    for (size_t part = 0; part < 2; part++) {
        const uint8_t *number = raw + 32 * part;
        size_t skipped = 0;
        while (skipped < 31 && number[skipped] == 0) {
            skipped++;
        }
        size_t pad = number[skipped] >> 7;
        out[at++] = 0x02;
        out[at++] = (uint8_t)(32 - skipped + pad);
        if (pad != 0) {
            out[at++] = 0;
        }
        memcpy(out + at, number + skipped, 32 - skipped);
        at += 32 - skipped;
    }
    out[0] = 0x30;
    out[1] = (uint8_t)(at - 2);
    return at;
}

static void write_file(const char *path, struct hr_bytes bytes)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes.data, 1, bytes.len_bytes, file), bytes.len_bytes);
    assert_int_equal(fclose(file), 0);
}

bool openssl_verifies(const struct pki_folder *folder, struct hr_bytes spki, struct hr_bytes message,
                      const uint8_t signature[WIRE_SIGNATURE_BYTES])
{
    uint8_t der[80];
    const char *key = pki_path(folder, "public.der");
    const char *text = pki_path(folder, "message");
    const char *signed_by = pki_path(folder, "signature.der");
    write_file(key, spki);
    write_file(text, message);
    write_file(signed_by, hr_bytes_of(der, der_of(signature, der)));
    const char *const check[] = {"openssl", "dgst",       "-sha256", "-keyform", "DER", "-verify",
                                 key,       "-signature", signed_by, text,       NULL};
    return openssl_run(check) == 0;
}

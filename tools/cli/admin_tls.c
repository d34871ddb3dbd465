/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/admin_tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cli_tls {
    SSL_CTX *context;
    SSL *session;
};

static bool fail(char why[ADMIN_WHY_CHARS], const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    (void)snprintf(why, ADMIN_WHY_CHARS, "%s: %s", what, reason != NULL ? reason : "no reason given");
    ERR_clear_error();
    return false;
}

static const char identity_advice[] =
    "--identity PATH names your PATH.crt and PATH.key, as `headrace ca operator` made them";

/* Behind the cause, what to do. */
static bool advise(char why[ADMIN_WHY_CHARS], const char *advice)
{
    const size_t len = strlen(why);
    (void)snprintf(why + len, ADMIN_WHY_CHARS - len, "; %s", advice);
    return false;
}

/* Of a server's certificate that was not believed. */
static const char *advice_of(long verified)
{
    switch (verified) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "is this machine's clock right (`date`)? if so, the aggregator wants a new one: `headrace ca "
               "server "
               "--force`";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return "--admin must have a name or address that its certificate has (`headrace ca server --san`)";
    default:
        return "--ca names the server-ca.crt of its authority; if that is what it is, this may be somebody "
               "else's "
               "server, and nothing was told to it";
    }
}

static bool set_up(struct cli_tls *tls, const struct cli_admin *admin, char why[ADMIN_WHY_CHARS])
{
    tls->context = SSL_CTX_new(TLS_client_method());
    if (tls->context == NULL || SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION) != 1) {
        return fail(why, "no TLS");
    }
    SSL_CTX_set_verify(tls->context, SSL_VERIFY_PEER, NULL);
    if (SSL_CTX_load_verify_locations(tls->context, admin->server_ca, NULL) != 1) {
        (void)fail(why, admin->server_ca);
        return advise(why, "--ca names the server-ca.crt of the aggregator's authority");
    }
    /* The issuer alone is trusted, whoever signed it. */
    (void)X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(tls->context), X509_V_FLAG_PARTIAL_CHAIN);
    if (SSL_CTX_use_certificate_chain_file(tls->context, admin->certificate) != 1) {
        (void)fail(why, admin->certificate);
        return advise(why, identity_advice);
    }
    if (SSL_CTX_use_PrivateKey_file(tls->context, admin->key, SSL_FILETYPE_PEM) != 1) {
        (void)fail(why, admin->key);
        return advise(why, identity_advice);
    }
    tls->session = SSL_new(tls->context);
    return tls->session != NULL ? true : fail(why, "no TLS");
}

static bool expect_name(struct cli_tls *tls, const char *host)
{
    unsigned char address[16];
    char name[ADMIN_HOST_MAX_CHARS + 1];
    (void)snprintf(name, sizeof name, "%s", host); /* OpenSSL's macro wants it writable */
    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1) {
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls->session), host) == 1;
    }
    return SSL_set1_host(tls->session, host) == 1 && SSL_set_tlsext_host_name(tls->session, name) == 1;
}

static bool shake_hands(struct cli_tls *tls, int fd, const struct cli_admin *admin, char why[ADMIN_WHY_CHARS])
{
    if (!expect_name(tls, admin->host) || SSL_set_fd(tls->session, fd) != 1) {
        return fail(why, admin->host);
    }
    if (SSL_connect(tls->session) == 1) {
        return true;
    }
    long verified = SSL_get_verify_result(tls->session);
    if (verified != X509_V_OK) {
        (void)snprintf(why, ADMIN_WHY_CHARS, "the certificate of %s port %s: %s", admin->host, admin->port,
                       X509_verify_cert_error_string(verified));
        ERR_clear_error();
        return advise(why, advice_of(verified));
    }
    (void)fail(why, "no TLS session");
    return advise(why, "is that the port of the aggregator's `admin:` section?");
}

struct cli_tls *cli_tls_open(int fd, const struct cli_admin *admin, char why[ADMIN_WHY_CHARS])
{
    struct cli_tls *tls = calloc(1, sizeof *tls);
    (void)signal(SIGPIPE, SIG_IGN); /* OpenSSL writes to a socket that may be closed */
    if (tls == NULL) {
        (void)snprintf(why, ADMIN_WHY_CHARS, "no memory");
        return NULL;
    }
    if (!set_up(tls, admin, why) || !shake_hands(tls, fd, admin, why)) {
        cli_tls_close(tls);
        return NULL;
    }
    return tls;
}

ssize_t cli_tls_send(struct cli_tls *tls, const char *bytes, size_t len)
{
    size_t n = 0;
    return SSL_write_ex(tls->session, bytes, len, &n) == 1 ? (ssize_t)n : -1;
}

ssize_t cli_tls_receive(struct cli_tls *tls, char *out, size_t capacity)
{
    size_t n = 0;
    if (SSL_read_ex(tls->session, out, capacity, &n) == 1) {
        return (ssize_t)n;
    }
    return SSL_get_error(tls->session, 0) == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

void cli_tls_close(struct cli_tls *tls)
{
    if (tls != NULL) {
        SSL_free(tls->session);
        SSL_CTX_free(tls->context);
    }
    free(tls);
}

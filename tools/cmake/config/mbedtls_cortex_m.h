/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mbedTLS 3.6.7 for microcontroller boards. It stands in place of include/mbedtls/mbedtls_config.h, so the
 * library, libcoap and our own rooms read the same one.
 *
 * The profile of mbedtls_linux.h for a client without files, threads or clock: DTLS 1.2, ECDHE-ECDSA on secp256r1,
 * AES-128-CCM, X.509 from DER, CID. There is no date, so certificates do not expire on a board. All
 * memory comes from the malloc family, which is one fixed pool there (firmware/ports/cortex_m/pool.h), and all
 * random numbers from firmware/crypto, which has none before a seed was given.
 */
#ifndef HEADRACE_MBEDTLS_CORTEX_M_H
#define HEADRACE_MBEDTLS_CORTEX_M_H

/* Platform */
#define MBEDTLS_HAVE_ASM
#define MBEDTLS_PLATFORM_C
#define MBEDTLS_ERROR_C

/* Primitives. The block cipher only encrypts in CCM; deterministic ECDSA needs HMAC_DRBG. GCM would take 2 KB of
 * flash and 600 B of a session's memory, and is slower without a multiplier of its own. */
#define MBEDTLS_AES_C
#define MBEDTLS_AES_ROM_TABLES
#define MBEDTLS_AES_FEWER_TABLES
#define MBEDTLS_AES_ONLY_128_BIT_KEY_LENGTH
#define MBEDTLS_BLOCK_CIPHER_NO_DECRYPT
#define MBEDTLS_CCM_C
#define MBEDTLS_CIPHER_C
#define MBEDTLS_MD_C
#define MBEDTLS_SHA256_C
#define MBEDTLS_HMAC_DRBG_C
#define MBEDTLS_BIGNUM_C
#define MBEDTLS_ECP_C
#define MBEDTLS_ECP_DP_SECP256R1_ENABLED
#define MBEDTLS_ECP_NIST_OPTIM
#define MBEDTLS_ECDH_C
#define MBEDTLS_ECDSA_C
#define MBEDTLS_ECDSA_DETERMINISTIC

/* A window of 4 and the table of the base point: 3 KB of flash for a third of the instructions of window 2. */
#define MBEDTLS_ECP_WINDOW_SIZE 4
#define MBEDTLS_ECP_FIXED_POINT_OPTIM 1
#define MBEDTLS_MPI_MAX_SIZE 48

/* PSA: a few volatile keys, one thread, and a random source of our own */
#define MBEDTLS_PSA_CRYPTO_C
#define MBEDTLS_PSA_CRYPTO_EXTERNAL_RNG
#define MBEDTLS_PSA_KEY_SLOT_COUNT 5
#define MBEDTLS_PSA_ASSUME_EXCLUSIVE_BUFFERS

/* Keys and certificates */
#define MBEDTLS_ASN1_PARSE_C
#define MBEDTLS_ASN1_WRITE_C
#define MBEDTLS_OID_C
#define MBEDTLS_PK_C
#define MBEDTLS_PK_PARSE_C
#define MBEDTLS_X509_USE_C
#define MBEDTLS_X509_CRT_PARSE_C

/* DTLS 1.2, client */
#define MBEDTLS_SSL_TLS_C
#define MBEDTLS_SSL_CLI_C
#define MBEDTLS_SSL_PROTO_TLS1_2
#define MBEDTLS_SSL_PROTO_DTLS
#define MBEDTLS_SSL_DTLS_ANTI_REPLAY
#define MBEDTLS_SSL_DTLS_CONNECTION_ID
#define MBEDTLS_SSL_DTLS_CONNECTION_ID_COMPAT 0
#define MBEDTLS_SSL_CID_IN_LEN_MAX 8
#define MBEDTLS_SSL_CID_OUT_LEN_MAX 8
#define MBEDTLS_SSL_EXTENDED_MASTER_SECRET
#define MBEDTLS_SSL_SERVER_NAME_INDICATION
#define MBEDTLS_KEY_EXCHANGE_ECDHE_ECDSA_ENABLED
/* Named, because with AES_ONLY_128 mbedTLS goes on offering what it has no key length for. */
#define MBEDTLS_SSL_CIPHERSUITES                                                                                       \
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CCM, MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8
/* What is offered; mbedTLS would offer AES-256 as well, which it was built without. */
#define MBEDTLS_SSL_CIPHERSUITES MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CCM, MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256

/*
 * Sizes. In: the aggregator's certificates in one handshake message, and any datagram that Ethernet carries. Out: a
 * CoAP message with an envelope of 1,024 B, and our own certificate. What comes out of order in a handshake is kept
 * up to 2 KB; the rest is sent again by the other side.
 */
#define MBEDTLS_SSL_IN_CONTENT_LEN 1536
#define MBEDTLS_SSL_OUT_CONTENT_LEN 1152
#define MBEDTLS_SSL_DTLS_MAX_BUFFERING 2048

#endif

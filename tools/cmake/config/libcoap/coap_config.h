/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcoap 4.3.5 for microcontroller boards: a client over DTLS on lwIP without an operating system, with mbedTLS, and
 * with malloc for its memory. Its public headers ask for some of these too, so they are installed beside them.
 */
#ifndef COAP_CONFIG_H_
#define COAP_CONFIG_H_

#define WITH_LWIP 1

#define COAP_CLIENT_SUPPORT 1
#define COAP_SERVER_SUPPORT 0
#define COAP_IPV4_SUPPORT 1
#define COAP_IPV6_SUPPORT 1
#define COAP_DISABLE_TCP 1
#define COAP_ASYNC_SUPPORT 0
#define COAP_OSCORE_SUPPORT 0
#define COAP_PROXY_SUPPORT 0
#define COAP_Q_BLOCK_SUPPORT 0
#define COAP_WS_SUPPORT 0
#define COAP_WITH_OBSERVE_PERSIST 0
#define COAP_THREAD_SAFE 0
#define COAP_THREAD_RECURSIVE_CHECK 0
#define COAP_WITH_LIBMBEDTLS 1
#define HAVE_MBEDTLS 1

/* Large buffers are static. The longest answer of the aggregator is a certificate of 640 bytes. */
#define COAP_CONSTRAINED_STACK 1
#define COAP_RXBUFFER_SIZE 672
#define COAP_MAX_LOGGING_LEVEL 4 /* up to warnings */

/* One session: a table of two buckets. */
#define HASH_INITIAL_NUM_BUCKETS 2U
#define HASH_INITIAL_NUM_BUCKETS_LOG2 1U

#define HAVE_ASSERT_H 1
#define HAVE_ERRNO_H 1
#define HAVE_INTTYPES_H 1
#define HAVE_LIMITS_H 1
#define HAVE_MALLOC 1
#define HAVE_MEMSET 1
#define HAVE_SNPRINTF 1
#define HAVE_STDDEF_H 1
#define HAVE_STDINT_H 1
#define HAVE_STDLIB_H 1
#define HAVE_STRING_H 1
#define HAVE_STRNLEN 1

#define PACKAGE_NAME "libcoap"
#define PACKAGE_STRING "libcoap 4.3.5"
#define PACKAGE_VERSION "4.3.5"
#define PACKAGE_URL "https://libcoap.net/"
#define PACKAGE_BUGREPORT "libcoap-developers@lists.sourceforge.net"
#define LIBCOAP_PACKAGE_BUILD "headrace"

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * libcurl, loaded when the first HTTP tap opens. Linked, it and what it brings along would take 6 MB of each
 * collector's memory, of those too that poll nothing. */
#ifndef TAP_CURL_API_H
#define TAP_CURL_API_H

#include "proto/base/status.h"

#include <curl/curl.h>

struct http_curl {
    void *library;
    CURLcode (*global_init)(long flags);
    void (*global_cleanup)(void);
    CURL *(*easy_init)(void);
    CURLcode (*easy_setopt)(CURL *easy, CURLoption option, ...);
    CURLcode (*easy_getinfo)(CURL *easy, CURLINFO info, ...);
    const char *(*easy_strerror)(CURLcode code);
    void (*easy_cleanup)(CURL *easy);
    struct curl_slist *(*slist_append)(struct curl_slist *list, const char *text);
    void (*slist_free_all)(struct curl_slist *list);
    CURLM *(*multi_init)(void);
    CURLMcode (*multi_cleanup)(CURLM *multi);
    CURLMcode (*multi_add_handle)(CURLM *multi, CURL *easy);
    CURLMcode (*multi_remove_handle)(CURLM *multi, CURL *easy);
    CURLMcode (*multi_perform)(CURLM *multi, int *n_running);
    CURLMcode (*multi_fdset)(CURLM *multi, fd_set *reads, fd_set *writes, fd_set *errors, int *last);
    CURLMcode (*multi_timeout)(CURLM *multi, long *timeout_ms);
    CURLMsg *(*multi_info_read)(CURLM *multi, int *n_left);
};

/* HR_NOT_FOUND: the host has no libcurl.so.4, or one that lacks a function; *why tells, in static storage. */
HR_MUST_USE struct hr_status http_curl_load(struct http_curl *out, const char **why);

#endif

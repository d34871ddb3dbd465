/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/feeds/file/token.h"

#include "proto/feeds/feeds.h"
#include "proto/feeds/url.h"

#include <string.h>

static const char *check_url(const char *text)
{
    return strpbrk(text, "{}?") != NULL ? "is an address without times and parameters"
                                        : feeds_url_check(text);
}

static const char *check_word(const char *text)
{
    bool is_word = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(text);
    return is_word ? NULL : "takes lower case letters, digits and _ only";
}

#define TEXT(name, member)                                                                                   \
    .key = (name), .type = CONF_STRING, CONF_AT(struct feeds_token, member), .required = true, .min = 1

static const struct conf_field fields[] = {
    {TEXT("credential", credential), .check_text = check_word,
     .help = "The name under which auth uses the token; feeds with the same name share it."},
    {TEXT("url", url), .check_text = check_url, .help = "Where it is asked for."},
    {TEXT("username", username), .check_text = check_word,
     .help = "Name of the secret that is the user's name."},
    {TEXT("password", password), .check_text = check_word,
     .help = "Name of the secret that is the password."},
    {TEXT("client_id", client_id), .help = "As the operator publishes it."},
    {TEXT("scope", scope), .help = "As the operator publishes it."},
    {.key = "answer",
     .type = CONF_STRING,
     CONF_AT(struct feeds_token, answer),
     .fallback = "access_token",
     .min = 1,
     .check_text = check_word,
     .help = "Which token of the answer is used, and asked for: id_token or access_token."},
};
const struct conf_table feeds_token_table = {CONF_FIELDS(fields)};

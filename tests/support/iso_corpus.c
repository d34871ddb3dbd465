/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/iso_corpus.h"

#include "tests/support/test_cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_CHARS = 512, LINE_CHARS = 4096 };

static const char *corpus;

static void path_of(const char *file, char path[PATH_CHARS])
{
    (void)snprintf(path, PATH_CHARS, "%s/iso/%s", corpus, file);
}

bool iso_corpus_is_there(void)
{
    char path[PATH_CHARS];
    corpus = getenv("HEADRACE_CORPUS");
    corpus = corpus != NULL ? corpus : "../shared/corpus";
    path_of("PROVENANCE.tsv", path);
    if (access(path, R_OK) == 0) {
        return true;
    }
    printf("skipped: no corpus at %s (HEADRACE_CORPUS)\n", corpus);
    return false;
}

struct hr_bytes iso_corpus_load(const char *file)
{
    char path[PATH_CHARS];
    struct stat facts = {0};
    path_of(file, path);
    FILE *stream = stat(path, &facts) == 0 && facts.st_size >= 0 ? fopen(path, "rb") : NULL;
    if (stream == NULL) {
        fail_msg("%s can't be read", path);
        return (struct hr_bytes){0};
    }
    size_t len = (size_t)facts.st_size;
    uint8_t *bytes = calloc(len + 1, 1);
    size_t got = bytes != NULL ? fread(bytes, 1, len, stream) : 0;
    (void)fclose(stream);
    assert_non_null(bytes);
    assert_int_equal(got, len);
    return hr_bytes_of(bytes, len);
}

void iso_corpus_unload(struct hr_bytes bytes)
{
    free((void *)(uintptr_t)bytes.data);
}

void iso_corpus_read(const char *feed, const char *file)
{
    struct hr_bytes bytes = iso_corpus_load(file);
    const char *slash = strrchr(file, '/');
    iso_lab_read(feed, slash != NULL ? slash + 1 : file, bytes);
    iso_corpus_unload(bytes);
}

void iso_corpus_each(void (*take)(void *ctx, const char *file), void *ctx)
{
    char path[PATH_CHARS];
    char line[LINE_CHARS];
    path_of("PROVENANCE.tsv", path);
    FILE *list = fopen(path, "r");
    if (list == NULL) {
        fail_msg("%s can't be read", path);
        return;
    }
    for (bool is_header = true; fgets(line, sizeof line, list) != NULL; is_header = false) {
        line[strcspn(line, "\t\n")] = '\0';
        if (!is_header) {
            take(ctx, line);
        }
    }
    (void)fclose(list);
}

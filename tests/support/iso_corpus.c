/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/iso_corpus.h"

#include "tests/support/test_cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
    path_of(file, path);
    FILE *stream = fopen(path, "rb");
    assert_non_null(stream);
    assert_int_equal(fseek(stream, 0, SEEK_END), 0);
    long len = ftell(stream);
    assert_true(len >= 0);
    rewind(stream);
    uint8_t *bytes = malloc((size_t)len + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, (size_t)len, stream), len);
    (void)fclose(stream);
    return hr_bytes_of(bytes, (size_t)len);
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
    assert_non_null(list);
    assert_non_null(fgets(line, sizeof line, list)); /* the names of the columns */
    while (fgets(line, sizeof line, list) != NULL) {
        line[strcspn(line, "\t\n")] = '\0';
        take(ctx, line);
    }
    (void)fclose(list);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs a fuzzer's LLVMFuzzerTestOneInput over every file of the folders given: the committed corpora are unit
 * tests of builds without libFuzzer. Fails when there is no file, so that a lost corpus is noticed. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);

/* Gives each input a buffer of exactly its length, so that a read beyond it is seen by the address sanitizer.
 */
static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct stat info;
    if (file == NULL || fstat(fileno(file), &info) != 0) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    int n_replayed = 0;
    if (S_ISREG(info.st_mode)) {
        size_t len_bytes = (size_t)info.st_size;
        uint8_t *data = malloc(len_bytes == 0 ? 1 : len_bytes);
        if (data == NULL || fread(data, 1, len_bytes, file) != len_bytes) {
            perror(path);
            exit(EXIT_FAILURE);
        }
        (void)LLVMFuzzerTestOneInput(data, len_bytes);
        free(data);
        n_replayed = 1;
    }
    (void)fclose(file);
    return n_replayed;
}

static int replay_folder(const char *folder)
{
    DIR *entries = opendir(folder);
    if (entries == NULL) {
        perror(folder);
        exit(EXIT_FAILURE);
    }
    int n_replayed = 0;
    for (const struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        char path[4096];
        int len = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.' && len > 0 && (size_t)len < sizeof path) {
            n_replayed += replay_file(path);
        }
    }
    (void)closedir(entries);
    return n_replayed;
}

int main(int argc, char **argv)
{
    int n_replayed = 0;
    for (int i = 1; i < argc; i++) {
        n_replayed += replay_folder(argv[i]);
    }
    (void)printf("%d inputs replayed\n", n_replayed);
    return n_replayed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

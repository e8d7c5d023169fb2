/*
 * replay.c - feeds a fuzz target files: those that are named, or all of its corpus in |srcdir|.
 *
 *     fuzz_WHAT [FILE-OR-DIRECTORY...]
 *
 * Each file's name is printed before it is fed: the last one is the one that failed.
 */
#include "fuzz.h"

#include <dirent.h>
#include <sys/stat.h>

static size_t fed;

static int feed_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    long size;
    uint8_t *data;

    if (file == NULL) {
        perror(path);
        return -1;
    }
    FUZZ_ASSERT(fseek(file, 0, SEEK_END) == 0);
    size = ftell(file);
    FUZZ_ASSERT(size >= 0);
    rewind(file);
    data = malloc(size != 0 ? (size_t)size : 1); /* exactly so long, so that a read beyond it is seen */
    FUZZ_ASSERT(data != NULL);
    FUZZ_ASSERT(fread(data, 1, (size_t)size, file) == (size_t)size);
    fclose(file);
    printf("%s\n", path);
    fflush(stdout);
    LLVMFuzzerTestOneInput(data, (size_t)size);
    free(data);
    fed++;
    return 0;
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int feed(const char *path)
{
    struct dirent **entries;
    struct stat status;
    int count;
    int rv = 0;
    int i;

    if (stat(path, &status) < 0 || !S_ISDIR(status.st_mode))
        return feed_file(path);
    count = scandir(path, &entries, visible, alphasort);
    FUZZ_ASSERT(count >= 0);
    for (i = 0; i < count; i++) {
        char name[4096];

        FUZZ_ASSERT(snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name) < (int)sizeof name);
        if (feed(name) < 0)
            rv = -1;
        free(entries[i]);
    }
    free(entries);
    return rv;
}

/* corpus/WHAT for a program that is called fuzz_WHAT, or lt-fuzz_WHAT by libtool. */
static int feed_corpus(const char *program)
{
    const char *srcdir = getenv("srcdir");
    const char *what = strstr(strrchr(program, '/') != NULL ? strrchr(program, '/') : program, "fuzz_");
    char path[4096];

    FUZZ_ASSERT(what != NULL);
    FUZZ_ASSERT(snprintf(path, sizeof path, "%s/tests/fuzz/corpus/%s", srcdir != NULL ? srcdir : ".", what + 5) <
                (int)sizeof path);
    return feed(path);
}

int main(int argc, char **argv)
{
    int rv = 0;
    int i;

    LLVMFuzzerTestOneInput(NULL, 0);
    for (i = 1; i < argc; i++) {
        if (feed(argv[i]) < 0)
            rv = -1;
    }
    if (argc < 2)
        rv = feed_corpus(argv[0]);
    printf("%zu files\n", fed);
    return rv == 0 && fed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

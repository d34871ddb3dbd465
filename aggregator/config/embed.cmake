# cmake -D FILE=topics.yaml -D OUT=x.c -P embed.cmake: the file as config_topics_embedded(). Bytes, not a string literal:
# a compiler need not take one of more than 4095 characters.
file(READ ${FILE} hex HEX)
string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
file(WRITE ${OUT} "/* Made by aggregator/config/embed.cmake from schemas/topics.yaml. */
#include \"aggregator/config/topics_embedded.h\"

static const unsigned char text[] = {
${bytes}};

struct hr_bytes config_topics_embedded(void)
{
    return hr_bytes_of(text, sizeof(text));
}
")

# cmake -D FEEDS_DIR=... -D OUT=... -P embed.cmake: writes schemas/feeds/*.yaml as a C file, for programs that have no
# folder of feeds. Bytes, not string literals: a compiler need not take a literal of more than 4095 characters.
file(GLOB feeds ${FEEDS_DIR}/*.yaml)
list(SORT feeds)
set(arrays "")
set(rows "")
foreach(feed ${feeds})
  cmake_path(GET feed STEM LAST_ONLY name)
  file(READ ${feed} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n" bytes "${bytes}")
  string(APPEND arrays "static const unsigned char text_${name}[] = {\n${bytes}};\n")
  string(APPEND rows "    {\"${name}.yaml\", {text_${name}, sizeof(text_${name})}},\n")
endforeach()
file(WRITE ${OUT}
"/* Made by proto/feeds/file/embed.cmake from schemas/feeds. */
#include \"proto/feeds/file/embedded.h\"

${arrays}
const struct feeds_embedded feeds_embedded[] = {
${rows}    {0, {0, 0}},
};
")

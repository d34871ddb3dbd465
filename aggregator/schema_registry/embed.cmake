# cmake -D AVRO_DIR=... -D OUT=... -P embed.cmake: writes schemas/avro/*.avsc and ids.tsv as a C file, and for values that
# were written before a schema grew, old/<name>.<version>.avsc under the name "<name>.<version>". Bytes, not string
# literals: a compiler need not take a literal of more than 4095 characters.
file(GLOB schemas ${AVRO_DIR}/*.avsc ${AVRO_DIR}/old/*.avsc)
list(SORT schemas)
set(arrays "")
set(rows "")
foreach(schema ${schemas})
  cmake_path(GET schema STEM LAST_ONLY name)
  string(REPLACE "." "_" symbol "${name}")
  file(READ ${schema} hex HEX)
  string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND arrays "static const unsigned char text_${symbol}[] = {\n${bytes}};\n")
  string(APPEND rows "    {\"${name}\", {text_${symbol}, sizeof(text_${symbol})}},\n")
endforeach()
file(STRINGS ${AVRO_DIR}/ids.tsv lines)
set(ids "")
foreach(line ${lines})
  string(REPLACE "\t" ";" columns "${line}")
  list(GET columns 0 name)
  list(GET columns 1 version)
  list(GET columns 2 id)
  string(APPEND ids "    {\"${name}\", ${version}u, ${id}u},\n")
endforeach()
file(WRITE ${OUT}
"/* Made by aggregator/schema_registry/embed.cmake from schemas/avro. */
#include \"aggregator/schema_registry/embedded.h\"

${arrays}
const struct schema_embedded schema_embedded[] = {
${rows}    {0, {0, 0}},
};

const struct schema_offline schema_offline[] = {
${ids}    {0, 0, 0},
};
")

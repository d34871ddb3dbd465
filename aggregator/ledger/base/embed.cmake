# cmake -D OUT=x.c -D FOLDER=dir -D NAME=symbol -P embed.cmake: the *.sql of the folder, in the order of their names, as
# a struct ledger_migrations of that name. The first four characters of a file's name are its version.
file(GLOB files ${FOLDER}/*.sql)
list(SORT files)
set(texts "")
set(rows "")
foreach(file ${files})
  cmake_path(GET file STEM name)
  string(SUBSTRING ${name} 0 4 version)
  math(EXPR version "1${version} - 10000")
  file(READ ${file} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND texts "static const char text_${version}[] = {${bytes}0};\n")
  string(APPEND rows "    {.version = ${version}, .name = \"${name}\", .sql = text_${version}},\n")
endforeach()
list(LENGTH files n)
file(WRITE ${OUT} "/* Made by embed.cmake. */
#include \"aggregator/ledger/base/migration.h\"

${texts}
static const struct ledger_migration rows[] = {
${rows}};
extern const struct ledger_migrations ${NAME};
const struct ledger_migrations ${NAME} = {rows, ${n}};
")

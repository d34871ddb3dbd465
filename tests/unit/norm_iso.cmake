if(NOT HEADRACE_AGGREGATOR)
  return() # a build for a gateway has none of these rooms
endif()

hr_library(hr_iso_lab SOURCES ${CMAKE_CURRENT_LIST_DIR}/../support/iso_lab.c ${CMAKE_CURRENT_LIST_DIR}/../support/iso_corpus.c
           DEPENDS agg_norm_iso agg_zoneinfo hr_test_support dep::cmocka dep::zlib)
hr_test(test_norm_iso LABEL unit SOURCES unit/test_norm_iso.c DEPENDS hr_iso_lab)
hr_test(test_norm_iso_products LABEL unit SOURCES unit/test_norm_iso_products.c DEPENDS hr_iso_lab)
hr_test(test_norm_iso_places LABEL unit SOURCES unit/test_norm_iso_places.c DEPENDS hr_iso_lab)
hr_test(test_feed_forms LABEL unit SOURCES unit/test_feed_forms.c DEPENDS hr_iso_lab hr_feeds_file)
hr_test(test_norm_iso_bounds LABEL unit SOURCES unit/test_norm_iso_bounds.c DEPENDS hr_iso_lab)
hr_test(test_norm_iso_corpus LABEL unit SOURCES unit/test_norm_iso_corpus.c DEPENDS hr_iso_lab)
hr_test(test_norm_iso_dst LABEL unit SOURCES unit/test_norm_iso_dst.c DEPENDS hr_iso_lab)
hr_test(test_norm_iso_schema LABEL unit SOURCES unit/test_norm_iso_schema.c DEPENDS hr_iso_lab agg_schema dep::cjson)
foreach(name test_norm_document test_norm_document_past)
  hr_test(${name} LABEL unit SOURCES unit/${name}.c support/document_lab.c
          DEPENDS agg_norm_iso hr_test_batches hr_test_support dep::zstd)
endforeach()
hr_test(test_norm_iso_events LABEL unit SOURCES unit/test_norm_iso_events.c
        DEPENDS hr_iso_lab hr_test_batches dep::zstd)
set_tests_properties(test_norm_document test_norm_document_past test_norm_iso_events PROPERTIES TIMEOUT 600)
set_tests_properties(test_norm_iso_schema PROPERTIES ENVIRONMENT
                     "LSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/support/lsan_avro.supp:print_suppressions=0")
set_tests_properties(test_norm_iso_schema test_norm_iso test_norm_iso_bounds test_norm_iso_corpus test_norm_iso_products test_norm_iso_places test_norm_iso_dst test_feed_forms PROPERTIES TIMEOUT 600)
foreach(part Lint Rows Corpus)
  add_test(NAME test_feeds_cli_${part} COMMAND /usr/bin/python3 ${CMAKE_CURRENT_LIST_DIR}/test_feeds_cli.py ${part}
           WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(test_feeds_cli_${part} PROPERTIES LABELS unit TIMEOUT 600 SKIP_RETURN_CODE 77
                       ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
endforeach()
hr_test(test_publish_documents LABEL unit SOURCES unit/test_publish_documents.c support/temp_folder.c
        DEPENDS hr_iso_lab hr_test_batches agg_core agg_schema agg_ledger_sqlite)
set_tests_properties(test_publish_documents PROPERTIES TIMEOUT 600)
hr_test(test_norm_iso_memory LABEL unit SOURCES unit/test_norm_iso_memory.c
        DEPENDS hr_iso_lab hr_test_batches dep::zstd dep::expat dep::zlib)
target_link_options(test_norm_iso_memory PRIVATE
                    -Wl,--wrap=inflate,--wrap=inflateInit2_,--wrap=XML_ParserCreate,--wrap=XML_Parse,--wrap=XML_GetErrorCode,--wrap=ZSTD_decompress)
set_tests_properties(test_norm_iso_memory PROPERTIES TIMEOUT 600)

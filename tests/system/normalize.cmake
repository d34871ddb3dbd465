# Our events against gpsd's and pyais' decodes of every log of the corpus.
add_executable(ais_dump ${CMAKE_SOURCE_DIR}/tests/support/ais_dump.c)
target_link_libraries(ais_dump PRIVATE hr_warnings agg_normalize agg_schema fw_tap_ais hr_wire hr_edge hr_base
                      hr_test_support)
set_target_properties(ais_dump PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
add_test(NAME test_ais_corpus
         COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tests/system/test_ais_corpus.py $<TARGET_FILE:ais_dump>
                 ${CMAKE_BINARY_DIR}/oracles)
set_tests_properties(test_ais_corpus PROPERTIES LABELS system SKIP_RETURN_CODE 77)

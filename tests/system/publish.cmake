add_executable(publish_probe ${CMAKE_SOURCE_DIR}/tests/support/publish_probe.c)
target_link_libraries(publish_probe PRIVATE hr_warnings hr_test_support agg_core agg_normalize agg_schema agg_sink_kafka
                      agg_sink_files hr_edge hr_wire hr_base)
set_target_properties(publish_probe PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

# An entry for each class of a file's tests: they are long, and run beside each other.
function(hr_test_classes name)
  set(file ${CMAKE_SOURCE_DIR}/tests/system/${name}.py)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(STRINGS ${file} classes REGEX "^class .*TestCase\\):")
  if(NOT classes)
    message(FATAL_ERROR "${file} has no class of tests")
  endif()
  foreach(line ${classes})
    string(REGEX REPLACE "^class ([A-Za-z]+)\\(.*" "\\1" class ${line})
    add_test(NAME ${name}_${class} COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${file} ${class})
    set_tests_properties(${name}_${class} PROPERTIES LABELS system COST 10 TIMEOUT 600
                         ENVIRONMENT "HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin;HEADRACE_DEADLINE_S=180")
  endforeach()
endfunction()

# The publisher by itself, killed and beside brokers that are; then with requests and answers of the transaction protocol
# that a proxy delays or loses.
hr_test_classes(test_publish)
hr_test_classes(test_publish_doubt)

add_test(NAME test_topics COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_topics.py)
set_tests_properties(test_topics PROPERTIES LABELS system COST 6 TIMEOUT 600
                     ENVIRONMENT "HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin;HEADRACE_DEADLINE_S=180")

# Failpoints of the whole aggregator, a ledger from a backup, and a Kafka that forgets; they share one broker.
add_test(NAME test_faults COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_faults.py)
set_tests_properties(test_faults PROPERTIES LABELS system RUN_SERIAL ON TIMEOUT 900 ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)

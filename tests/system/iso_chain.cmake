# From a simulator of market operators through the HTTP tap and the aggregator to Kafka.
set(file ${CMAKE_SOURCE_DIR}/tests/system/test_iso_chain.py)
foreach(class Fixtures Corpus)
  add_test(NAME test_iso_chain_${class} COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${file} ${class})
  set_tests_properties(test_iso_chain_${class} PROPERTIES LABELS system COST 8 TIMEOUT 600 SKIP_RETURN_CODE 77
                       ENVIRONMENT "HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin;HEADRACE_DEADLINE_S=180")
endforeach()

# From a simulator of market operators through the HTTP tap and the aggregator to Kafka. A broker for each ledger, as each
# has a time limit of its own; run as one class, they share it.
set(file ${CMAKE_SOURCE_DIR}/tests/system/test_iso_chain.py)
set(case_Fixtures Fixtures.test_a_document_is_published_once_though_the_aggregator_is_killed_within_it)
set(case_Postgresql Fixtures.test_so_it_is_with_a_ledger_on_postgresql)
set(case_Corpus Corpus)
foreach(class Fixtures Postgresql Corpus)
  add_test(NAME test_iso_chain_${class} COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${file} ${case_${class}})
  set_tests_properties(test_iso_chain_${class} PROPERTIES LABELS system COST 8 TIMEOUT 600 SKIP_RETURN_CODE 77
                       ENVIRONMENT "HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin;HEADRACE_DEADLINE_S=180")
endforeach()

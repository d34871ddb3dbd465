# Schemas against folders, a registry and Avro's own checker; an aggregator that runs with a registry, and a broker.
foreach(class Check Running)
  add_test(NAME test_schemas_${class} COMMAND /usr/bin/python3 -W ignore::ResourceWarning
                                              ${CMAKE_SOURCE_DIR}/tests/system/test_schemas.py ${class})
  set_tests_properties(test_schemas_${class} PROPERTIES LABELS system COST 3 TIMEOUT 600
    ENVIRONMENT "HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin;HEADRACE_DEADLINE_S=180;HEADRACE_ORACLES=${CMAKE_BINARY_DIR}/oracles")
endforeach()

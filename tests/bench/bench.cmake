# Figures, not tests: nothing of this runs under ctest. tests/bench/run is the one command.
if(HEADRACE_AGGREGATOR)
  add_executable(bench_rooms ${CMAKE_CURRENT_LIST_DIR}/bench_rooms.c)
  target_link_libraries(bench_rooms PRIVATE hr_warnings fw_core fw_crypto fw_tap_ais agg_verify agg_normalize
                        agg_schema hr_edge hr_wire hr_base dep::crypto)
  set_target_properties(bench_rooms PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
  add_executable(bench_ledger ${CMAKE_CURRENT_LIST_DIR}/bench_ledger.c ${CMAKE_CURRENT_LIST_DIR}/bench_memory.c)
  target_link_libraries(bench_ledger PRIVATE hr_warnings agg_ledger_sqlite agg_ledger_postgres agg_schema fw_tap_ais hr_edge
                        hr_wire hr_base)
  set_target_properties(bench_ledger PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
  add_executable(bench_publish ${CMAKE_CURRENT_LIST_DIR}/bench_publish.c ${CMAKE_CURRENT_LIST_DIR}/bench_memory.c
                 ${CMAKE_CURRENT_LIST_DIR}/bench_raw.c)
  target_link_libraries(bench_publish PRIVATE hr_warnings agg_core agg_normalize agg_schema agg_sink_kafka fw_tap_ais hr_edge
                        hr_wire hr_base dep::rdkafka)
  set_target_properties(bench_publish PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
endif()

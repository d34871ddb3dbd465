if(NOT HEADRACE_AGGREGATOR)
  return() # a build for a gateway has none of these rooms
endif()

# The ledger's suite, for every ledger; the VFS that fails on order is SQLite's.
hr_library(hr_test_ledger SOURCES support/ledger_suite.c support/ledger_suite_state.c support/ledger_suite_feeds.c support/ledger_suite_registry.c
           support/temp_folder.c
           DEPENDS hr_test_support hr_base hr_wire hr_edge PRIVATE_DEPENDS dep::cmocka)
hr_library(hr_test_fault_vfs SOURCES support/fault_vfs.c
           DEPENDS hr_test_support PRIVATE_DEPENDS dep::sqlite3)
hr_test(test_ledger_sqlite LABEL unit tsan SOURCES unit/test_ledger_sqlite.c
        DEPENDS agg_ledger_sqlite hr_test_ledger hr_test_fault_vfs dep::sqlite3)
hr_test(test_ledger_room LABEL unit SOURCES unit/test_ledger_room.c
        DEPENDS agg_ledger_sqlite hr_test_ledger hr_test_fault_vfs dep::sqlite3)
# A PostgreSQL server of Debian's for each test that wants one, with its data in the build tree.
hr_library(hr_test_postgres SOURCES support/postgres_server.c DEPENDS agg_ledger_postgres hr_test_ledger dep::pq)
target_compile_definitions(hr_test_postgres PRIVATE HR_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
                           HR_TEST_DATA="${CMAKE_BINARY_DIR}/postgres")
hr_test(test_ledger_postgres LABEL unit tsan SOURCES unit/test_ledger_postgres.c DEPENDS hr_test_postgres)
hr_library(hr_test_batches SOURCES support/batch_maker.c DEPENDS hr_test_support hr_edge hr_wire hr_base)
hr_test(test_verify LABEL unit tsan SOURCES unit/test_verify.c support/signature_vector.c
        DEPENDS agg_verify fw_crypto hr_test_batches dep::crypto Threads::Threads)
hr_library(hr_test_core SOURCES support/core_lab.c
           DEPENDS agg_core agg_ledger_sqlite agg_verify hr_test_ledger hr_test_fault_vfs hr_test_batches
           PRIVATE_DEPENDS dep::cmocka)
hr_test(test_admit LABEL unit tsan SOURCES unit/test_admit.c DEPENDS hr_test_core)
hr_test(test_admit_loss LABEL unit tsan SOURCES unit/test_admit_loss.c DEPENDS hr_test_core)
hr_test(test_admit_registry LABEL unit tsan SOURCES unit/test_admit_registry.c
        DEPENDS hr_test_core fw_crypto dep::sqlite3)
hr_test(test_admit_decide LABEL unit tsan SOURCES unit/test_admit_decide.c DEPENDS hr_test_core agg_verify)
hr_test(test_admit_cut LABEL unit tsan SOURCES unit/test_admit_cut.c DEPENDS hr_test_core)
hr_test(test_admit_keys LABEL unit tsan SOURCES unit/test_admit_keys.c DEPENDS hr_test_core agg_verify fw_crypto)
hr_test(test_notes LABEL unit SOURCES unit/test_notes.c DEPENDS agg_core agg_normalize hr_base hr_test_support)
hr_test(test_publish_ahead LABEL unit SOURCES unit/test_publish_ahead.c support/temp_folder.c
        DEPENDS agg_core agg_normalize agg_schema agg_ledger_sqlite hr_test_batches)
hr_test(test_publish_past LABEL unit SOURCES unit/test_publish_past.c
        DEPENDS agg_core agg_normalize agg_schema hr_test_batches)
hr_test(test_admit_enrol LABEL unit SOURCES unit/test_admit_enrol.c DEPENDS hr_test_core agg_verify fw_crypto)
hr_test(test_admit_transport LABEL unit tsan SOURCES unit/test_admit_transport.c DEPENDS hr_test_core agg_verify)

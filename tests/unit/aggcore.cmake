# The ledger's suite, for every ledger; the VFS that fails on order is SQLite's.
hr_library(hr_test_ledger SOURCES support/ledger_suite.c
           support/temp_folder.c
           DEPENDS hr_test_support hr_base hr_wire hr_edge PRIVATE_DEPENDS dep::cmocka)
hr_library(hr_test_fault_vfs SOURCES support/fault_vfs.c
           DEPENDS hr_test_support PRIVATE_DEPENDS dep::sqlite3)
hr_test(test_ledger_sqlite LABEL unit SOURCES unit/test_ledger_sqlite.c
        DEPENDS agg_ledger_sqlite hr_test_ledger hr_test_fault_vfs dep::sqlite3)
hr_library(hr_test_batches SOURCES support/batch_maker.c DEPENDS hr_test_support hr_edge hr_wire hr_base)
hr_test(test_verify LABEL unit SOURCES unit/test_verify.c support/signature_vector.c
        DEPENDS agg_verify fw_crypto hr_test_batches dep::crypto Threads::Threads)

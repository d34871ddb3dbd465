hr_test(test_spool LABEL unit SOURCES unit/test_spool.c support/spool_lab.c support/fake_sign.c support/signature_vector.c
        DEPENDS fw_core fw_crypto fw_port_sim hr_test_support)
hr_test(test_flash_file LABEL unit SOURCES unit/test_flash_file.c support/fake_sign.c
        DEPENDS fw_core fw_port_linux hr_test_support)
if(HEADRACE_AGGREGATOR)
  hr_test(test_cli_spool LABEL unit
          SOURCES unit/test_cli_spool.c support/spool_lab.c support/fake_sign.c support/signature_vector.c
                  ${CMAKE_SOURCE_DIR}/tools/cli/cmd_spool.c ${CMAKE_SOURCE_DIR}/tools/cli/spool_look.c ${CMAKE_SOURCE_DIR}/tools/cli/board_image.c
                  ${CMAKE_SOURCE_DIR}/tools/cli/options.c ${CMAKE_SOURCE_DIR}/tools/cli/nearest.c ${CMAKE_SOURCE_DIR}/tools/cli/files.c
          DEPENDS fw_core fw_crypto fw_port_sim agg_verify hr_test_support dep::crypto)
endif()

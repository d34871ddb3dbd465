if(HEADRACE_AGGREGATOR)
  hr_test(test_token LABEL unit SOURCES unit/test_token.c support/temp_folder.c DEPENDS agg_token hr_test_support dep::crypto dep::p11kit)
endif()

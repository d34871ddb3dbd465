# What tests of every room may lean on: SHA-256 and hr_assert_failed.
hr_library(hr_test_support SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_assert.c ${CMAKE_CURRENT_LIST_DIR}/test_hash.c
           ${CMAKE_CURRENT_LIST_DIR}/test_vectors.c
           PRIVATE_DEPENDS dep::mbedcrypto)
target_include_directories(hr_test_support PUBLIC ${CMAKE_SOURCE_DIR})
